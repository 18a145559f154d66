"""Jobs are done once while workers live, again when one died, and by nobody else than who holds them."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from base import jobs
from base.database import reading, transaction
from base.jobs import Depth, Postponed, Runner, Work, depth, drop_old_log, enqueue, queries
from base.outages import NoConnection

pytestmark = pytest.mark.usefixtures("database")

SECONDS = 20


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(jobs, "_backoff", lambda failures: 0.01)


@pytest.fixture
def name() -> str:
    """Jobs that no other test does."""
    return f"test-{uuid.uuid4()}"


async def add(name: str, *payloads: bytes) -> None:
    async with transaction() as connection:
        for payload in payloads:
            assert await enqueue(connection, name, payload)


async def depth_of(name: str) -> Depth | None:
    return next((one for one in await depth() if one.name == name), None)


async def until_done(name: str) -> None:
    """Wait until nothing of this name is left to do."""
    async with asyncio.timeout(SECONDS):
        while await depth_of(name) is not None:
            pass


async def log_of(name: str) -> list[str]:
    """What the log has of these jobs, in order."""
    async with reading() as connection:
        rows = await connection.fetch(
            "SELECT status::text FROM pgqueuer_log WHERE entrypoint = $1 ORDER BY id", name
        )
    return [row["status"] for row in rows]


async def is_held_for(name: str, *, seconds: float) -> bool:
    """Whether a job's lease was renewed so long after it was taken."""
    async with reading() as connection:
        held: bool = await connection.fetchval(
            "SELECT extract(epoch FROM heartbeat - updated) > $2 FROM pgqueuer WHERE entrypoint = $1",
            name,
            seconds,
        )
    return held


@asynccontextmanager
async def running(name: str, work: Work, *, lease_seconds: float = SECONDS) -> AsyncIterator[asyncio.Event]:
    """A worker that does these jobs; setting the event stops it."""
    stop = asyncio.Event()
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        group.create_task(Runner(name, work, lease_seconds=lease_seconds).run(stop))
        yield stop
        stop.set()


async def test_the_tables_are_those_of_the_installed_version() -> None:
    """But for the trigger that sends NOTIFY, and its function."""
    async with reading() as connection:
        plan = await queries(connection).plan_upgrade()
        triggers = await connection.fetchval(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'pgqueuer'::regclass AND NOT tgisinternal"
        )
    assert triggers == 0
    assert plan.statements
    left = [one for one in plan.statements if "fn_pgqueuer_changed" not in one and "tg_pgqueuer" not in one]
    assert left == []


def test_the_environment_renames_nothing() -> None:
    """PgQueuer would listen to variables as common as these."""
    strange = {"QUEUE_TABLE": "elsewhere", "PGQUEUER_PREFIX": "x_", "DURABILITY": "high", "CHANNEL": "a b"}
    shown = "from base import jobs; print(jobs.queries(None).qbq.qualified.queue_table)"
    found = subprocess.run(
        [sys.executable, "-c", shown], env=os.environ | strange, capture_output=True, text=True, check=False
    )
    assert found.stdout == "pgqueuer\n", found.stderr


async def test_a_job_is_there_when_its_transaction_is(name: str) -> None:
    async def fail() -> None:
        async with transaction() as connection:
            await enqueue(connection, name, b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await depth_of(name) is None
    await add(name, b"x")
    found = await depth_of(name)
    assert found is not None
    assert (found.queued, found.running) == (1, 0)
    assert 0 <= found.seconds < SECONDS


async def test_the_same_key_waits_once(name: str) -> None:
    async with transaction() as connection:
        assert await enqueue(connection, name, b"x", name)
        assert not await enqueue(connection, name, b"x", name)
        assert await connection.fetchval("SELECT 1") == 1, "the transaction stands"
    assert (await depth_of(name)) is not None


async def test_several_workers_do_each_job_once(name: str) -> None:
    done: list[bytes] = []

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        done.append(payload)

    given = [b"%d" % number for number in range(40)]
    await add(name, *given)
    async with running(name, work), running(name, work), running(name, work):
        await until_done(name)
    assert sorted(done) == sorted(given)
    assert (await log_of(name)).count("successful") == len(given)


async def test_a_worker_does_one_at_a_time(name: str) -> None:
    at_once = most = 0

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await depth()
        at_once -= 1

    await add(name, b"1", b"2", b"3")
    async with running(name, work):
        await until_done(name)
    assert most == 1


async def test_a_fault_is_tried_again_and_given_up(name: str) -> None:
    tries = 0

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError("not today")

    await add(name, b"x")
    async with running(name, work):
        await until_done(name)
    assert tries == jobs.MOST_ATTEMPTS
    assert (await log_of(name))[-1] == "exception"


async def test_an_outage_is_waited_out(name: str) -> None:
    tries = 0

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        nonlocal tries
        tries += 1
        if tries < 2 * jobs.MOST_ATTEMPTS:
            raise NoConnection

    await add(name, b"x")
    async with running(name, work):
        await until_done(name)
    assert tries == 2 * jobs.MOST_ATTEMPTS
    assert (await log_of(name))[-1] == "successful"


async def test_a_worker_that_is_stopped_leaves_its_job_to_another(name: str) -> None:
    begun = asyncio.Event()
    done: list[bytes] = []

    async def long_work(payload: bytes, leave: asyncio.Event) -> None:
        begun.set()
        await leave.wait()
        raise Postponed

    async def short_work(payload: bytes, leave: asyncio.Event) -> None:
        done.append(payload)

    await add(name, b"x")
    async with running(name, long_work):
        await begun.wait()
    found = await depth_of(name)
    assert found is not None
    assert (found.queued, found.running) == (1, 0), "it waits at once, and not for a lease to end"
    async with running(name, short_work):
        await until_done(name)
    assert done == [b"x"]


async def test_one_who_adds_many_holds_up_nobody_else(name: str) -> None:
    done: list[bytes] = []

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        done.append(payload)

    async with transaction() as connection:
        for behalf, count in (("many", 4), ("few", 2), ("one", 1)):
            for number in range(count):
                await enqueue(connection, name, f"{behalf} {number}".encode(), behalf=behalf)
        await enqueue(connection, name, b"nobody's")
    async with running(name, work):
        await until_done(name)
    assert done == [
        b"many 0", b"few 0", b"one 0", b"nobody's", b"many 1", b"few 1", b"many 2", b"many 3",
    ]  # fmt: skip


async def test_whose_job_is_under_way_waits_for_whose_is_not(name: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    done: list[bytes] = []

    async def long_work(payload: bytes, leave: asyncio.Event) -> None:
        begun.set()
        await go_on.wait()

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        done.append(payload)

    async with transaction() as connection:
        for number in range(3):
            await enqueue(connection, name, b"many %d" % number, behalf="many")
        await enqueue(connection, name, b"one", behalf="one")
    async with running(name, long_work) as stop:
        await begun.wait()
        stop.set()
        other = Runner(name, work)
        while await other.turn(asyncio.Event()):
            pass
        go_on.set()
    assert done == [b"one", b"many 1", b"many 2"]


async def test_to_be_left_is_no_attempt_that_failed(name: str) -> None:
    times = 0

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        nonlocal times
        times += 1
        if times <= 2 * jobs.MOST_ATTEMPTS:
            raise Postponed
        if times == 2 * jobs.MOST_ATTEMPTS + 1:
            raise ZeroDivisionError("once")

    await add(name, b"x")
    async with running(name, work):
        await until_done(name)
    assert times == 2 * jobs.MOST_ATTEMPTS + 2
    assert (await log_of(name))[-1] == "successful"


async def test_the_job_of_a_dead_worker_is_taken_up(name: str) -> None:
    begun = asyncio.Event()
    done: list[bytes] = []

    async def hang(payload: bytes, leave: asyncio.Event) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        done.append(payload)

    await add(name, b"x")
    dying = asyncio.create_task(Runner(name, hang, lease_seconds=0.5).run(asyncio.Event()))
    await begun.wait()
    async with running(name, work, lease_seconds=0.5):
        while not await is_held_for(name, seconds=0.6):
            assert not done, "its lease is renewed while it lives"
        dying.cancel()
        await until_done(name)
    assert done == [b"x"]


async def test_a_job_that_is_lost_is_left_and_not_taken_off_the_new_holder(name: str) -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def work(payload: bytes, leave: asyncio.Event) -> None:
        begun.set()
        await leave.wait()
        left.set()

    await add(name, b"x")
    async with running(name, work, lease_seconds=0.2):
        await begun.wait()
        async with transaction() as connection:
            await connection.execute(
                "UPDATE pgqueuer SET queue_manager_id = $2, heartbeat = now() + interval '1 hour'"
                " WHERE entrypoint = $1",
                name,
                uuid.uuid4(),
            )
        await left.wait()
    found = await depth_of(name)
    assert found is not None
    assert (found.queued, found.running) == (0, 1)
    assert "successful" not in await log_of(name)


async def test_the_log_is_kept_for_a_while(name: str) -> None:
    await add(name, b"x", b"y")
    async with transaction() as connection:
        await connection.execute(
            "UPDATE pgqueuer_log SET created = now() - interval '8 days' WHERE id ="
            " (SELECT min(id) FROM pgqueuer_log WHERE entrypoint = $1)",
            name,
        )
    await drop_old_log()
    assert await log_of(name) == ["queued"]
    async with transaction() as connection:
        await connection.execute("DELETE FROM pgqueuer WHERE entrypoint = $1", name)
