"""The clock of the workers: APScheduler, in the one process that holds an advisory lock.

The lock is held by a connection of its own, so it is gone when that process dies, however it dies, and another process
takes over within seconds. Ticks keep no state here: each asks the database what is due, so one that was missed is
caught up by the next, and one that ran twice did no harm.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

import asyncpg
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from base.logs import saying
from base.outages import outage_of
from base.telemetry import counter, gauge, histogram

LOCK: Final = 0x5449434B
"""The advisory lock of whoever ticks: "TICK"."""

ELECTION_SECONDS: Final = 2.0
"""How often a follower stands for election, and how often the leader checks that it still is one."""

SESSION: Final = {
    "application_name": "mitra scheduler",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
}
"""Of the connection that holds the lock. A machine that is gone says nothing, and its connection would stay for hours;
so the server asks it. Over a Unix socket these are not used."""

LEADER: Final = gauge("mitra_scheduler_leader", "Whether this process runs the schedule: 1 or 0.")
TICK_SECONDS: Final = histogram("mitra_tick_seconds", "Time of a turn of a tick.", "tick")
TICK_FAILURES: Final = counter("mitra_tick_failures_total", "Turns of a tick that failed.", tick=())

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tick:
    """Work that wakes every `seconds`; `run` is idempotent and finds out itself what is due."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[None]]


async def run_scheduler(url: str, ticks: Sequence[Tick], stop: asyncio.Event) -> None:
    """Run `ticks` whenever this process is the elected one, until `stop` is set."""
    while not stop.is_set():
        try:
            async with _candidacy(url) as (connection, lost):
                if await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                    await _lead(connection, lost, ticks, stop)
        except Exception as error:
            if outage_of(error) is None and not isinstance(error, asyncpg.PostgresError):
                raise
            log.warning("the scheduler has no database: %r", error)
        await _pause(stop)


async def _lead(
    connection: asyncpg.Connection, lost: asyncio.Event, ticks: Sequence[Tick], stop: asyncio.Event
) -> None:
    """Tick until `stop`, or until the connection that holds the lock is gone."""
    log.info("this process runs the schedule")
    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    running: set[asyncio.Task[None]] = set()
    for tick in ticks:
        scheduler.add_job(
            _run,
            "interval",
            args=[tick, running],
            seconds=tick.seconds,
            id=tick.name,
            next_run_time=datetime.now(UTC),
        )
    scheduler.start()
    LEADER.set(1)
    try:
        while not stop.is_set() and not lost.is_set():
            await connection.fetchval("SELECT 1", timeout=ELECTION_SECONDS)
            await _pause(stop, lost)
    finally:
        LEADER.set(0)
        scheduler.shutdown(wait=False)  # cancels what runs
        await asyncio.gather(*running)  # and here it has ended, before the pools that it uses are closed


async def _run(tick: Tick, running: set[asyncio.Task[None]]) -> None:
    """One turn of a tick. Its error is logged, and the next turn finds the same work due; so does the next leader."""
    task = asyncio.current_task()
    assert task is not None
    running.add(task)
    began = perf_counter()
    with saying(tick=tick.name):
        try:
            await tick.run()
        except asyncio.CancelledError:
            log.debug("the tick %s was cut short", tick.name)
        except Exception as error:
            TICK_FAILURES.labels(tick.name).inc()
            if outage_of(error) is None:
                log.exception("the tick %s failed", tick.name)
            else:
                log.warning("the tick %s met an outage, and comes again: %r", tick.name, error)
        finally:
            TICK_SECONDS.labels(tick.name).observe(perf_counter() - began)
            running.discard(task)


@asynccontextmanager
async def _candidacy(url: str) -> AsyncIterator[tuple[asyncpg.Connection, asyncio.Event]]:
    """A connection to hold the lock with, and an event that tells that it was lost."""
    connection = await asyncpg.connect(url, timeout=10, server_settings=SESSION)
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    try:
        yield connection, lost
    finally:
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=1)


async def _pause(*events: asyncio.Event) -> None:
    """Wait for the next election, or for the first of `events`."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=ELECTION_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
