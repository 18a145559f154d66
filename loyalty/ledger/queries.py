"""Reads of wallets, their entries, and of what activities set off.

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
SELECT e.partner_id, e.unit, e.transaction_id, e.number, e.kind, e.bucket, e.amount, e.balance_after, e.version,
       e.because AS last_step, t.occurred_at, t.posted_at, t.because
FROM unnest($2::bigint[], $3::text[], $4::bigint[]) AS k (partner_id, unit, below)
CROSS JOIN LATERAL (
    SELECT * FROM ledger_entry
    WHERE program_id = $1 AND partner_id = k.partner_id AND unit = k.unit AND (k.below IS NULL OR version < k.below)
    ORDER BY version DESC LIMIT $5
) AS e
JOIN ledger_transaction t ON t.program_id = $1 AND t.id = e.transaction_id
ORDER BY e.partner_id, e.unit, e.version DESC
"""
ONE_ENTRY: Final = """
SELECT e.partner_id, e.unit, e.transaction_id, e.number, e.kind, e.bucket, e.amount, e.balance_after, e.version,
       e.because AS last_step, t.occurred_at, t.posted_at, t.because
FROM ledger_entry e JOIN ledger_transaction t ON t.program_id = $1 AND t.id = e.transaction_id
WHERE e.program_id = $1 AND e.transaction_id = $2 AND e.number = $3 AND e.partner_id IS NOT NULL
"""
FACTS: Final = """
SELECT id, partner_id, activity_id, occurred_at, posted_at, because, facts
FROM ledger_transaction WHERE program_id = $1
"""
FACTS_OF_ACTIVITIES: Final = f"{FACTS} AND activity_id = ANY($2::bigint[]) ORDER BY id"
FACTS_OF_TRANSACTIONS: Final = f"{FACTS} AND id = ANY($2::bigint[]) ORDER BY id"


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


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact, named by its transaction and its place there; `fact` is as it is stored, without its `because`."""

    transaction_id: int
    place: int
    partner_id: int
    activity_id: int | None
    occurred_at: datetime
    posted_at: datetime
    because: tuple[Step, ...]
    fact: dict[str, Any]


async def load_wallets(
    connection: Connection, *, program_id: int, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], WalletRow]:
    """The wallets of these (partner id, unit); an empty one where nothing was ever posted."""
    rows = await connection.fetch(WALLETS, program_id, [id_ for id_, _ in keys], [unit for _, unit in keys])
    found = {(row["partner_id"], row["unit"]): WalletRow(*row) for row in rows}
    return {key: found.get(key) or WalletRow(*key) for key in keys}


async def list_entries(
    connection: Connection, *, program_id: int, wallets: Mapping[tuple[int, str], int | None], limit: int
) -> dict[tuple[int, str], list[EntryRow]]:
    """Of each wallet, (partner id, unit), at most `limit` entries below the version given for it, newest first."""
    keys = list(wallets)
    rows = await connection.fetch(
        ENTRIES,
        program_id,
        [id_ for id_, _ in keys],
        [unit for _, unit in keys],
        list(wallets.values()),
        limit,
    )
    found: dict[tuple[int, str], list[EntryRow]] = {key: [] for key in keys}
    for row in rows:
        found[row["partner_id"], row["unit"]].append(_entry(row))
    return found


async def find_entry(
    connection: Connection, *, program_id: int, transaction_id: int, number: int
) -> EntryRow | None:
    """One entry of a wallet. Whether the caller may see its partner is the caller's to check."""
    row = await connection.fetchrow(ONE_ENTRY, program_id, transaction_id, number)
    return None if row is None else _entry(row)


async def load_facts_of_activities(
    connection: Connection, *, program_id: int, activity_ids: Sequence[int]
) -> dict[int, list[FactRow]]:
    """What these activities set off, in the order in which it happened, by activity id."""
    found: dict[int, list[FactRow]] = {id_: [] for id_ in activity_ids}
    for row in await connection.fetch(FACTS_OF_ACTIVITIES, program_id, activity_ids):
        found[row["activity_id"]].extend(_facts(row))
    return found


async def load_facts(
    connection: Connection, *, program_id: int, transaction_ids: Sequence[int]
) -> list[FactRow]:
    """The facts of these transactions, in the order in which they happened."""
    rows = await connection.fetch(FACTS_OF_TRANSACTIONS, program_id, transaction_ids)
    return [fact for row in rows for fact in _facts(row)]


def _entry(row: Mapping[str, Any]) -> EntryRow:
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


def _facts(row: Mapping[str, Any]) -> list[FactRow]:
    """A transaction's facts, each with its own chain."""
    steps = orjson.loads(row["because"])
    return [
        FactRow(
            transaction_id=row["id"],
            place=place,
            partner_id=row["partner_id"],
            activity_id=row["activity_id"],
            occurred_at=row["occurred_at"],
            posted_at=row["posted_at"],
            because=tuple(chain(steps, fact.pop("because"))),
            fact=fact,
        )
        for place, fact in enumerate(orjson.loads(row["facts"]))
    ]
