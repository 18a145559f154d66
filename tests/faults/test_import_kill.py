"""An uploaded import goes on in another worker where one was killed or stopped in the midst of it, and counts once."""

import asyncio
import gzip
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from base.database import reading, transaction
from base.jobs import LEASE_SECONDS
from imports.announcing import Announced, create_upload
from imports.job import resume_import
from imports.limits import UploadLimits
from imports.store import Import, ImportKind, ImportState, find_import
from imports.takings import MOST
from imports.uploads import receive
from tests.command import Mitra, Running, wait_until
from tests.invariants import check_audit, check_invariants
from tests.services.imports.taking import MAPPING, Account, account, rows
from tests.world import World, make_world

pytestmark = pytest.mark.usefixtures("database")

SECONDS = 180

ROWS = 2_800
"""Documents of one row: four batches."""
FILE = rows(*(f"d{number},shop{number % 50},2024-03-01,tea,1,10" for number in range(ROWS))).encode()


@pytest.fixture
def mitra(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Mitra]:
    """The command on this test's own database, in processes of its own."""
    with Mitra(tmp_path / ".mitra") as command:
        yield command


async def world_with_an_upload(content: bytes = FILE) -> tuple[World, Import]:
    async with transaction() as connection:
        await connection.execute("DELETE FROM pgqueuer")  # of other tests
    world = await make_world([f"shop{number}" for number in range(50)])
    await world.earn("base", amount=1)
    given = Announced(ImportKind.SALES, "sales.csv", len(content), MAPPING)
    one = await create_upload(
        program_id=world.program_id,
        given=given,
        limits=UploadLimits(),
        created_by="test",
        now=world.clock.now(),
    )

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    await receive(program_id=one.program_id, import_id=one.id, start=0, chunks=chunks(), clock=world.clock)
    return world, one


async def stands(one: Import) -> Import:
    found = await find_import(program_id=one.program_id, import_id=one.id)
    assert found is not None
    return found


def start_worker(mitra: Mitra, database_url: str, redis_url: str, **more: str) -> Running:
    return mitra.start(
        "serve", "--only", "worker", MITRA_DATABASE_URL=database_url, MITRA_REDIS_URL=redis_url, **more
    )


async def until(condition: Callable[[], Awaitable[bool]], worker: Running) -> None:
    """Wait for what a worker does."""
    async with asyncio.timeout(SECONDS):
        while not await condition():
            assert worker.process.poll() is None, worker.output
            await asyncio.sleep(0.05)


async def until_done(one: Import, worker: Running) -> None:
    async def is_done() -> bool:
        return (await stands(one)).state is ImportState.DONE and await job_of(one) is None

    await until(is_done, worker)


async def job_of(one: Import) -> str | None:
    """The state of the import's job; None where it is done."""
    async with reading() as connection:
        state: str | None = await connection.fetchval(
            "SELECT status::text FROM pgqueuer WHERE payload = $1", f"{one.program_id}/{one.id}".encode()
        )
    return state


async def assert_counted_once(world: World, one: Import) -> None:
    assert await account(one) == Account(ROWS, ROWS, 0, {})
    assert (await stands(one)).activities == ROWS
    assert (await world.wallet("shop7")).available == 10 * ROWS // 50
    assert await world.rows("SELECT 1 FROM import_piece WHERE program_id = $1") == []
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_worker_that_is_killed_is_taken_over_from(
    mitra: Mitra, database_url: str, redis_url: str
) -> None:
    world, one = await world_with_an_upload()
    killed = start_worker(mitra, database_url, redis_url, MITRA_FAILPOINTS="pipeline.committed=kill@2")
    wait_until(lambda: killed.process.poll() is not None, "killed")
    assert killed.process.returncode == -signal.SIGKILL, killed.output
    left = await stands(one)
    assert left.state is ImportState.RUNNING
    assert 0 < left.read < ROWS
    assert await job_of(one) == "picked"
    worker = start_worker(mitra, database_url, redis_url)
    await until_done(one, worker)
    async with reading() as connection:
        waited = await connection.fetchval(
            "SELECT extract(epoch FROM max(created) - min(created)) FROM pgqueuer_log"
            " WHERE status = 'picked' AND job_id IN (SELECT job_id FROM pgqueuer_log WHERE entrypoint = 'import'"
            " ORDER BY id DESC LIMIT 1)"
        )
    assert LEASE_SECONDS <= waited < LEASE_SECONDS * 2 + 10
    assert worker.stop(signal.SIGTERM) == 0, worker.output
    await assert_counted_once(world, one)


async def test_a_worker_that_is_stopped_leaves_its_import_to_the_next(
    mitra: Mitra, database_url: str, redis_url: str
) -> None:
    world, one = await world_with_an_upload()
    worker = start_worker(mitra, database_url, redis_url)

    async def is_begun() -> bool:
        return (await stands(one)).read > 0

    await until(is_begun, worker)
    assert worker.stop(signal.SIGTERM) == 0, worker.output
    left = await stands(one)
    assert (left.state, left.error) == (ImportState.RUNNING, None)
    assert 0 < left.read < ROWS
    assert await job_of(one) == "queued", "nobody has to wait for a lease to end"
    assert "Traceback" not in worker.output
    following = start_worker(mitra, database_url, redis_url)
    await until_done(one, following)
    assert following.stop(signal.SIGTERM) == 0, following.output
    await assert_counted_once(world, one)


async def end_lease(one: Import) -> None:
    """As if the lease of the one that died were over."""
    async with transaction() as connection:
        await connection.execute(
            "UPDATE pgqueuer SET heartbeat = now() - interval '1 hour' WHERE payload = $1",
            f"{one.program_id}/{one.id}".encode(),
        )


async def test_an_import_that_kills_every_worker_is_given_up_and_resumed(
    mitra: Mitra, database_url: str, redis_url: str
) -> None:
    world, one = await world_with_an_upload()
    for _ in range(MOST):
        killed = start_worker(mitra, database_url, redis_url, MITRA_FAILPOINTS="pipeline.written=kill@1")
        wait_until(lambda killed=killed: killed.process.poll() is not None, "killed")  # type: ignore[misc]
        assert killed.process.returncode == -signal.SIGKILL, killed.output
        await end_lease(one)
    worker = start_worker(mitra, database_url, redis_url)

    async def is_given_up() -> bool:
        return (await stands(one)).state is ImportState.FAILED and await job_of(one) is None

    await until(is_given_up, worker)
    failed = await stands(one)
    assert failed.error is not None
    assert failed.error.startswith("WORKERS_LOST: ")
    await resume_import(program_id=one.program_id, import_id=one.id, now=world.clock.now())
    await until_done(one, worker)
    assert worker.stop(signal.SIGTERM) == 0, worker.output
    await assert_counted_once(world, one)


async def test_a_worker_is_stopped_within_a_line_of_gigabytes(
    mitra: Mitra, database_url: str, redis_url: str
) -> None:
    line = gzip.compress(b"x" * 2**26, compresslevel=1)
    _, one = await world_with_an_upload(gzip.compress(FILE.splitlines(keepends=True)[0]) + 512 * line)
    worker = start_worker(mitra, database_url, redis_url)

    async def is_begun() -> bool:
        return (await stands(one)).state is ImportState.RUNNING

    await until(is_begun, worker)
    told = time.monotonic()
    assert worker.stop(signal.SIGTERM) == 0, worker.output
    assert time.monotonic() - told < 10
    left = await stands(one)
    assert (left.state, left.read, left.error) == (ImportState.RUNNING, 0, None)
    assert await job_of(one) == "queued"
