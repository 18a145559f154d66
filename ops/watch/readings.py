"""Gauges that are read from the database: how far behind everything is that works through a queue.

They are read when somebody asks, once a second at most, over a connection of their own: a pool that is used up is no
reason to be blind. A database that does not answer in time costs these gauges and nothing else.

A queue is counted up to `MOST` rows: how far beyond it stands, its age tells.

Whoever has another queue adds a `Reading` to `READINGS`.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

import asyncpg
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from base import jobs

MOST: Final = 100_000
HELD_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 2.0
CONNECT_SECONDS: Final = 5.0
RECONNECT_SECONDS: Final = 1.0
BOARDS: Final = "boards"
"""The consumer of the outbox that writes leaderboards."""
NAME: Final = "mitra metrics"
"""How the connection is called; the address of the endpoint follows. `mitra top` finds processes by it."""
LONGEST_NAME: Final = 63

UP: Final = ("mitra_database_up", "Whether the database answered when this page was asked for: 1 or 0.")

FAULTS: Final = (
    asyncpg.InternalClientError,  # raised where the server ended the connection between two statements
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """One statement, and the gauges of its columns: labels come first, then a column for each gauge.

    It is left out where the database has no table `needs` yet.
    """

    needs: str
    sql: str
    gauges: Sequence[tuple[str, str]]
    labels: Sequence[str] = ()

    def families(self, rows: Sequence[asyncpg.Record]) -> Iterator[Metric]:
        """The gauges with these rows; a column without a value makes no sample."""
        for place, (name, tells) in enumerate(self.gauges, len(self.labels)):
            family = GaugeMetricFamily(name, tells, labels=self.labels)
            for row in rows:
                if row[place] is not None:
                    family.add_metric([str(label) for label in row[: len(self.labels)]], float(row[place]))
            yield family


# What each consumer has not seen: the age of the first such row, and how many there are.
RELAY: Final = f"""
SELECT c.consumer,
    coalesce((
        SELECT extract(epoch FROM clock_timestamp() - o.written_at) FROM outbox o
        WHERE (o.xid, o.id) > (c.xid, c.id) ORDER BY o.xid, o.id LIMIT 1
    ), 0)::float8,
    (SELECT count(*) FROM (SELECT FROM outbox o WHERE (o.xid, o.id) > (c.xid, c.id) LIMIT {MOST}) unseen)
FROM outbox_cursor c
"""  # noqa: S608  # constants
PARKED: Final = """
SELECT c.consumer, (SELECT count(*) FROM outbox_parked p WHERE p.consumer = c.consumer) FROM outbox_cursor c
"""
OUTBOX: Final = f"SELECT count(*) FROM (SELECT FROM outbox LIMIT {MOST}) held"  # noqa: S608
# The age of the first transaction that the boards have not seen.
BOARD_STALENESS: Final = f"""
SELECT coalesce((
    SELECT extract(epoch FROM clock_timestamp() - o.written_at) FROM outbox o
    WHERE (o.xid, o.id) > (c.xid, c.id) ORDER BY o.xid, o.id LIMIT 1
), 0)::float8
FROM outbox_cursor c WHERE c.consumer = '{BOARDS}'
"""  # noqa: S608
# What is to be delivered, and for how long the first of it has been due.
DELIVERIES: Final = f"""
SELECT (SELECT count(*) FROM (SELECT FROM delivery WHERE state = 'QUEUED' LIMIT {MOST}) queued),
    coalesce(greatest(extract(epoch FROM clock_timestamp() - (
        SELECT due_at FROM delivery WHERE state = 'QUEUED' ORDER BY due_at LIMIT 1
    )), 0), 0)::float8
"""  # noqa: S608
# Imports that are under way, and for how long the slowest of them has not moved.
IMPORTS: Final = """
SELECT s.state, count(i.id),
    coalesce(extract(epoch FROM clock_timestamp()
        - min(coalesce(i.moved_at, i.started_at, i.created_at))), 0)::float8
FROM unnest(ARRAY['UPLOADING', 'QUEUED', 'RUNNING']) AS s (state) LEFT JOIN import i ON i.state = s.state
GROUP BY s.state
"""

READINGS: Final = (
    Reading(
        "outbox_cursor",
        RELAY,
        (
            ("mitra_relay_lag_seconds", "Age of the oldest row of the outbox that a consumer has not seen."),
            ("mitra_relay_rows_behind", f"Rows of the outbox that a consumer has not seen, up to {MOST:,}."),
        ),
        ("consumer",),
    ),
    Reading(
        "outbox_parked",
        PARKED,
        (("mitra_relay_rows_parked", "Rows that a consumer could not handle, and that wait for someone."),),
        ("consumer",),
    ),
    Reading(
        "outbox",
        OUTBOX,
        (("mitra_outbox_rows", f"Rows that the outbox holds, seen by all or not, up to {MOST:,}."),),
    ),
    Reading(
        "outbox_cursor",
        BOARD_STALENESS,
        (
            (
                "mitra_board_staleness_seconds",
                "For how long the first transaction that the leaderboards do not show has been written.",
            ),
        ),
    ),
    Reading(
        "delivery",
        DELIVERIES,
        (
            ("mitra_deliveries_queued", f"Messages that are to be delivered, up to {MOST:,}."),
            ("mitra_delivery_overdue_seconds", "For how long the first of them has been due."),
        ),
    ),
    Reading(
        "pgqueuer",
        jobs.DEPTH,
        (
            ("mitra_jobs_queued", "Jobs that wait."),
            ("mitra_jobs_running", "Jobs that a worker has taken."),
            ("mitra_job_overdue_seconds", "For how long the first job that waits has been due."),
        ),
        ("entrypoint",),
    ),
    Reading(
        "import",
        IMPORTS,
        (
            ("mitra_imports", "Imports that are under way."),
            (
                "mitra_import_unmoved_seconds",
                "For how long the import that moved least recently has not moved.",
            ),
        ),
        ("state",),
    ),
)
TABLES: Final = "SELECT name FROM unnest($1::text[]) AS n (name) WHERE to_regclass(name) IS NOT NULL"


class Readings:
    """The gauges of one database. `address` is where this process's page is, or empty."""

    def __init__(self, database_url: str, *, role: str | None, address: str) -> None:
        self._url = database_url
        self._role = role
        name = f"{NAME} {address}".strip()
        self._name = name if len(name) <= LONGEST_NAME else NAME
        self._connection: asyncpg.Connection | None = None
        self._reading: asyncio.Task[list[Metric]] | None = None
        self._read_at = 0.0

    async def keep(self, stop: asyncio.Event) -> None:
        """Hold a connection open until `stop`; a lost one is opened again."""
        while not stop.is_set():
            lost = asyncio.Event()
            try:
                self._connection = await self._connect(lost)
            except Exception as error:  # whatever it is, watching is no reason to end what is watched
                log.debug("the metrics have no database: %r", error)
                lost.set()
            waits = [asyncio.ensure_future(one.wait()) for one in (stop, lost)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waits:
                    one.cancel()
                held, self._connection = self._connection, None
                if held is not None:
                    held.terminate()
            if not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RECONNECT_SECONDS)

    async def _connect(self, lost: asyncio.Event) -> asyncpg.Connection:
        settings = {
            "application_name": self._name,
            "jit": "off",
            "statement_timeout": f"{ANSWER_SECONDS:.0f}s",
        }
        if self._role:
            settings["role"] = self._role
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await asyncpg.connect(self._url, server_settings=settings)
        connection.add_termination_listener(lambda _: lost.set())
        return connection

    async def families(self) -> list[Metric]:
        """What the database says, not more than a second old. Whoever asks meanwhile gets the same."""
        if self._reading is None or (self._reading.done() and monotonic() > self._read_at + HELD_SECONDS):
            self._reading = asyncio.create_task(self._families())
        return await asyncio.shield(self._reading)

    async def _families(self) -> list[Metric]:
        up = GaugeMetricFamily(*UP)
        found: list[Metric] = [up]
        connection = self._connection
        try:
            if connection is None:
                raise ConnectionError
            async with asyncio.timeout(ANSWER_SECONDS):
                found += await _read(connection)
            up.add_metric((), 1.0)
        except FAULTS as error:
            log.debug("the metrics could not be read: %r", error)
            up.add_metric((), 0.0)
            if connection is not None and not isinstance(error, asyncpg.PostgresError):
                connection.terminate()
        self._read_at = monotonic()
        return found


async def _read(connection: asyncpg.Connection) -> list[Metric]:
    tables = {row["name"] for row in await connection.fetch(TABLES, [one.needs for one in READINGS])}
    return [
        family
        for one in READINGS
        if one.needs in tables
        for family in one.families(await connection.fetch(one.sql))
    ]
