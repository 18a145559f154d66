"""The outbox: what a committed transaction leaves for the consumers outside it.

Rows are read below `pg_snapshot_xmin` and in the order of (transaction id, row id): transactions commit out of order,
and a row that a cursor has passed would otherwise never be seen. Delivery is at least once; consumers are idempotent.
Every consumer has a cursor of its own, so that one that stands still (Redis is down) does not hold up another. A row
that a consumer cannot handle is parked (see `base.parked`), so that it does not hold up the rows after it.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg

from base import failpoints
from base.database import Connection, Statement, reading, transaction

LIMIT: Final = 100
"""Rows that a consumer is handed at once."""

WRITE: Final = "INSERT INTO outbox (program_id, partner_ids, transaction_ids) VALUES ($1, $2, $3)"

# The rows after a consumer's cursor that no open transaction can still precede; the cursor is locked meanwhile.
READ: Final = """
SELECT o.xid::text::bigint AS xid, o.id, o.program_id, o.partner_ids, o.transaction_ids
FROM outbox o
WHERE (o.xid, o.id) > ($1::bigint::text::xid8, $2) AND o.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY o.xid, o.id LIMIT $3
"""
LOCK_CURSOR: Final = """
SELECT xid::text::bigint AS xid, id FROM outbox_cursor WHERE consumer = $1 FOR UPDATE SKIP LOCKED
"""
MOVE_CURSOR: Final = "UPDATE outbox_cursor SET xid = $2::bigint::text::xid8, id = $3 WHERE consumer = $1"
ADD_CURSOR: Final = "INSERT INTO outbox_cursor VALUES ($1, '0', 0) ON CONFLICT DO NOTHING"

# Rows that every consumer has passed.
DROP: Final = """
DELETE FROM outbox WHERE (xid, id) <= (SELECT xid, id FROM outbox_cursor ORDER BY xid, id LIMIT 1)
"""

# How far each consumer is behind, by the age of the first row that it has not seen.
DEPTH: Final = """
SELECT c.consumer, count(o.id) AS rows,
       coalesce(extract(epoch FROM clock_timestamp() - min(o.written_at)), 0)::float8 AS seconds,
       (SELECT count(*) FROM outbox_parked p WHERE p.consumer = c.consumer) AS parked
FROM outbox_cursor c LEFT JOIN outbox o ON (o.xid, o.id) > (c.xid, c.id)
GROUP BY c.consumer ORDER BY c.consumer
"""

# After a restore into a new cluster its transaction ids start low: stored ones would lie in the future for ever.
HEAL_ROWS: Final = "UPDATE outbox SET xid = pg_current_xact_id() WHERE xid > pg_current_xact_id()"
HEAL_CURSORS: Final = "UPDATE outbox_cursor SET xid = '0', id = 0 WHERE xid > pg_current_xact_id()"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One committed transaction: whose standing may have moved, and which ledger transactions carry facts to tell."""

    program_id: int
    partner_ids: Sequence[int]
    transaction_ids: Sequence[int]


Consumer: TypeAlias = Callable[[Connection, Sequence[OutboxRow]], Awaitable[None]]

Park: TypeAlias = Callable[[Connection, str, Sequence[asyncpg.Record], Exception], Awaitable[None]]
"""Puts a consumer's rows aside in the transaction that passes them, or raises the error that they met."""


def leave(*, program_id: int, partner_ids: Sequence[int], transaction_ids: Sequence[int]) -> Statement:
    """The statement that leaves a row."""
    return Statement(WRITE, (program_id, partner_ids, transaction_ids))


async def write(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int], transaction_ids: Sequence[int]
) -> None:
    """Leave a row in the caller's transaction."""
    await connection.execute(WRITE, program_id, partner_ids, transaction_ids)


async def register(*consumers: str) -> None:
    """Give each consumer a cursor, before the first row that it must not miss is dropped."""
    async with transaction() as connection:
        for consumer in consumers:
            await connection.execute(ADD_CURSOR, consumer)
        await connection.execute(HEAL_ROWS)
        await connection.execute(HEAL_CURSORS)


async def consume(consumer: str, handle: Consumer, *, limit: int = LIMIT, park: Park | None = None) -> int:
    """Hand the next rows to `handle` and move the cursor in the same transaction. Returns how many there were.

    Rows that cannot be handled are given to `park`, where it is stated, and passed by unless it raises. Where another
    process holds the cursor there is nothing to do: 0.
    """
    async with transaction() as connection:
        cursor = await connection.fetchrow(LOCK_CURSOR, consumer)
        if cursor is None:
            return 0
        rows = await connection.fetch(READ, cursor["xid"], cursor["id"], limit)
        if not rows:
            return 0
        failpoints.reach("relay.read")
        given = [OutboxRow(row["program_id"], row["partner_ids"], row["transaction_ids"]) for row in rows]
        try:
            async with connection.transaction() if park else nullcontext():
                await handle(connection, given)
        except Exception as error:
            if park is None:
                raise
            await park(connection, consumer, rows, error)
        failpoints.reach("relay.handled")
        await connection.execute(MOVE_CURSOR, consumer, rows[-1]["xid"], rows[-1]["id"])
        return len(rows)


@dataclass(frozen=True, slots=True)
class Depth:
    """How far a consumer is behind: rows it has not seen, the age of the first of them in seconds, rows parked."""

    consumer: str
    rows: int
    seconds: float
    parked: int


async def depth() -> list[Depth]:
    """The depth of every consumer, by its name."""
    async with reading() as connection:
        return [Depth(*row) for row in await connection.fetch(DEPTH)]


async def drop_consumed() -> None:
    """Delete the rows that every consumer has passed."""
    async with transaction() as connection:
        await connection.execute(DROP)
