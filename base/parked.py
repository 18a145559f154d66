"""Rows of the outbox that a consumer could not handle by their own fault, put aside and kept until they are retried.

Only what would end the same whenever it is tried again is a row's fault. An outage parks nothing, and neither does a
fault that every row would meet: a table or a right that is missing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from base.database import Connection, reading, transaction
from base.outages import outage_of, sqlstate_of
from base.outbox import Consumer, OutboxRow

# A row is parked in the transaction that moves the cursor past it.
PARK: Final = """
INSERT INTO outbox_parked (consumer, xid, id, program_id, partner_ids, transaction_ids, error)
VALUES ($1, $2::bigint::text::xid8, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
LIST: Final = """
SELECT consumer, xid::text::bigint AS xid, id, program_id, partner_ids, transaction_ids, error, parked_at
FROM outbox_parked ORDER BY parked_at, consumer, xid, id
"""
TAKE: Final = (
    "DELETE FROM outbox_parked WHERE consumer = $1 AND xid = $2::bigint::text::xid8 AND id = $3 RETURNING id"
)
FAILED_AGAIN: Final = """
UPDATE outbox_parked SET error = $4 WHERE consumer = $1 AND xid = $2::bigint::text::xid8 AND id = $3
"""

OF_EVERY_ROW: Final = ("0A", "28", "3D", "3F", "42", "XX")
"""Classes of SQLSTATE that tell of the installation, not of a row: features, sign-in, schemas, names, rights, bugs."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of parked rows."""

    handled: int
    failed: int


def is_of_the_row(error: BaseException) -> bool:
    """Whether the row itself cannot be handled, now or later."""
    return outage_of(error) is None and sqlstate_of(error)[:2] not in OF_EVERY_ROW


async def park(
    connection: Connection, consumer: str, rows: Sequence[asyncpg.Record], error: Exception
) -> None:
    """Put rows of the outbox aside in the caller's transaction, or raise an error that is not theirs."""
    if not is_of_the_row(error):
        raise error
    for row in rows:
        log.error("parked a row of the outbox that %s cannot handle", consumer, exc_info=error)
        columns = (row["xid"], row["id"], row["program_id"], row["partner_ids"], row["transaction_ids"])
        await connection.execute(PARK, consumer, *columns, repr(error))


async def list_parked() -> list[asyncpg.Record]:
    """Every parked row, the one that was parked first before the others."""
    async with reading() as connection:
        found: list[asyncpg.Record] = await connection.fetch(LIST)
    return found


async def retry(consumers: Mapping[str, Consumer]) -> Retried:
    """Hand every parked row to its consumer again, each by itself: those that fail stay parked.

    Raises the error of an outage.
    """
    handled = failed = 0
    for row in await list_parked():
        error = await _retry(row, consumers.get(row["consumer"]))
        handled += error is None
        failed += error is not None
    return Retried(handled, failed)


async def _retry(row: asyncpg.Record, consumer: Consumer | None) -> Exception | None:
    """Hand one row to its consumer; the error that keeps it parked."""
    key = (row["consumer"], row["xid"], row["id"])
    try:
        if consumer is None:
            raise LookupError(f"there is no consumer {row['consumer']}")
        async with transaction() as connection:
            if await connection.fetchval(TAKE, *key) is not None:
                given = OutboxRow(row["program_id"], row["partner_ids"], row["transaction_ids"])
                await consumer(connection, [given])
    except Exception as error:
        if outage_of(error) is not None:
            raise
        async with transaction() as connection:
            await connection.execute(FAILED_AGAIN, *key, repr(error))
        return error
    return None
