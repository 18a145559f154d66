"""Jobs: work that outlives the request that asked for it, done by whichever worker is free, at least once.

The queue is PgQueuer's, in our own PostgreSQL: its tables, and its statements to add a job, put it back and log it.
Its runner is not used, nor its choice of the next job: see docs/decisions/0009-a-runner-of-our-own.md.

Whoever adds a job does so in a transaction of his own, and the job is there when that is. A worker holds its job by a
lease, which it renews. The jobs of a worker that dies are taken up by another one when their lease is over; a worker
that merely stood still finds that it lost its job, and leaves it. So work is idempotent, and looks at `leave`.

Whoever adds a job may say on whose behalf. Workers serve those in turns: one who adds many holds up nobody else.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.models import Job, TracebackRecord
from pgqueuer.queries import Queries

from base import failpoints
from base.database import Connection, reading, transaction
from base.outages import outage_of

LEASE_SECONDS: Final = 20.0
BEATS: Final = 5
"""How often a lease is renewed in its time."""
POLL_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
"""How long a job that fails waits at most before it is tried again."""
MOST_ATTEMPTS: Final = 5
"""How often a job is tried that fails by a fault; an outage is waited out however long it lasts."""
KEPT: Final = timedelta(days=7)
"""How long the log of jobs is kept."""
BEHALF: Final = "behalf"
"""The header of a job that says on whose behalf it was added."""
MOST_SERVED: Final = 10_000
"""How many of those whom it served a worker remembers."""

# Named in full: PgQueuer would take other names from variables such as CHANNEL or TRIGGER, wherever it is run.
SETTINGS: Final = DBSettings(
    prefix="",
    db_schema=None,
    channel="ch_pgqueuer",
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
    durability=Durability.durable,
    widen_id=True,
)

# The next job: one that waits, or whose lease is over. First of those for whom the fewest are under way, then of those
# whom this worker has not served for the longest ($4: whom it served, the last at the end); then the one added first.
TAKE: Final = """
WITH running AS (
    SELECT coalesce(headers ->> 'behalf', '') AS behalf, count(*) AS jobs FROM pgqueuer
    WHERE entrypoint = $1 AND status = 'picked' AND heartbeat >= clock_timestamp() - $3::interval GROUP BY 1
), next AS (
    SELECT p.id FROM pgqueuer p
    LEFT JOIN running r ON r.behalf = coalesce(p.headers ->> 'behalf', '')
    LEFT JOIN unnest($4::text[]) WITH ORDINALITY AS s (behalf, place) ON s.behalf = coalesce(p.headers ->> 'behalf', '')
    WHERE p.entrypoint = $1 AND p.execute_after <= clock_timestamp()
      AND (p.status = 'queued' OR (p.status = 'picked' AND p.heartbeat < clock_timestamp() - $3::interval))
    ORDER BY coalesce(r.jobs, 0), s.place NULLS FIRST, p.id
    LIMIT 1 FOR UPDATE OF p SKIP LOCKED
), taken AS (
    UPDATE pgqueuer SET status = 'picked', updated = now(), heartbeat = now(), queue_manager_id = $2
    WHERE id IN (SELECT id FROM next) RETURNING *
), logged AS (
    INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority) SELECT id, status, entrypoint, priority FROM taken
)
SELECT * FROM taken
"""
# To be left, or to wait for somebody else, is no attempt that failed.
FORGIVE: Final = "UPDATE pgqueuer SET attempts = $2 WHERE id = $1"
# Still held by the one who asks? A lease that was lost is not renewed, and what came of its work is not logged.
BEAT: Final = """
UPDATE pgqueuer SET heartbeat = clock_timestamp()
WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'
"""
HOLD: Final = """
SELECT 1 FROM pgqueuer WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked' FOR UPDATE
"""
# The jobs by what they do: how many wait and run, and for how many seconds the first that waits has been due.
DEPTH: Final = """
SELECT entrypoint AS name, count(*) FILTER (WHERE status = 'queued') AS queued,
       count(*) FILTER (WHERE status = 'picked') AS running,
       coalesce(greatest(extract(epoch FROM clock_timestamp()
           - min(execute_after) FILTER (WHERE status = 'queued')), 0), 0)::float8 AS seconds
FROM pgqueuer GROUP BY entrypoint ORDER BY entrypoint
"""
DROP_LOG: Final = "DELETE FROM pgqueuer_log WHERE created < now() - $1::interval"

log = logging.getLogger(__name__)

Work: TypeAlias = Callable[[bytes, asyncio.Event], Awaitable[None]]
"""Does what a payload says. Once `leave` is set it comes to an end soon, by `Postponed` where it is not done."""


class Postponed(Exception):
    """Raised by work that is to be gone on with, here or elsewhere, after so many seconds."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(f"to be gone on with after {seconds} s")
        self.seconds = seconds


def queries(connection: Connection) -> Queries:
    """PgQueuer on this connection, and so in its transaction."""
    return Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(SETTINGS),
        qbq=QueryQueueBuilder(SETTINGS),
        qbs=QuerySchedulerBuilder(SETTINGS),
    )


async def enqueue(
    connection: Connection,
    name: str,
    payload: bytes,
    dedupe_key: str | None = None,
    *,
    behalf: str | None = None,
) -> bool:
    """Add a job in the caller's transaction. False where one of the same key waits or runs already."""
    headers = None if behalf is None else {BEHALF: behalf}
    added = await queries(connection).enqueue(
        name, payload, dedupe_key=dedupe_key, headers=headers, on_conflict="skip"
    )
    return added != [None]


class Runner:
    """Does the jobs of one name, one at a time. A worker has as many runners as it may do jobs at once."""

    def __init__(self, name: str, work: Work, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._name = name
        self._work = work
        self._lease_seconds = lease_seconds
        self._holder = uuid.uuid4()
        self._served: dict[str, None] = {}  # on whose behalf, the last one at the end

    async def run(self, stop: asyncio.Event) -> None:
        """Take up one job after the other until `stop`. What a job is done with then, another worker does."""
        failures = 0
        while not stop.is_set():
            try:
                found = await self.turn(stop)
                failures = 0
            except Exception as error:
                failures += 1
                log.warning("the jobs %r failed %d times in a row: %s", self._name, failures, error)
                found = False
            if not found:
                await _pause(stop, POLL_SECONDS if not failures else _backoff(failures))

    async def turn(self, stop: asyncio.Event) -> bool:
        """Take up the next job and do it; False where there is none. A job that this fails on waits for its lease."""
        job = await self._take()
        if job is None:
            return False
        failpoints.reach("jobs.taken")
        await self._do(job, stop)
        return True

    async def _take(self) -> Job | None:
        """The next job, now held by us: one that waits, or one whose lease is over."""
        lease = timedelta(seconds=self._lease_seconds)
        async with reading() as connection:
            row = await connection.fetchrow(TAKE, self._name, self._holder, lease, list(self._served))
        if row is None:
            return None
        job = Job.model_validate(dict(row))
        behalf = str((job.headers or {}).get(BEHALF, ""))
        self._served.pop(behalf, None)
        self._served[behalf] = None
        if len(self._served) > MOST_SERVED:
            del self._served[next(iter(self._served))]
        return job

    async def _do(self, job: Job, stop: asyncio.Event) -> None:
        leave = asyncio.Event()
        keeping = asyncio.create_task(self._keep(job, leave))
        leaving = asyncio.create_task(_pass_on(stop, leave))
        error: Exception | None = None
        try:
            await self._work(job.payload or b"", leave)
        except Exception as raised:
            error = raised
        finally:
            for task in (keeping, leaving):
                task.cancel()
            await asyncio.wait({keeping, leaving})
        await self._settle(job, error)

    async def _keep(self, job: Job, leave: asyncio.Event) -> None:
        """Renew the lease for as long as the work lasts; tell it to leave where the job is lost."""
        while True:
            await asyncio.sleep(self._lease_seconds / BEATS)
            try:
                async with reading() as connection:
                    beaten = await connection.execute(BEAT, job.id, self._holder)
            except Exception as error:
                log.warning("the lease of job %d is not renewed: %s", job.id, error)
                continue
            if beaten != "UPDATE 1":
                log.warning("job %d is another worker's now", job.id)
                leave.set()
                return

    async def _settle(self, job: Job, error: Exception | None) -> None:
        """Say what came of a job that is still ours: it is done, goes on later, or is given up."""
        delay = _delay(job, error)
        told = None if error is None else TracebackRecord.from_exception(error, job.id)
        if error is not None and not isinstance(error, Postponed):
            log.warning(
                "job %d (%s) %s: %r",
                job.id,
                job.entrypoint,
                "is given up" if delay is None else "failed",
                error,
                exc_info=None if outage_of(error) else error,
            )
        async with transaction() as connection:
            if await connection.fetchval(HOLD, job.id, self._holder) is None:
                return
            failpoints.reach("jobs.done")
            if delay is not None:
                await queries(connection).retry_job(job, timedelta(seconds=delay), told)
                if isinstance(error, Postponed):
                    await connection.execute(FORGIVE, job.id, job.attempts)
            else:
                await queries(connection).log_jobs([(job, "exception" if error else "successful", told)])


def _delay(job: Job, error: Exception | None) -> float | None:
    """After how many seconds a job is to be tried again; None where it is not."""
    if error is None:
        return None
    if isinstance(error, Postponed):
        return error.seconds
    if outage_of(error) is None and job.attempts + 1 >= MOST_ATTEMPTS:
        return None
    return _backoff(job.attempts)


def _backoff(failures: int) -> float:
    """Seconds to wait after so many failures: ever more, with jitter."""
    return float(min(2 ** min(failures, 10), LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1))


async def _pass_on(stop: asyncio.Event, leave: asyncio.Event) -> None:
    await stop.wait()
    leave.set()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


@dataclass(frozen=True, slots=True)
class Depth:
    """How much there is to do of one name: jobs that wait and that are under way, and for how many seconds the first
    that waits has been due."""

    name: str
    queued: int
    running: int
    seconds: float


async def depth() -> list[Depth]:
    """The depth of every kind of job that waits or runs, by its name."""
    async with reading() as connection:
        return [Depth(*row) for row in await connection.fetch(DEPTH)]


async def drop_old_log() -> None:
    """Delete what the log of jobs has held for long enough."""
    async with transaction() as connection:
        await connection.execute(DROP_LOG, KEPT)
