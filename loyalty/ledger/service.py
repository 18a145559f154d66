"""The books' rows: loaded in sets for the partners of a batch, written in sets."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from base.database import Connection, Statement
from loyalty.ledger.books import WALLET, Books, Lot, Transaction, Wallet

LOAD_WALLETS: Final = """
SELECT partner_id, unit, available, pending, held, debt, version, idle, idle_until
FROM wallet WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""
LOT: Final = """
SELECT l.id, l.partner_id, l.unit, l.transaction_id, l.activity_id, l.rule_id, l.basis, l.granted_at, l.matures_at,
       l.expires_at, l.granted, l.remaining, l.held, l.spent, l.expired, l.reversed, l.repaid, l.recalled,
       l.waived, l.matured, l.sliding
FROM lot l
"""
# What can be taken from, or may be given back to: all that has something left or held.
LOAD_OPEN_LOTS: Final = (
    f"{LOT} WHERE l.program_id = $1 AND l.partner_id = ANY($2::bigint[]) AND l.remaining + l.held > 0"
)
# Of these the lots that are due at $3: to mature, to expire, or to see whether their wallet has been idle too long.
LOAD_DUE_LOTS: Final = f"""
{LOAD_OPEN_LOTS} AND (NOT l.matured AND l.matures_at <= $3 OR l.expires_at <= $3 OR l.sliding)
"""
# What a recall may be for: the lots of the activities that come back, and the rewards of the completions they held up.
LOAD_SOURCE_LOTS: Final = f"""
{LOT} WHERE l.program_id = $1 AND l.activity_id = ANY($2::bigint[])
UNION
{LOT} JOIN ledger_transaction t ON t.program_id = l.program_id AND t.id = l.transaction_id
WHERE t.program_id = $1 AND t.key = ANY($3::text[]) AND l.rule_id IS NULL
"""
LOAD_KEYS: Final = "SELECT key, id FROM ledger_transaction WHERE program_id = $1 AND key = ANY($2::text[])"

SAVE_WALLETS: Final = """
INSERT INTO wallet (program_id, partner_id, unit, available, pending, held, debt, version, idle, idle_until)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
                         $9::text[], $10::timestamptz[])
ON CONFLICT (program_id, partner_id, unit)
DO UPDATE SET available = excluded.available, pending = excluded.pending, held = excluded.held,
              debt = excluded.debt, version = excluded.version, idle = excluded.idle, idle_until = excluded.idle_until
"""
# Truths come as 1 and 0: an array of booleans would be one more type for each connection to ask about.
SAVE_LOTS: Final = """
UPDATE lot SET remaining = k.remaining, held = k.held, spent = k.spent, expired = k.expired, reversed = k.reversed,
               repaid = k.repaid, recalled = k.recalled, waived = k.waived, matured = k.matured = 1,
               sliding = k.sliding = 1, expires_at = k.expires_at
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::timestamptz[])
  AS k (id, remaining, held, spent, expired, reversed, repaid, recalled, waived, matured, sliding, expires_at)
WHERE lot.program_id = $1 AND lot.id = k.id
"""

TRANSACTION_COLUMNS: Final = (
    "program_id",
    "id",
    "partner_id",
    "key",
    "activity_id",
    "occurred_at",
    "posted_at",
    "because",
    "facts",
)
ENTRY_COLUMNS: Final = (
    "program_id",
    "transaction_id",
    "number",
    "unit",
    "account",
    "kind",
    "amount",
    "because",
    "partner_id",
    "bucket",
    "balance_after",
    "version",
    "lot_id",
)
LOT_COLUMNS: Final = (
    "program_id",
    "id",
    "partner_id",
    "unit",
    "transaction_id",
    "activity_id",
    "rule_id",
    "basis",
    "granted_at",
    "matures_at",
    "expires_at",
    "granted",
    "remaining",
    "held",
    "spent",
    "expired",
    "reversed",
    "repaid",
    "recalled",
    "waived",
    "matured",
    "sliding",
    "expiry",
    "time_zone",
    "idle_until",
)
MOVEMENT_COLUMNS: Final = ("program_id", "lot_id", "transaction_id", "number", "kind", "amount")


def read_wallets(*, program_id: int, partner_ids: Sequence[int]) -> Statement:
    """The partners' wallets."""
    return Statement(LOAD_WALLETS, (program_id, partner_ids))


def build_books(wallets: Iterable[Sequence[Any]]) -> Books:
    """Books of the wallets that were read; lots only where `load_lots` is asked for them."""
    return Books(Wallet(*row) for row in wallets)


async def load_lots(
    connection: Connection,
    books: Books,
    *,
    program_id: int,
    partner_ids: Sequence[int],
    activity_ids: Sequence[int] = (),
    keys: Sequence[str] = (),
) -> None:
    """Into `books`: the partners' lots with something left, and those granted by the activities and keys named."""
    _add_lots(books, await connection.fetch(LOAD_OPEN_LOTS, program_id, partner_ids))
    if activity_ids or keys:
        _add_lots(books, await connection.fetch(LOAD_SOURCE_LOTS, program_id, activity_ids, keys))


async def load_due_lots(
    connection: Connection, books: Books, *, program_id: int, partner_ids: Sequence[int], now: datetime
) -> None:
    """Into `books`: of the partners' lots those that are needed to bring their wallets up to date."""
    _add_lots(books, await connection.fetch(LOAD_DUE_LOTS, program_id, partner_ids, now))


def _add_lots(books: Books, rows: Iterable[Sequence[Any]]) -> None:
    for row in rows:
        values = list(row)
        if values[6] is not None:
            values[6] = [(line, weight) for line, weight in orjson.loads(values[6])]
        books.add(Lot(*values))


async def load_transaction_ids(
    connection: Connection, *, program_id: int, keys: Sequence[str]
) -> dict[str, int]:
    """The ids of the transactions of these keys."""
    return {row["key"]: row["id"] for row in await connection.fetch(LOAD_KEYS, program_id, keys)}


def write_wallets(*, program_id: int, books: Books) -> Statement:
    """The wallets that changed. Before `save_books`: entries and lots refer to them."""
    wallets = [one for one in books.wallets.values() if one.changed]
    return Statement(
        SAVE_WALLETS,
        (
            program_id,
            [one.partner_id for one in wallets],
            [one.unit for one in wallets],
            [one.available for one in wallets],
            [one.pending for one in wallets],
            [one.held for one in wallets],
            [one.debt for one in wallets],
            [one.version for one in wallets],
            [one.idle for one in wallets],
            [one.idle_until for one in wallets],
        ),
    )


async def save_books(
    connection: Connection, *, program_id: int, books: Books, transactions: Sequence[Transaction]
) -> None:
    """Write the transactions with all that they posted, and the lots as they stand now."""
    posted = transactions
    await _copy(
        connection,
        "ledger_transaction",
        TRANSACTION_COLUMNS,
        [_transaction(program_id, one) for one in posted],
    )
    lots = list(books.lots.values())
    await _copy(connection, "lot", LOT_COLUMNS, [_lot(program_id, one) for one in lots if one.is_new])
    changed = [one for one in lots if one.changed and not one.is_new]
    if changed:
        await connection.execute(
            SAVE_LOTS,
            program_id,
            [one.id for one in changed],
            [one.remaining for one in changed],
            [one.held for one in changed],
            [one.spent for one in changed],
            [one.expired for one in changed],
            [one.reversed for one in changed],
            [one.repaid for one in changed],
            [one.recalled for one in changed],
            [one.waived for one in changed],
            [int(one.matured) for one in changed],
            [int(one.sliding) for one in changed],
            [one.expires_at for one in changed],
        )
    await _copy(
        connection,
        "ledger_entry",
        ENTRY_COLUMNS,
        [row for one in posted for row in _entries(program_id, one)],
    )
    await _copy(
        connection,
        "lot_movement",
        MOVEMENT_COLUMNS,
        [row for one in posted for row in _movements(program_id, one)],
    )


async def _copy(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if rows:
        await connection.copy_records_to_table(table, columns=columns, records=rows)


def _transaction(program_id: int, one: Transaction) -> tuple[Any, ...]:
    return (
        program_id,
        one.id,
        one.partner_id,
        one.key,
        one.activity_id,
        one.occurred_at,
        one.posted_at,
        orjson.dumps(one.because.steps).decode(),
        orjson.dumps(one.facts).decode(),
    )


def _entries(program_id: int, transaction: Transaction) -> list[tuple[Any, ...]]:
    return [
        (
            program_id,
            transaction.id,
            number,
            entry.unit,
            entry.account,
            entry.kind,
            entry.amount,
            entry.because,
            entry.partner_id if entry.account == WALLET else None,
            entry.bucket,
            entry.balance_after,
            entry.version,
            entry.lot_id,
        )
        for number, entry in enumerate(transaction.entries, start=1)
    ]


def _movements(program_id: int, transaction: Transaction) -> list[tuple[Any, ...]]:
    return [
        (program_id, movement.lot_id, transaction.id, number, movement.kind, movement.amount)
        for number, movement in enumerate(transaction.movements, start=1)
    ]


def _lot(program_id: int, one: Lot) -> tuple[Any, ...]:
    return (
        program_id,
        one.id,
        one.partner_id,
        one.unit,
        one.transaction_id,
        one.activity_id,
        one.rule_id,
        None if one.basis is None else orjson.dumps(one.basis).decode(),
        one.granted_at,
        one.matures_at,
        one.expires_at,
        one.granted,
        one.remaining,
        one.held,
        one.spent,
        one.expired,
        one.reversed,
        one.repaid,
        one.recalled,
        one.waived,
        one.matured,
        one.sliding,
        one.expiry.as_text(),
        one.time_zone,
        one.idle_until,
    )
