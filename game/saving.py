"""The write of a batch: every kind of row in one statement, whatever the size of the batch."""

from collections.abc import Iterator
from typing import Final

from activity.journal import save_activities
from base import failpoints, outbox
from base.database import Connection, Statement, execute_together
from game.state import State
from loyalty.earning.counts import (
    take_budgets,
    write_usage,
)
from loyalty.ledger.service import (
    save_books,
    write_wallets,
)
from loyalty.tiers.changes import write_changes, write_reviews
from loyalty.tiers.marks import write_marks
from loyalty.tiers.standings import write_standings
from metrics.meters import write_meters

SAVE_PARTNERS: Final = """
UPDATE partner SET activities = k.activities, version = k.version
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS k (id, activities, version)
WHERE partner.program_id = $1 AND partner.id = k.id
"""
SAVE_COMPLETIONS: Final = """
INSERT INTO mission_completion (program_id, occurrence, mission_id, partner_id, n, completed_at, revoked_at)
SELECT $1, 'once', * FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (program_id, mission_id, occurrence, partner_id)
DO UPDATE SET n = excluded.n, completed_at = excluded.completed_at, revoked_at = excluded.revoked_at
"""
SAVE_AWARDS: Final = """
INSERT INTO badge_award (program_id, badge_id, partner_id, level, awarded_at, revoked_at)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (program_id, partner_id, badge_id, level)
DO UPDATE SET awarded_at = excluded.awarded_at, revoked_at = excluded.revoked_at
"""


async def save_state(connection: Connection, state: State) -> None:
    """Write all that changed, and leave a row in the outbox."""
    program_id = state.plan.program_id
    await save_activities(connection, program_id=program_id, activities=state.activities)
    failpoints.reach("pipeline.journaled")
    await execute_together(
        connection,
        write_wallets(program_id=program_id, books=state.books),
        *write_meters(program_id=program_id, meters=state.meters),
        *_write_tiers(state),
        _write_completions(state),
        _write_awards(state),
        _write_partners(state),
        *([write_usage(program_id=program_id, counters=state.counters)] if state.counters.usage else ()),
        outbox.leave(
            program_id=program_id,
            partner_ids=list(state.partners),
            transaction_ids=[one.id for one in state.transactions if one.facts],
        ),
    )
    failpoints.reach("pipeline.counted")
    await save_books(connection, program_id=program_id, books=state.books, transactions=state.transactions)
    await take_budgets(connection, program_id=program_id, counters=state.counters)


def _write_partners(state: State) -> Statement:
    partners = state.partners.values()
    columns = (
        [one.view.id for one in partners],
        [one.number for one in partners],
        [one.version for one in partners],
    )
    return Statement(SAVE_PARTNERS, (state.plan.program_id, *columns))


def _write_tiers(state: State) -> Iterator[Statement]:
    """Most batches change no standing, and fewer a tier: what does not is left out."""
    program_id = state.plan.program_id
    changed = {partner_id: one for partner_id, one in state.standings.items() if one.changed}
    if changed:
        yield write_standings(program_id=program_id, standings=changed)
    if state.tier_changes:
        yield write_changes(program_id=program_id, changes=state.tier_changes)
    if state.tier_reviews:
        yield write_reviews(program_id=program_id, reviews=state.tier_reviews)
    if state.tier_marks:
        yield write_marks(program_id=program_id, marks=state.tier_marks)


def _write_completions(state: State) -> Statement:
    changed = [one for one in state.completions.values() if one.changed]
    columns = (
        [one.mission_id for one in changed],
        [one.partner_id for one in changed],
        [one.n for one in changed],
        [one.completed_at for one in changed],
        [one.revoked_at for one in changed],
    )
    return Statement(SAVE_COMPLETIONS, (state.plan.program_id, *columns))


def _write_awards(state: State) -> Statement:
    changed = [one for one in state.awards.values() if one.changed]
    columns = (
        [one.badge_id for one in changed],
        [one.partner_id for one in changed],
        [one.level for one in changed],
        [one.awarded_at for one in changed],
        [one.revoked_at for one in changed],
    )
    return Statement(SAVE_AWARDS, (state.plan.program_id, *columns))
