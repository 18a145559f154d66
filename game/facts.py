"""Facts: what came of an activity. Past tense, frozen, kept as long as the journal.

They stand in their transaction's row, beside the steps they point at, and are told from there: to the caller who
recorded the activity, to the partner's phone, to the inbox.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from base.database import Connection
from loyalty.because import Step, chain
from loyalty.ledger.books import Transaction

OF_ACTIVITIES: Final = """
SELECT id, activity_id, occurred_at, posted_at, because, facts
FROM ledger_transaction WHERE program_id = $1 AND activity_id = ANY($2::bigint[]) ORDER BY id
"""
OF_TRANSACTIONS: Final = """
SELECT id, occurred_at, posted_at, because, facts
FROM ledger_transaction WHERE program_id = $1 AND id = ANY($2::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact, with the chain of steps from where it began. (`transaction_id`, `place`) names it."""

    transaction_id: int
    place: int
    occurred_at: datetime
    posted_at: datetime
    because: Sequence[Step]
    data: Mapping[str, Any]


def facts_of(transaction: Transaction) -> list[Fact]:
    """The facts of a transaction that was just decided."""
    return read_facts(
        transaction.id,
        occurred_at=transaction.occurred_at,
        posted_at=transaction.posted_at,
        steps=transaction.because.steps,
        facts=transaction.facts,
    )


def read_facts(
    transaction_id: int,
    *,
    occurred_at: datetime,
    posted_at: datetime,
    steps: Sequence[Step],
    facts: Iterable[Mapping[str, Any]],
) -> list[Fact]:
    """The facts of a transaction's row."""
    return [
        Fact(transaction_id, place, occurred_at, posted_at, chain(steps, data["because"]), data)
        for place, data in enumerate(facts)
    ]


async def load_facts(
    connection: Connection, *, program_id: int, activity_ids: Sequence[int]
) -> dict[int, list[Fact]]:
    """What these activities set off when they were recorded."""
    found: dict[int, list[Fact]] = {activity_id: [] for activity_id in activity_ids}
    for row in await connection.fetch(OF_ACTIVITIES, program_id, activity_ids):
        found[row["activity_id"]] += _of_row(row)
    return found


async def load_transaction_facts(
    connection: Connection, *, program_id: int, transaction_ids: Sequence[int]
) -> dict[int, list[Fact]]:
    """The facts of transactions. Whether the caller may see their partners is the caller's to check."""
    rows = await connection.fetch(OF_TRANSACTIONS, program_id, transaction_ids)
    found = {row["id"]: _of_row(row) for row in rows}
    return {id_: found.get(id_, []) for id_ in transaction_ids}


def _of_row(row: Mapping[str, Any]) -> list[Fact]:
    return read_facts(
        row["id"],
        occurred_at=row["occurred_at"],
        posted_at=row["posted_at"],
        steps=orjson.loads(row["because"]),
        facts=orjson.loads(row["facts"]),
    )
