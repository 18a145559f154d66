"""One process ticks; when it is gone another one does; a tick that fails is tried again."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from ops import scheduler
from ops.scheduler import LOCK, Tick, run_scheduler

SECONDS = 20


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "ELECTION_SECONDS", 0.1)


class Candidate:
    """A process that stands for election, as far as PostgreSQL can tell: a connection of its own."""

    def __init__(self, url: str, run: Callable[[], Awaitable[None]] | None = None) -> None:
        self.ticked = asyncio.Event()
        self.stop = asyncio.Event()
        self._ended = asyncio.ensure_future(
            run_scheduler(url, [Tick("beat", 0.05, run or self._tick)], self.stop)
        )

    async def _tick(self) -> None:
        self.ticked.set()

    async def ticks(self) -> None:
        """Wait for the next tick."""
        self.ticked.clear()
        await asyncio.wait_for(self.ticked.wait(), SECONDS)

    async def leave(self) -> None:
        """Stop, and see it through."""
        self.stop.set()
        await asyncio.wait_for(self._ended, SECONDS)


async def leader(url: str) -> int | None:
    """The backend that holds the lock."""
    connection = await asyncpg.connect(url)
    try:
        pid: int | None = await connection.fetchval(
            "SELECT pid FROM pg_locks JOIN pg_database ON oid = database"
            " WHERE locktype = 'advisory' AND objid = $1 AND granted AND datname = current_database()",
            LOCK,
        )
        return pid
    finally:
        await connection.close()


async def test_one_ticks_and_the_other_takes_over(database_url: str) -> None:
    first = Candidate(database_url)
    await first.ticks()
    second = Candidate(database_url)
    await first.ticks()
    assert not second.ticked.is_set()
    await first.leave()
    await second.ticks()
    await second.leave()
    assert await leader(database_url) is None


async def test_a_lost_connection_loses_the_lead_and_an_election_gives_it_back(database_url: str) -> None:
    candidate = Candidate(database_url)
    await candidate.ticks()
    lost = await leader(database_url)
    connection = await asyncpg.connect(database_url)
    await connection.execute("SELECT pg_terminate_backend($1)", lost)
    await connection.close()
    async with asyncio.timeout(SECONDS):
        while await leader(database_url) in (None, lost):
            pass
    await candidate.ticks()
    await candidate.leave()


async def test_a_tick_that_fails_is_tried_again(database_url: str) -> None:
    tries = asyncio.Semaphore(0)

    async def fail() -> None:
        tries.release()
        raise ValueError("not today")

    candidate = Candidate(database_url, fail)
    async with asyncio.timeout(SECONDS):
        for _ in range(3):
            await tries.acquire()
    await candidate.leave()


async def test_a_tick_that_hangs_does_not_hold_up_the_end(database_url: str) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    candidate = Candidate(database_url, hang)
    await asyncio.wait_for(begun.wait(), SECONDS)
    await candidate.leave()
    assert ended.is_set()
