"""The history of tiers: every change of a partner's, and how many each transaction reviewed. Append-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from base.database import Statement
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
SELECT k.partner_id, c.* FROM unnest($2::bigint[], $3::bigint[]) AS k (partner_id, before)
CROSS JOIN LATERAL (
    SELECT c.id, c.from_tier, c.to_tier, c.changed_at, c.cause, c.transaction_id, t.because
    FROM tier_change c
    LEFT JOIN ledger_transaction t ON t.program_id = c.program_id AND t.id = c.transaction_id
    WHERE c.program_id = $1 AND c.partner_id = k.partner_id AND (k.before IS NULL OR c.id < k.before)
    ORDER BY c.id DESC LIMIT $4
) c
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
