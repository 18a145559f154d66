"""The job of an uploaded import: to its end once, whatever stops it on the way, and no file left behind."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from base import failpoints, jobs
from base.database import transaction
from base.errors import DomainError
from base.jobs import Postponed
from base.outages import outage_of
from imports.job import KEPT, ImportJob, drop_abandoned, resume_import
from imports.store import Import, ImportKind, ImportState, find_import
from imports.uploads import Announced, FileGone, create_upload, find_upload, receive
from tests.invariants import check_invariants
from tests.services.imports.taking import MAPPING, Account, account, rows
from tests.world import World, make_world

pytestmark = pytest.mark.usefixtures("database")

ROWS = 60
FILE = rows(*(f"d{number},shop,2026-11-01,tea,1,10" for number in range(ROWS))).encode()


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imports.batches.ROWS", 10)
    monkeypatch.setattr("imports.uploads.PIECE", 100)


async def shop() -> World:
    world = await make_world(["shop"])
    await world.earn("base", amount=1)
    return world


async def upload(
    world: World, content: bytes, *, kind: ImportKind = ImportKind.SALES, mapping: str = MAPPING
) -> Import:
    """An import whose file is here; nobody has been told of its job yet."""
    given = Announced(kind, "file.csv", len(content), mapping)
    one = await create_upload(
        program_id=world.program_id, given=given, largest=10**6, created_by="test", now=world.clock.now()
    )
    await send(world, one, content)
    return one


async def send(world: World, one: Import, content: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 333):
            yield content[start : start + 333]

    await receive(program_id=one.program_id, import_id=one.id, start=0, chunks=chunks(), clock=world.clock)


async def queued(one: Import) -> int:
    """How many jobs wait for this import; they are taken away, so that the next ones can be counted."""
    async with transaction() as connection:
        found = await connection.fetch(
            "DELETE FROM pgqueuer WHERE payload = $1 RETURNING id", f"{one.program_id}/{one.id}".encode()
        )
    return len(found)


async def work(world: World, one: Import, *, leave: asyncio.Event | None = None) -> Import:
    """Do the job, and see how the import stands."""
    payload = f"{one.program_id}/{one.id}".encode()
    await ImportJob(world.clock).work(payload, leave or asyncio.Event())
    return await stands(one)


async def stands(one: Import) -> Import:
    found = await find_import(program_id=one.program_id, import_id=one.id)
    assert found is not None
    return found


async def pieces(world: World) -> int:
    count: int = (await world.rows("SELECT count(*) FROM import_piece WHERE program_id = $1"))[0][0]
    return count


async def assert_whole(world: World, one: Import) -> None:
    """All of the file is recorded, once, and it is gone."""
    assert (await stands(one)).state is ImportState.DONE
    assert await account(one) == Account(ROWS, ROWS, 0, {})
    assert (await world.wallet("shop")).available == 10 * ROWS
    assert await pieces(world) == 0
    await check_invariants(world.program_id)


async def test_a_file_in_many_pieces_is_taken_in_and_dropped() -> None:
    world = await shop()
    one = await upload(world, FILE)
    assert await pieces(world) > 10
    assert await queued(one) == 1
    await work(world, one)
    await assert_whole(world, one)
    assert (await find_upload(program_id=one.program_id, import_id=one.id)).received == len(FILE)
    await work(world, one)
    await assert_whole(world, one)


async def test_master_data_comes_the_same_way() -> None:
    world = await shop()
    partners = b"code,name,kind,region\nnew,New Shop,RETAILER,JKT\n"
    one = await upload(world, partners, kind=ImportKind.PARTNERS, mapping="")
    done = await work(world, one)
    assert (done.state, done.recorded, done.error) == (ImportState.DONE, 1, None)


class ToldLater(asyncio.Event):
    """Set when it has been asked after so often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


async def test_a_worker_that_is_stopped_leaves_after_a_batch_and_another_goes_on() -> None:
    world = await shop()
    one = await upload(world, FILE)
    for asked, read in ((0, 0), (await pieces(world), 10), (await pieces(world) + 1, 30)):
        with pytest.raises(Postponed) as left:
            await work(world, one, leave=ToldLater(asked))
        assert left.value.seconds == 0
        assert (await stands(one)).read == read
    await work(world, one)
    await assert_whole(world, one)


@pytest.mark.parametrize("point", ["pipeline.loaded", "pipeline.written", "pipeline.committed"])
async def test_an_outage_is_for_the_queue_to_wait_out(point: str) -> None:
    world = await shop()
    one = await upload(world, FILE)
    with failpoints.armed(f"{point}=disk_full@3*1"), pytest.raises(asyncpg.DiskFullError) as met:
        await work(world, one)
    assert outage_of(met.value) is not None
    assert (await stands(one)).state is ImportState.RUNNING
    await work(world, one)
    await assert_whole(world, one)


async def test_a_fault_of_ours_fails_and_can_be_resumed() -> None:
    world = await shop()
    one = await upload(world, FILE)
    with failpoints.armed("pipeline.written=error@3*1"):
        failed = await work(world, one)
    assert (failed.state, failed.read) == (ImportState.FAILED, 20)
    assert failed.error is not None
    assert failed.error.startswith("INTERNAL: ")
    assert await work(world, one) == failed, "by itself it does not go on"
    await queued(one)
    key = {"program_id": one.program_id, "import_id": one.id}
    resumed = await resume_import(**key, now=world.clock.now())
    assert (resumed.state, resumed.error) == (ImportState.QUEUED, None)
    again = await resume_import(**key, now=world.clock.now())
    assert again == resumed
    assert await queued(one) == 1
    await work(world, one)
    await assert_whole(world, one)
    assert (await resume_import(**key, now=world.clock.now())).state is ImportState.DONE
    assert await queued(one) == 0


async def test_a_broken_file_says_so_and_keeps_what_came_before() -> None:
    world = await shop()
    one = await upload(world, b"\x1f\x8b not gzip at all")
    failed = await work(world, one)
    assert failed.state is ImportState.FAILED
    assert failed.error is not None
    assert failed.error.startswith("BROKEN_FILE: ")


async def test_two_that_do_the_same_job_at_once_record_everything_once() -> None:
    world = await shop()
    one = await upload(world, FILE)
    for _ in range(50):
        found = await asyncio.gather(*(work(world, one) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(each, Import | Postponed) for each in found), found
        if (await stands(one)).state is ImportState.DONE:
            break
    await work(world, one)
    await assert_whole(world, one)


async def test_what_cannot_be_resumed_says_why() -> None:
    world = await shop()
    given = Announced(ImportKind.SALES, "file.csv", len(FILE), MAPPING)
    now = world.clock.now()
    waiting = await create_upload(
        program_id=world.program_id, given=given, largest=10**6, created_by="test", now=now
    )
    with pytest.raises(DomainError) as early:
        await resume_import(program_id=world.program_id, import_id=waiting.id, now=now)
    assert early.value.code == "UPLOAD_INCOMPLETE"
    with pytest.raises(DomainError) as nowhere:
        await resume_import(program_id=world.program_id, import_id=2**40, now=now)
    assert nowhere.value.code == "NOT_FOUND"


async def test_files_that_nobody_goes_on_with_are_dropped() -> None:
    world = await shop()
    given = Announced(ImportKind.SALES, "file.csv", len(FILE), MAPPING)
    now = world.clock.now()
    waiting = await create_upload(
        program_id=world.program_id, given=given, largest=10**6, created_by="test", now=now
    )
    failed, running = await upload(world, b"\x1f\x8b broken"), await upload(world, FILE)
    reason = (await work(world, failed)).error
    before = await pieces(world)
    await drop_abandoned(now + KEPT)
    assert await pieces(world) == before
    await drop_abandoned(now + KEPT + timedelta(seconds=1))
    assert await pieces(world) < before
    given_up = await stands(waiting)
    assert given_up.state is ImportState.FAILED
    assert given_up.error is not None
    assert given_up.error.startswith("FILE_GONE: ")
    assert ((await stands(failed)).state, (await stands(failed)).error) == (ImportState.FAILED, reason)
    for gone in (waiting, failed):
        with pytest.raises(FileGone):
            await resume_import(program_id=world.program_id, import_id=gone.id, now=now)
    with pytest.raises(FileGone):
        await send(world, waiting, FILE)
    await work(world, running)
    await assert_whole(world, running)


async def test_a_running_worker_does_what_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)
    world = await shop()
    one = await upload(world, FILE)
    stop = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(jobs.Runner("import", ImportJob(world.clock).work).run(stop))
        while (await stands(one)).state is not ImportState.DONE:
            pass
        while await pieces(world):
            pass
        stop.set()
    await assert_whole(world, one)
