"""The tiers, climbed again: the journal in the order in which it was accepted, by the rules that decide live.

Page by page of partners, each page a snapshot. Both the standing that is stored and the one that is climbed again are
brought to the same present, as the job that reviews them may be late. Left out are partners that were there before
the ladder was set as it stands, whose zone has changed since, or whose past was loaded at more than one time: the job
may have reviewed them in between, which is not kept. So are ladders that count points.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from activity.journal import load_originals
from activity.returns import Original
from activity.rules import RETURN, Activity
from base.database import reading, transaction
from game.plan import Plan, load_plan
from loyalty.tiers.periods import Calendar
from loyalty.tiers.reviews import bring_up_to_date, follow
from loyalty.tiers.rules import Ladder, Standing
from loyalty.tiers.standings import build_standings, read_standings
from metrics.counting import Counting, whole
from metrics.meters import Meters
from metrics.rules import POINTS, Movement
from ops.audit.check import SHOWN, Check, Finding
from ops.audit.paging import SNAPSHOT, next_partners

AT_ONCE: Final = timedelta(minutes=10)
"""Between what is loaded of a past in one go."""
LADDER: Final = "SELECT set_after FROM tier_ladder WHERE program_id = $1"
ACTIVITIES: Final = "SELECT id FROM activity WHERE program_id = $1 AND partner_id = ANY($2::bigint[])"
PARTNERS: Final = """
SELECT p.id, p.code, p.created_at, p.joined_on, coalesce(p.time_zone, g.time_zone) AS time_zone
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND p.id = ANY($2::bigint[])
"""


def climb(
    ladder: Ladder, counting: Counting, history: Sequence[Activity], calendar: Calendar
) -> tuple[Standing, dict[date, Decimal]]:
    """Where a partner's activities, in the order of acceptance, have brought it; and what its meters stand at."""
    originals = {one.id: Original.of(one) for one in history}
    meters = Meters(counting.series)
    standing: Standing | None = None
    for activity in history:
        values = _values(meters)
        now = activity.posted_at
        climbing = standing or Standing(0, None)
        bring_up_to_date(ladder, climbing, values, calendar, now=now)
        moved = False
        for movement in _movements(counting, activity, originals):
            if movement.amount.delta or movement.amount.parts:
                meters[movement.key].move(movement.amount, occurred_at=activity.occurred_at)
                moved = True
        if moved:
            standing = climbing
            follow(ladder, standing, _values(meters), calendar)
    return standing or Standing(0, None), _values(meters)


def _movements(
    counting: Counting, activity: Activity, originals: Mapping[int, Original]
) -> Iterable[Movement]:
    if activity.kind != RETURN:
        yield from counting.count(activity, whole(activity.lines), stood=False, stands=True)
        return
    of = {line.reverses[0] for line in activity.lines if line.reverses is not None}
    for id_ in sorted(of) or ([] if activity.reverses_id is None else [activity.reverses_id]):
        original = originals[id_]
        stood = original.stands
        taken = [line for line in activity.lines if line.reverses is not None and line.reverses[0] == id_]
        shares = original.take(taken)
        yield from counting.count(original.activity, shares, stood=stood, stands=original.stands)


def _values(meters: Meters) -> dict[date, Decimal]:
    return {key[1]: meter.value for key, meter in meters.items()}


def is_in_order(history: Sequence[Activity], *, time_zone: str, set_after: int) -> bool:
    """Whether all of it was decided by the ladder and on the calendar of today, and no review came in between."""
    if any(one.time_zone != time_zone or one.id <= set_after for one in history):
        return False
    return all(
        before.posted_at <= after.posted_at
        and (after.posted_at == after.recorded_at or after.recorded_at - before.recorded_at <= AT_ONCE)
        for before, after in pairwise(history)
    )


async def look_at_tiers(program_id: int) -> Finding:
    """Climb again with every partner."""
    async with reading() as connection:
        plan = await load_plan(connection, program_id)
        set_after = await connection.fetchval(LADDER, program_id)
    ladder = plan.ladder
    if ladder is None:
        return Finding(0, 0)
    series = plan.counting.series[ladder.series_id]
    if series.metric.measure in POINTS or ladder.series_id in plan.unfilled | plan.due:
        return Finding(0, 0, note="left out: the ladder counts points, or its series is still being filled")
    looked = wrong = left_out = 0
    first: list[str] = []
    after: int | None = 0
    while after is not None:
        after, seen, skipped, offending = await _look_at_page(
            plan, ladder, Counting([series]), set_after, after
        )
        looked, left_out, wrong = looked + seen, left_out + skipped, wrong + len(offending)
        first += offending[: SHOWN - len(first)]
    told = "that were there before the ladder as it stands, or whose past came in pieces"
    note = f"left out: {left_out:,} partners {told}" if left_out else ""
    return Finding(looked, wrong, tuple(first), note)


async def _look_at_page(
    plan: Plan, ladder: Ladder, counting: Counting, set_after: int, after: int
) -> tuple[int | None, int, int, list[str]]:
    """The last partner of the next page (None where there is none), partners seen and left out, and offenders."""
    program_id = plan.program_id
    async with transaction() as connection:
        await connection.execute(SNAPSHOT)
        partner_ids = await next_partners(connection, program_id, after)
        if not partner_ids:
            return None, 0, 0, []
        partners = await connection.fetch(PARTNERS, program_id, partner_ids)
        ids = [row["id"] for row in await connection.fetch(ACTIVITIES, program_id, partner_ids)]
        found = await load_originals(connection, program_id=program_id, activity_ids=ids)
        statement = read_standings(program_id=program_id, partner_ids=partner_ids)
        stored = build_standings(await connection.fetch(statement.sql, *statement.args))
    journal: dict[int, list[Activity]] = {id_: [] for id_ in partner_ids}
    for original in found.values():
        journal[original.activity.partner_id].append(original.activity)
    seen = left_out = 0
    offending = []
    for id_, code, created_at, joined_on, time_zone in partners:
        history = sorted(journal[id_], key=lambda one: one.number)
        if not is_in_order(history, time_zone=time_zone, set_after=set_after):
            left_out += 1
            continue
        seen += 1
        calendar = Calendar.of(time_zone, created_at, joined_on)
        climbed, values = climb(ladder, counting, history, calendar)
        standing = stored.get(id_, Standing(0, None))
        present = max([one.review_at for one in (standing, climbed) if one.review_at], default=created_at)
        offending += compare(
            code, ladder, stored=standing, climbed=climbed, values=values, calendar=calendar, now=present
        )
    return partner_ids[-1], seen, left_out, offending


def compare(
    code: str,
    ladder: Ladder,
    *,
    stored: Standing,
    climbed: Standing,
    values: Mapping[date, Decimal],
    calendar: Calendar,
    now: datetime,
) -> list[str]:
    """Whether both have earned the same at the same moment, whatever a person gave."""
    for standing in (stored, climbed):
        bring_up_to_date(ladder, standing, values, calendar, now=now)
    if (stored.earned, stored.carried) == (climbed.earned, climbed.carried):
        return []
    held, due = (ladder.tiers[one.earned].key for one in (stored, climbed))
    return [
        f"partner {code} has earned {held} (carried {stored.carried}), not {due} (carried {climbed.carried})"
    ]


CLIMBED: Final = Check(
    "tiers climbed again",
    "replayed in the order of acceptance, each partner has earned the tier that it has",
    look_at_tiers,
)
