"""The review of tiers, when windows of the ladder are over: a run over all partners, in pages.

Each page is one transaction under its partners' locks, and what is left to do stands in the standings themselves: so a
run goes on where it was stopped, and two do each partner once. An activity that comes first has its partner reviewed
with it (`game.tiering.catch_up`): both decide by the same rules, so nobody can tell which it was.
"""

from datetime import datetime
from typing import Final

from base import failpoints
from base.clock import Clock
from base.database import Connection, reading, retrying, transaction
from base.ids import IdsExhausted, take_ids
from base.rounds import go_round
from game.loading import PlanMoved, check_version, load_state, lock_partners
from game.plan import Plan, plans
from game.saving import save_state
from game.tiering import catch_up
from loyalty.tiers.marks import MarkKind
from partners.history import NO_HISTORY

PARTNERS_PER_PAGE: Final = 200
IDS_PER_PARTNER: Final = 2

# Programs with a review that is due. While the past is loaded or gone through again, reviews wait for its end.
DUE: Final = f"""
SELECT p.id FROM program p
WHERE {NO_HISTORY}
  AND EXISTS (SELECT FROM tier_standing s WHERE s.program_id = p.id AND s.review_at <= $1)
  AND NOT EXISTS (SELECT FROM tier_ladder l JOIN meter_series m ON m.program_id = l.program_id AND m.id = l.series_id
                  WHERE l.program_id = p.id AND (m.filled_at IS NULL OR m.reviewed_through IS NOT NULL))
ORDER BY p.id
"""  # noqa: S608  # a constant
# The next partners that are due, those that have waited longest first.
PAGE: Final = """
SELECT partner_id FROM tier_standing WHERE program_id = $1 AND review_at <= $2
ORDER BY review_at, partner_id LIMIT $3
"""


async def review_tiers(clock: Clock) -> None:
    """Review the tiers of every program for which a window is over, or an override."""
    async with reading() as connection:
        programs = [row["id"] for row in await connection.fetch(DUE, clock.now())]
    await go_round(programs, lambda program_id: review_tiers_of(program_id, clock))


async def review_tiers_of(program_id: int, clock: Clock) -> int:
    """Review all tiers of a program that are due; how many partners were looked at."""
    reviewed = 0
    ids_wanted = IDS_PER_PARTNER * PARTNERS_PER_PAGE
    while True:
        try:
            count = await retrying(lambda: _review_page(program_id, clock.now(), ids_wanted))  # noqa: B023
        except PlanMoved:
            plans.forget(program_id)
        except IdsExhausted:
            ids_wanted *= 4
        else:
            if not count:
                return reviewed
            reviewed += count


async def _review_page(program_id: int, now: datetime, ids_wanted: int) -> int:
    """Review the next page of partners; how many there were."""
    plan = await plans.get(program_id)
    async with transaction() as connection:
        rows = await connection.fetch(PAGE, program_id, now, PARTNERS_PER_PAGE)
        if not rows:
            return 0
        if plan.ladder is None:
            await check_version(connection, plan)
            return 0
        await _review(connection, plan, [row["partner_id"] for row in rows], now, ids_wanted)
        return len(rows)


async def _review(
    connection: Connection, plan: Plan, partner_ids: list[int], now: datetime, ids_wanted: int
) -> None:
    partners = await lock_partners(connection, plan, partner_ids)
    ids = await take_ids(connection, ids_wanted)
    state = await load_state(connection, plan, ids=ids, partners=partners, keys=())
    failpoints.reach("tiers.loaded")
    for partner in partners.values():
        if catch_up(state, partner, now=now):
            state.mark_tier(partner.view.id, MarkKind.REVIEWED, now=now)
    await save_state(connection, state)
    failpoints.reach("tiers.saved")
