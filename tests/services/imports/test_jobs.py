"""The job of an uploaded import: to its end once, whatever stops it on the way, and no file left behind."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import asyncpg
import pytest

from base import failpoints, jobs
from base.database import transaction
from base.errors import DomainError
from base.jobs import Postponed
from base.outages import outage_of
from imports.announcing import Announced, TooManyUploads, create_upload
from imports.job import KEPT, ImportJob, drop_abandoned, drop_files, resume_import
from imports.limits import ImportLimits, UploadLimits
from imports.store import Import, ImportKind, ImportState, find_import
from imports.takings import GIVE_BACK, MOST
from imports.uploads import FileGone, find_upload, receive
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
        program_id=world.program_id,
        given=given,
        limits=UploadLimits(),
        created_by="test",
        now=world.clock.now(),
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


async def work(
    world: World,
    one: Import,
    *,
    leave: asyncio.Event | None = None,
    limits: ImportLimits | None = None,
) -> Import:
    """Do the job, and see how the import stands."""
    payload = f"{one.program_id}/{one.id}".encode()
    await ImportJob(world.clock, limits).work(payload, leave or asyncio.Event())
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


async def test_the_log_tells_who_takes_an_import_from_where_to_where(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="imports.job")
    world = await shop()
    one = await upload(world, FILE)
    asked = 0
    while not (left := await stands(one)).read:
        caplog.clear()
        with pytest.raises(Postponed):
            await work(world, one, leave=ToldLater(asked))
        asked += 1
    assert left.read < ROWS
    await work(world, one)
    broken = await upload(world, FILE.replace(b"sku", b"nothing"))
    await work(world, broken)
    told = [(record.getMessage(), getattr(record, "recorded", None)) for record in caplog.records]
    assert told == [
        ("an import begins", 0),
        ("an import is left to another worker", left.recorded),
        ("an import goes on", left.recorded),
        ("an import is done", ROWS),
        ("an import begins", 0),
        ("an import failed", 0),
    ]
    assert "INVALID_MAPPING" in caplog.records[-1].__dict__["reason"]


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


async def test_a_worker_that_is_stopped_leaves_whenever_it_is_and_another_goes_on() -> None:
    world = await shop()
    one = await upload(world, FILE)
    met = set()
    asked = 0
    while (await stands(one)).state is not ImportState.DONE:
        with suppress(Postponed):
            await work(world, one, leave=ToldLater(asked))
        met.add((await stands(one)).read)
        assert await lost(one) == 0, "whoever leaves is not lost"
        asked += 1
    assert {0, 10, ROWS} < met, "before the first batch, after it, and later on"
    assert not any(read % 10 for read in met)
    await work(world, one)
    await assert_whole(world, one)


class Killed(BaseException):
    """What no worker comes back from."""


class Deadly(ToldLater):
    """Kills whoever asks after it so often."""

    def is_set(self) -> bool:
        if super().is_set():
            raise Killed
        return False


async def lost(one: Import) -> int:
    """How many workers are counted that took it up and did not come back."""
    async with transaction() as connection:
        found: int | None = await connection.fetchval(
            "SELECT takings FROM import_upload WHERE program_id = $1 AND import_id = $2",
            one.program_id,
            one.id,
        )
    return found or 0


async def kill(world: World, one: Import, *, times: int, asked: int = 0) -> None:
    for _ in range(times):
        with pytest.raises(Killed):
            await work(world, one, leave=Deadly(asked))


async def test_an_import_that_kills_every_worker_is_given_up_and_can_be_resumed() -> None:
    world = await shop()
    one = await upload(world, FILE)
    await queued(one)
    await kill(world, one, times=MOST)
    assert (await stands(one)).state is ImportState.QUEUED
    failed = await work(world, one)
    assert failed.state is ImportState.FAILED
    assert failed.error is not None
    assert failed.error.startswith("WORKERS_LOST: ")
    assert await pieces(world) > 10, "its file is kept"
    key = {"program_id": one.program_id, "import_id": one.id}
    assert (await resume_import(**key, now=world.clock.now())).error is None
    await kill(world, one, times=MOST)
    await resume_import(**key, now=world.clock.now())
    assert (await work(world, one)).state is ImportState.FAILED, (
        "it is not begun anew while it goes on by itself"
    )
    await resume_import(**key, now=world.clock.now())
    await work(world, one)
    await assert_whole(world, one)


async def test_rows_that_come_further_begin_the_count_anew() -> None:
    world = await shop()
    one = await upload(world, FILE)
    await kill(world, one, times=MOST - 1)
    asked, read = await pieces(world), 0
    while not read:
        with suppress(Killed):
            await work(world, one, leave=Deadly(asked))
        asked, read = asked + 1, (await stands(one)).read
        if not read:
            await give_back(one)
    assert read < ROWS
    await kill(world, one, times=MOST)
    assert (await stands(one)).state is ImportState.RUNNING
    assert (await work(world, one)).state is ImportState.FAILED


async def give_back(one: Import) -> None:
    """This one did not count."""
    async with transaction() as connection:
        await connection.execute(GIVE_BACK, one.program_id, one.id)


async def test_outages_and_faults_lose_no_worker() -> None:
    world = await shop()
    one = await upload(world, FILE)
    for _ in range(2 * MOST):
        with failpoints.armed("pipeline.loaded=disk_full@1*1"), pytest.raises(asyncpg.DiskFullError):
            await work(world, one)
    assert await lost(one) == 0
    await work(world, one)
    await assert_whole(world, one)


# ------------------------------------------------------------------------------------------------------------- limits


async def test_a_file_that_unpacks_to_too_much_stops_there() -> None:
    world = await shop()
    one = await upload(world, gzip.compress(FILE))
    half = ImportLimits(unpacked=len(FILE) - 1)
    failed = await work(world, one, limits=half)
    assert failed.state is ImportState.FAILED
    assert failed.error is not None
    assert failed.error.startswith("UNPACKED_TOO_LARGE: ")
    await resume_import(program_id=one.program_id, import_id=one.id, now=world.clock.now())
    await work(world, one, limits=ImportLimits(unpacked=len(FILE)))
    await assert_whole(world, one)


async def test_more_refused_rows_than_are_kept_stop_it_and_it_is_resumed_for_as_many_again() -> None:
    world = await shop()
    wrong = rows(
        *(f"d{number},{'shop' if number % 2 else 'nobody'},2026-11-01,tea,1,10" for number in range(ROWS))
    )
    one = await upload(world, wrong.encode())
    limits = ImportLimits(refused=9)
    failed = await work(world, one, limits=limits)
    assert (failed.state, failed.read, failed.refused) == (ImportState.FAILED, 20, 10)
    assert failed.error is not None
    assert failed.error.startswith("TOO_MANY_REFUSED: ")
    assert await work(world, one, limits=limits) == failed, "by itself it does not go on"
    key = {"program_id": one.program_id, "import_id": one.id}
    await resume_import(**key, now=world.clock.now())
    asked = await pieces(world)
    while (await stands(one)).read == 20:
        with pytest.raises(Postponed):
            await work(world, one, limits=limits, leave=ToldLater(asked))
        asked += 1
    again = await work(world, one, limits=limits)
    assert (again.state, again.read, again.refused) == (ImportState.FAILED, 40, 20), "whoever goes on with it"
    await resume_import(**key, now=world.clock.now())
    done = await work(world, one, limits=ImportLimits(refused=10))
    assert (done.state, done.error) == (ImportState.DONE, None)
    assert (done.read, done.recorded, done.refused) == (ROWS, ROWS // 2, ROWS // 2)


async def test_a_program_announces_only_so_much_before_it_is_taken_in() -> None:
    world, other = await shop(), await shop()

    async def announce(size: int, limits: UploadLimits, *, to: World = world) -> Import:
        given = Announced(ImportKind.SALES, "file.csv", size, MAPPING)
        return await create_upload(
            program_id=to.program_id, given=given, limits=limits, created_by="test", now=world.clock.now()
        )

    few = UploadLimits(files=2)
    waiting = [await announce(100, few) for _ in range(2)]
    with pytest.raises(TooManyUploads):
        await announce(100, few)
    with pytest.raises(TooManyUploads):
        await announce(801, UploadLimits(bytes=1_000))
    await announce(800, UploadLimits(bytes=1_000), to=other)
    assert (await announce(800, UploadLimits(bytes=1_000))).state is ImportState.UPLOADING
    found = await asyncio.gather(
        *(announce(1, UploadLimits(files=5)) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(each, Import) for each in found) == 2, "whoever comes at once"
    await drop_files([(one.program_id, one.id) for one in waiting])
    assert (await announce(1, UploadLimits(files=4))).state is ImportState.UPLOADING


async def test_a_file_that_is_done_leaves_room_for_another() -> None:
    world = await shop()
    one = await upload(world, FILE)
    given = Announced(ImportKind.SALES, "file.csv", len(FILE), MAPPING)

    async def announce() -> Import:
        return await create_upload(
            program_id=world.program_id,
            given=given,
            limits=UploadLimits(files=1),
            created_by="test",
            now=world.clock.now(),
        )

    with pytest.raises(TooManyUploads):
        await announce()
    await work(world, one)
    assert (await announce()).id != one.id


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
        program_id=world.program_id,
        given=given,
        limits=UploadLimits(),
        created_by="test",
        now=now,
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
        program_id=world.program_id,
        given=given,
        limits=UploadLimits(),
        created_by="test",
        now=now,
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
