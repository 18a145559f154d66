"""The history of tiers: every change of a partner's, and how many each transaction reviewed. Append-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import orjson

from base.database import Connection, Statement
from loyalty.because import Step, chain
from loyalty.tiers.reviews import Cause, Review

SAVE_CHANGES: Final = """
INSERT INTO tier_change (program_id, partner_id, from_tier, to_tier, changed_at, cause, transaction_id)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[])
"""
# One row per transaction and window, so that two that review at once do not wait for each other.
SAVE_REVIEWS: Final = """
INSERT INTO tier_review (program_id, ends_on, partners, raised, lowered)
SELECT $1, k.* FROM unnest($2::date[], $3::int[], $4::int[], $5::int[]) AS k
"""
# The changes of each partner, newest first, from before the one that a page ended with.
CHANGES: Final = """
SELECT k.partner_id, k.before, c.* FROM unnest($2::bigint[], $3::bigint[]) AS k (partner_id, before)
CROSS JOIN LATERAL (
    SELECT c.id, c.from_tier, c.to_tier, c.changed_at, c.cause, t.because::text
    FROM tier_change c
    JOIN ledger_transaction t ON t.program_id = c.program_id AND t.id = c.transaction_id
    WHERE c.program_id = $1 AND c.partner_id = k.partner_id AND (k.before IS NULL OR c.id < k.before)
    ORDER BY c.id DESC LIMIT $4
) c
"""


# What the last reviews made of their partners, by the first day after the window.
REVIEWS: Final = """
SELECT ends_on, sum(partners)::bigint AS partners, sum(raised)::bigint AS raised, sum(lowered)::bigint AS lowered
FROM tier_review WHERE program_id = $1 GROUP BY ends_on ORDER BY ends_on DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class TierChange:
    """A partner went from one tier to another, by their keys."""

    partner_id: int
    before: str
    after: str
    changed_at: datetime
    cause: Cause
    transaction_id: int | None


def write_changes(*, program_id: int, changes: Sequence[TierChange]) -> Statement:
    """The statement that keeps changes."""
    columns = (
        [one.partner_id for one in changes],
        [one.before for one in changes],
        [one.after for one in changes],
        [one.changed_at for one in changes],
        [one.cause.value for one in changes],
        [one.transaction_id for one in changes],
    )
    return Statement(SAVE_CHANGES, (program_id, *columns))


def write_reviews(*, program_id: int, reviews: Sequence[Review]) -> Statement:
    """The statement that keeps how many partners were reviewed for each window, and what became of them."""
    counts: dict[date, list[int]] = {}
    for one in reviews:
        if one.ends_on is not None:
            count = counts.setdefault(one.ends_on, [0, 0, 0])
            count[0] += 1
            count[1] += one.after > one.before
            count[2] += one.after < one.before
    rows = list(counts.values())
    columns = ([row[place] for row in rows] for place in range(3))
    return Statement(SAVE_REVIEWS, (program_id, list(counts), *columns))


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change as it stands, with the chain of its reasons."""

    id: int
    before: str
    after: str
    changed_at: datetime
    cause: Cause
    because: Sequence[Step]


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """How many partners the reviews of a window looked at; `ends_on` is the first day after it."""

    ends_on: date
    partners: int
    raised: int
    lowered: int


async def list_changes(
    connection: Connection, *, program_id: int, pages: Sequence[tuple[int, int | None]], limit: int
) -> list[list[ChangeRow]]:
    """The changes of each (partner id, before which change), newest first. One statement."""
    partner_ids, befores = [page[0] for page in pages], [page[1] for page in pages]
    rows = await connection.fetch(CHANGES, program_id, partner_ids, befores, limit)
    found: dict[tuple[int, int | None], list[ChangeRow]] = {page: [] for page in pages}
    for row in rows:
        found[row["partner_id"], row["before"]].append(
            ChangeRow(
                row["id"],
                row["from_tier"],
                row["to_tier"],
                row["changed_at"],
                Cause(row["cause"]),
                _reasons(orjson.loads(row["because"]), row["from_tier"], row["to_tier"]),
            )
        )
    return [found[page] for page in pages]


async def list_reviews(connection: Connection, *, program_id: int, limit: int) -> list[ReviewRow]:
    """What the last reviews made of their partners, the last window first."""
    return [ReviewRow(*row) for row in await connection.fetch(REVIEWS, program_id, limit)]


def _reasons(steps: Sequence[Step], before: str, after: str) -> list[Step]:
    """The chain that ends with this change."""
    for place, step in enumerate(steps):
        if step["step"] == "tier" and (step["from"], step["to"]) == (before, after):
            return chain(steps, place)
    return []
