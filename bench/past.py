"""A past for a program: years of sales in minutes, written by the server itself, and true.

Everything that the pipeline would have left is there: partners, journal, keys, lots, entries, movements, wallets,
reasons and facts, meters in every series in use, tiers, badges. `mitra audit` finds nothing wrong in it, and a test
says so. Two things are not the pipeline's: a key's payload hash is one of its own (nobody sends the past again), and
the outbox is empty, as its consumers would have left it.

Indexes and foreign keys are dropped, and made again at the end, when PostgreSQL proves each of them in one pass. Rows
lie in the order in which the pipeline would have written them, and indexes are as full as they would have grown.

It understands what `bench.world` configures: rules per activity, amount or quantity with a category or without; metrics
without a filter or of one category; a ladder; badges by count. Its sales end before any mission starts, and before the
rules that have a start.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

from bench.world import LINES, World

DAYS: Final = 180
"""How far back the past reaches."""
GAP: Final = timedelta(days=2)
"""How long before the program's present it ends."""
STRIDE: Final = 16
"""Ids an activity takes: its own, its transaction's and its lots'."""
BYTES_PER_LINE: Final = 2_200
"""Disk that a line of the past takes at most, with all that hangs on it and what is set aside while it is written."""
LOG_BYTES: Final = 6 * 2**30
"""Disk that the server's log takes meanwhile, whatever is written."""

TABLES: Final = (
    "activity",
    "activity_key",
    "activity_line",
    "ledger_transaction",
    "ledger_entry",
    "lot",
    "lot_movement",
    "wallet",
    "meter",
    "meter_part",
)
ROOMY: Final = (
    "activity_program_id_partner_id_number_key",
    "activity_key_pkey",
    "ledger_entry_wallet",
    "lot_open",
    "wallet_pkey",
    "meter_pkey",
    "meter_part_pkey",
)
"""Indexes whose keys do not come in their order. One that grew so is two thirds full; one made at once has no room."""
ROOM: Final = " WITH (fillfactor = 70)"
# What stands on these tables, as it is made again: the references of and to them, then indexes and keys.
REFERENCES: Final = """
SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE contype = 'f' AND (conrelid = ANY($1::text[]::regclass[]) OR confrelid = ANY($1::text[]::regclass[]))
"""
KEYS: Final = """
SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid = ANY($1::text[]::regclass[])
"""
INDEXES: Final = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index WHERE indrelid = ANY($1::text[]::regclass[])
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""
ADD_PARTNERS: Final = """
INSERT INTO partner (program_id, code, name, kind, region_id, created_at)
SELECT program_id, 'p' || n, 'Partner ' || n, kind, region_id, created_at
FROM partner CROSS JOIN generate_series($2::bigint, $3::bigint - 1) AS n
WHERE program_id = $1 AND code = 'p' || n % $2::bigint
"""
# Each draw of the past is a hash of its place, so that two fillings are alike.
WORK: Final = Path(__file__).with_suffix(".sql")
SERIES: Final = """
SELECT s.id, s.period, coalesce(s.time_zone, g.time_zone) AS zone, m.measure,
       m.line_filter -> 'categories' ->> 0 AS category
FROM meter_series s
JOIN metric m ON m.program_id = s.program_id AND m.id = s.metric_id
JOIN program g ON g.id = s.program_id
WHERE s.program_id = $1 AND s.period <> 'FIXED' ORDER BY s.id
"""
WINDOWS: Final = {
    "DAILY": "{day}",
    "WEEKLY": "date_trunc('week', {day})::date",
    "MONTHLY": "date_trunc('month', {day})::date",
    "QUARTERLY": "date_trunc('quarter', {day})::date",
    "YEARLY": "date_trunc('year', {day})::date",
    "LIFETIME": "'-infinity'::date",
}
DAY: Final = "(a.occurred_at AT TIME ZONE '{zone}')::date"
MEASURES: Final = {
    "COUNT": "count(*)",
    "AMOUNT": "sum(c.amount)",
    "QUANTITY": "sum(c.quantity)",
    "POINTS_EARNED": "sum(a.points)",
    "POINTS_ALL": "sum(a.points)",
    "DISTINCT_DAYS": "count(DISTINCT a.local_date)",
}
# Put aside first, and then written in the order in which their first activities came, as the pipeline would have.
METER: Final = """
INSERT INTO past.meter
SELECT $1, {window}, a.partner_id, {value}, max(a.occurred_at), count(*), min(a.i)
FROM past.activity a {joined} GROUP BY 2, 3
"""
WRITE_METERS: Final = """
INSERT INTO meter (program_id, series_id, window_start, partner_id, value, reached_at, version)
SELECT $1, series_id, window_start, partner_id, value, reached_at, version FROM past.meter ORDER BY first, series_id
"""
OF_CATEGORY: Final = "JOIN past.counted c ON c.i = a.i AND c.category = '{category}'"
OF_ALL: Final = "JOIN past.counted c ON c.i = a.i AND c.category IS NULL"
DAYS_SEEN: Final = """
INSERT INTO meter_part (program_id, series_id, window_start, partner_id, part, count)
SELECT $1, $2, {window}, a.partner_id, a.local_date::text, count(*)
FROM past.activity a GROUP BY 3, 4, 5 ORDER BY min(a.i)
"""

Tell = Callable[[str], None]


async def fill(url: str, world: World, *, lines: int, tell: Tell = lambda step: None) -> None:
    """Give the program at `url` `lines` lines of sales, over all of the world's partners. `tell` hears of each step."""
    connection = await asyncpg.connect(
        url, server_settings={"work_mem": "256MB", "maintenance_work_mem": "512MB"}
    )
    try:
        tell("partners")
        known = await connection.fetchval(
            "SELECT count(*) FROM partner WHERE program_id = $1", world.program_id
        )
        await connection.execute(ADD_PARTNERS, world.program_id, known, world.partners)
        restore = await _strip(connection)
        await _write(connection, world, activities=lines // LINES, tell=tell)
        await _fill_meters(connection, world, tell)
        for statement in restore:
            tell(statement)
            await connection.execute(statement)
        await connection.execute("DROP SCHEMA past CASCADE")
        tell("VACUUM ANALYZE")
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def _strip(connection: Any) -> list[str]:
    """Take off what is proved at the end; the statements that put it on again, in their order."""
    references = await connection.fetch(REFERENCES, TABLES)
    indexes = await connection.fetch(INDEXES, TABLES)
    keys = await connection.fetch(KEYS, TABLES)
    for row in (*references, *keys):
        await connection.execute(f'ALTER TABLE {row["table"]} DROP CONSTRAINT "{row["name"]}"')
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['name']}")
    return [
        *(_add(row, ROOM if row["name"] in ROOMY else "") for row in keys),
        *(_index(row) for row in indexes),
        *(
            f'ALTER INDEX "{row["name"]}" RESET (fillfactor)'
            for row in (*keys, *indexes)
            if row["name"] in ROOMY
        ),
        *(_add(row) for row in references),
    ]


def _add(row: Any, room: str = "") -> str:
    return f'ALTER TABLE {row["table"]} ADD CONSTRAINT "{row["name"]}" {row["definition"]}{room}'


def _index(row: Any) -> str:
    definition = str(row["definition"])
    return definition.replace(" WHERE ", f"{ROOM} WHERE ", 1) if row["name"] in ROOMY else definition


async def _write(connection: Any, world: World, *, activities: int, tell: Tell) -> None:
    """The statements of past.sql, in their order. They take what they need from one row of settings."""
    head, *statements = WORK.read_text().split("\n-- * ")
    await connection.execute(head)
    base = 64 * (1 + await connection.fetchval("SELECT nextval('hot_id') / 64"))
    await connection.execute(
        "INSERT INTO past.setting VALUES ($1, $2, $3, $4, $5, $6, $7)",
        world.program_id, activities, LINES, base, STRIDE, world.began_at - GAP, timedelta(days=DAYS) / activities,
    )  # fmt: skip
    for statement in statements:
        sentence, _, text = statement.partition("\n")
        tell(sentence)
        await connection.execute(text)
    await connection.execute("SELECT setval('hot_id', $1)", base + 64 * (1 + activities * STRIDE // 64))


async def _fill_meters(connection: Any, world: World, tell: Tell) -> None:
    for row in await connection.fetch(SERIES, world.program_id):
        tell(f"meters: {row['measure']} {row['period']} {row['category'] or ''}")
        window = WINDOWS[row["period"]].format(day=DAY.format(zone=row["zone"]))
        joined = OF_CATEGORY.format(category=row["category"]) if row["category"] else OF_ALL
        meter = METER.format(window=window, value=MEASURES[row["measure"]], joined=joined)
        await connection.execute(meter, row["id"])
        if row["measure"] == "DISTINCT_DAYS":
            await connection.execute(DAYS_SEEN.format(window=window), world.program_id, row["id"])
    await connection.execute(WRITE_METERS, world.program_id)
