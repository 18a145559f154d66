"""Reads of wallets and their entries.

Entries are paged by the wallet's dense version, newest first: an entry that is posted meanwhile moves no page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from base.database import Connection
from loyalty.because import Step, chain

WALLETS: Final = """
SELECT w.partner_id, w.unit, w.available, w.pending, w.held, w.debt, w.version
FROM unnest($2::bigint[], $3::text[]) AS k (partner_id, unit)
JOIN wallet w ON w.program_id = $1 AND w.partner_id = k.partner_id AND w.unit = k.unit
"""
# Of each wallet the newest entries below a version, at most $5 of each.
ENTRIES: Final = """
SELECT k.place, e.partner_id, e.unit, e.transaction_id, e.number, e.kind, e.bucket, e.amount, e.balance_after,
       e.version, e.because AS last_step, t.occurred_at, t.posted_at, t.because
FROM unnest($2::bigint[], $3::text[], $4::bigint[]) WITH ORDINALITY AS k (partner_id, unit, below, place)
CROSS JOIN LATERAL (
    SELECT * FROM ledger_entry
    WHERE program_id = $1 AND partner_id = k.partner_id AND unit = k.unit AND (k.below IS NULL OR version < k.below)
    ORDER BY version DESC LIMIT $5
) AS e
JOIN ledger_transaction t ON t.program_id = $1 AND t.id = e.transaction_id
ORDER BY k.place, e.version DESC
"""
# What of wallets expires after $5, each up to a moment of its own: by wallet and moment, the soonest first.
EXPIRING: Final = """
SELECT l.partner_id, l.unit, k.until, sum(e.amount)::bigint AS amount, e.expires_at
FROM unnest($2::bigint[], $3::text[], $4::timestamptz[]) AS k (partner_id, unit, until)
JOIN wallet w ON w.program_id = $1 AND w.partner_id = k.partner_id AND w.unit = k.unit
JOIN lot l ON l.program_id = $1 AND l.partner_id = k.partner_id AND l.unit = k.unit AND l.remaining + l.held > 0
CROSS JOIN LATERAL (SELECT CASE WHEN l.sliding THEN w.idle_until ELSE l.expires_at END AS expires_at,
                           least(l.remaining, l.granted - l.expired - l.recalled) AS amount) e
WHERE e.amount > 0 AND l.matures_at <= $5 AND e.expires_at > $5 AND e.expires_at <= k.until
GROUP BY l.partner_id, l.unit, k.until, e.expires_at ORDER BY e.expires_at
"""
OF_TRANSACTIONS: Final = """
SELECT e.partner_id, e.unit, e.transaction_id, e.number, e.kind, e.bucket, e.amount, e.balance_after, e.version,
       e.because AS last_step, t.occurred_at, t.posted_at, t.because
FROM ledger_entry e JOIN ledger_transaction t ON t.program_id = $1 AND t.id = e.transaction_id
WHERE e.program_id = $1 AND e.transaction_id = ANY($2::bigint[]) AND e.partner_id IS NOT NULL
ORDER BY e.transaction_id, e.number
"""


@dataclass(frozen=True, slots=True)
class WalletRow:
    """A partner's account in one unit."""

    partner_id: int
    unit: str
    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class ExpiringRow:
    """How much of a wallet expires together."""

    amount: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry of a wallet, with the chain of steps that led to it."""

    partner_id: int
    unit: str
    transaction_id: int
    number: int
    kind: str
    bucket: str
    amount: int
    balance_after: int
    version: int
    occurred_at: datetime
    posted_at: datetime
    because: tuple[Step, ...]


async def load_wallets(
    connection: Connection, *, program_id: int, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], WalletRow]:
    """The wallets of these (partner id, unit); an empty one where nothing was ever posted."""
    rows = await connection.fetch(WALLETS, program_id, [id_ for id_, _ in keys], [unit for _, unit in keys])
    found = {(row["partner_id"], row["unit"]): WalletRow(*row) for row in rows}
    return {key: found.get(key) or WalletRow(*key) for key in keys}


async def load_expiring(
    connection: Connection, *, program_id: int, keys: Sequence[tuple[int, str, datetime]], now: datetime
) -> dict[tuple[int, str, datetime], list[ExpiringRow]]:
    """What is available in the wallets of these (partner id, unit, until when) and expires by then, soonest first."""
    found: dict[tuple[int, str, datetime], list[ExpiringRow]] = {key: [] for key in keys}
    rows = await connection.fetch(
        EXPIRING,
        program_id,
        [id_ for id_, _, _ in keys],
        [unit for _, unit, _ in keys],
        [until for _, _, until in keys],
        now,
    )
    for row in rows:
        key = (row["partner_id"], row["unit"], row["until"])
        found[key].append(ExpiringRow(row["amount"], row["expires_at"]))
    return found


async def list_entries(
    connection: Connection, *, program_id: int, pages: Sequence[tuple[int, str, int | None]], limit: int
) -> list[list[EntryRow]]:
    """For each page, (partner id, unit, below which version), at most `limit` of the wallet's entries, newest first."""
    rows = await connection.fetch(
        ENTRIES,
        program_id,
        [id_ for id_, _, _ in pages],
        [unit for _, unit, _ in pages],
        [below for _, _, below in pages],
        limit,
    )
    found: list[list[EntryRow]] = [[] for _ in pages]
    for row in rows:
        found[row["place"] - 1].append(entry_of(row))
    return found


async def load_entries(
    connection: Connection, *, program_id: int, transaction_ids: Sequence[int]
) -> dict[int, list[EntryRow]]:
    """The wallet entries of transactions. Whether the caller may see their partners is the caller's to check."""
    found: dict[int, list[EntryRow]] = {id_: [] for id_ in transaction_ids}
    for row in await connection.fetch(OF_TRANSACTIONS, program_id, transaction_ids):
        found[row["transaction_id"]].append(entry_of(row))
    return found


def entry_of(row: Mapping[str, Any]) -> EntryRow:
    """An entry as it was read."""
    return EntryRow(
        partner_id=row["partner_id"],
        unit=row["unit"],
        transaction_id=row["transaction_id"],
        number=row["number"],
        kind=row["kind"],
        bucket=row["bucket"],
        amount=row["amount"],
        balance_after=row["balance_after"],
        version=row["version"],
        occurred_at=row["occurred_at"],
        posted_at=row["posted_at"],
        because=tuple(chain(orjson.loads(row["because"]), row["last_step"])),
    )
