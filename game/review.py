"""The past gone through again: for series that began after their activities, and for watchers that do.

A mission is published, a badge created, a board or ladder wants a metric over a new window: what had been counted
before must count for it too. Page by page of partners, under their locks, the meters of the series in question are
counted again from the journal, and whatever watches them follows. How far it has come stands in the series, so that it
goes on where it was stopped; activities that arrive meanwhile are counted by the live path on top.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from activity.journal import load_history
from base import failpoints
from base.clock import Clock
from base.database import Connection, reading, retrying, transaction
from base.ids import Ids, IdsExhausted, take_ids
from base.rounds import go_round
from game.loading import (
    PlanMoved,
    load_lots_into,
    load_points,
    load_rewards_apart,
    load_state,
    lock_partners,
)
from game.plan import Plan, load_plan
from game.reaction import follow_badges, follow_missions, moved
from game.saving import save_state
from game.state import Before, Moment, PartnerState, State
from game.tiering import catch_up, follow_tier
from loyalty.ledger.books import Transaction
from loyalty.tiers.marks import MarkKind
from loyalty.tiers.reviews import Cause
from metrics.counting import Counting
from metrics.history import recount
from metrics.meters import Meters
from partners.configuration import lock_program

PARTNERS_PER_PAGE: Final = 200
IDS_PER_PARTNER: Final = 16

DUE: Final = (
    "SELECT DISTINCT program_id FROM meter_series WHERE reviewed_through IS NOT NULL ORDER BY program_id"
)
# The next partners whose past some series that is due has not seen.
PAGE: Final = """
SELECT id FROM partner
WHERE program_id = $1
  AND id > (SELECT min(reviewed_through) FROM meter_series WHERE program_id = $1 AND id = ANY($2::bigint[]))
ORDER BY id LIMIT $3
"""
STORED: Final = """
SELECT series_id, window_start, partner_id FROM meter
WHERE program_id = $1 AND series_id = ANY($2::bigint[]) AND partner_id = ANY($3::bigint[])
"""
ADVANCE: Final = """
UPDATE meter_series SET reviewed_through = greatest(reviewed_through, $3)
WHERE program_id = $1 AND id = ANY($2::bigint[])
"""
# What a replay of the past has to know: where in each partner's activities this came.
KEEP: Final = """
INSERT INTO past_review (program_id, reviewed_at, config_version, series_ids, filled_ids, partner_ids, numbers,
                         last_partner)
VALUES ($1, $2, $3, $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8)
"""
DONE: Final = """
UPDATE meter_series SET reviewed_through = NULL, filled_at = coalesce(filled_at, $3)
WHERE program_id = $1 AND id = ANY($2::bigint[])
"""


async def review_all(clock: Clock) -> None:
    """Go through the past for every series of every program that is due."""
    async with reading() as connection:
        programs = [row["program_id"] for row in await connection.fetch(DUE)]
    await go_round(programs, lambda program_id: review_program(program_id, clock))


async def review_program(program_id: int, clock: Clock) -> None:
    """Go through the past for every series of a program that is due, to the end."""
    ids_wanted = IDS_PER_PARTNER * PARTNERS_PER_PAGE
    while True:
        try:
            if not await retrying(lambda: _review_page(program_id, clock.now(), ids_wanted)):  # noqa: B023
                return
        except PlanMoved:
            continue
        except IdsExhausted:
            ids_wanted *= 4


async def _review_page(program_id: int, now: datetime, ids_wanted: int) -> bool:
    """Go through the next page of partners; whether there was anything to do."""
    async with transaction() as connection:
        # Nobody publishes or creates a watcher meanwhile: what this page decides by is what it marks as done.
        await lock_program(connection, program_id)
        plan = await load_plan(connection, program_id)
        if not plan.due:
            return False
        series = sorted(plan.due)
        rows = await connection.fetch(PAGE, program_id, series, PARTNERS_PER_PAGE)
        if not rows:
            await connection.execute(DONE, program_id, series, now)
            return True
        partners = await lock_partners(connection, plan, [row["id"] for row in rows])
        true, state = await _load(connection, plan, partners, await take_ids(connection, ids_wanted), now)
        failpoints.reach("review.loaded")
        before = correct_meters(state, true)
        for partner_id in partners:
            _follow(state, partner_id, before.get(partner_id, {}), now)
        await save_state(connection, state)
        await connection.execute(ADVANCE, program_id, series, rows[-1]["id"])
        numbers = [one.number for one in partners.values()]
        kept = (now, plan.version, series, sorted(plan.unfilled), list(partners), numbers, rows[-1]["id"])
        await connection.execute(KEEP, program_id, *kept)
        failpoints.reach("review.saved")
        return True


async def _load(
    connection: Connection, plan: Plan, partners: Mapping[int, PartnerState], ids: Ids, now: datetime
) -> tuple[Meters, State]:
    """The series' meters as the journal has them, and the partners' state with the meters as they stand.

    Among these are the points meters of today, filled or not: what is paid now moves them.
    """
    program_id, partner_ids = plan.program_id, list(partners)
    history = await load_history(connection, program_id=program_id, partner_ids=partner_ids)
    points = await load_points(connection, program_id=program_id, activity_ids=list(history))
    apart = await load_rewards_apart(connection, program_id=program_id, partner_ids=partner_ids)
    counting = Counting(plan.counting.series[series_id] for series_id in plan.due)
    true = recount(counting, history.values(), points, list(apart.values()))
    stored = await connection.fetch(STORED, program_id, sorted(plan.due), partner_ids)
    keys = true.keys() | {(row["series_id"], row["window_start"], row["partner_id"]) for row in stored}
    moments = [Moment.apart(id_, now, partner.view.time_zone) for id_, partner in partners.items()]
    for moment in moments:
        paid = plan.counting.count_points(moment, earned=0, rewards=1)
        keys |= {movement.key for movement in paid}
    state = await load_state(connection, plan, ids=ids, partners=partners, keys=keys)
    state.points_left = points
    state.history = {partner_id: [] for partner_id in partner_ids}
    for original in history.values():
        state.remember(original)
    await load_lots_into(connection, state, partner_ids=partner_ids, activity_ids=())
    return true, state


def correct_meters(state: State, true: Meters) -> dict[int, Before]:
    """Bring the series' meters to what is true; where those that moved stood before, by partner."""
    before: dict[int, Before] = {}
    for key in [*state.meters.keys() | true.keys()]:
        if key[0] not in state.plan.due:
            continue
        meter, counted = state.meters[key], true[key]
        value = meter.value
        if meter.correct(counted):
            before.setdefault(key[2], {})[key] = value
            state.note_ladder(key)
    return before


def _follow(state: State, partner_id: int, before: Before, now: datetime) -> None:
    """Let whatever watches the series follow for one partner, moved or not: a watcher may be new."""
    partner = state.partners[partner_id]
    catch_up(state, partner, now=now)
    transaction_id = state.ids.take()
    transaction = Transaction(
        id=transaction_id,
        partner_id=partner_id,
        key=f"review/{transaction_id}",
        activity_id=None,
        occurred_at=now,
        posted_at=now,
    )
    moment = Moment.apart(partner_id, now, partner.view.time_zone)
    root = transaction.because.add("review", localDate=moment.local_date.isoformat())
    series = state.plan.due
    follow_missions(state, transaction, partner, moment, before, root, series=series)
    follow_badges(
        state,
        transaction,
        partner_id,
        root,
        series=series | moved(state, before, among=state.plan.badges_by_series),
    )
    follow_tier(state, transaction, partner, root, cause=Cause.CONFIGURED)
    ladder = state.plan.ladder
    if (
        ladder is not None
        and ladder.series_id in series
        and (partner.number or partner_id in state.standings)
    ):
        state.mark_tier(partner_id, MarkKind.BEGAN, now=now, with_standing=True)
    if transaction.entries or transaction.facts:
        state.transactions.append(transaction)
