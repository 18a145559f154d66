"""The outbox: what a committed transaction leaves for the consumers outside it.

Rows are read below `pg_snapshot_xmin` and in the order of (transaction id, row id): transactions commit out of order,
and a row that a cursor has passed would otherwise never be seen. Delivery is at least once; consumers are idempotent.
Every consumer has a cursor of its own, so that one that stands still (Redis is down) does not hold up another.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from base.database import Connection, Statement, transaction

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


async def consume(consumer: str, handle: Consumer, *, limit: int = 100) -> int:
    """Hand the next rows to `handle` and move the cursor in the same transaction. Returns how many there were.

    Where another process holds the cursor there is nothing to do: 0.
    """
    async with transaction() as connection:
        cursor = await connection.fetchrow(LOCK_CURSOR, consumer)
        if cursor is None:
            return 0
        rows = await connection.fetch(READ, cursor["xid"], cursor["id"], limit)
        if not rows:
            return 0
        await handle(
            connection,
            [OutboxRow(row["program_id"], row["partner_ids"], row["transaction_ids"]) for row in rows],
        )
        await connection.execute(MOVE_CURSOR, consumer, rows[-1]["xid"], rows[-1]["id"])
        return len(rows)


async def drop_consumed() -> None:
    """Delete the rows that every consumer has passed."""
    async with transaction() as connection:
        await connection.execute(DROP)
