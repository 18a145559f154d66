"""What happened to partners, in the order in which it was decided: what the replays of tiers and progress go by.

Activities as they were numbered; after some of them the past gone through again, and what else decided about a tier.
Points are those that lots and entries tell of, each with the activity, or the review, that brought or took it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from activity.journal import load_originals
from activity.returns import Original
from activity.rules import RETURN, Activity
from base.database import Connection
from game.state import Moment
from loyalty.ledger.books import POINT, EntryKind
from loyalty.tiers.marks import MarkKind, TierMark
from loyalty.tiers.periods import Calendar
from metrics.counting import Counting, whole
from metrics.rules import Movement, Placed

PARTNERS: Final = """
SELECT p.id, p.code, p.created_at, p.joined_on, coalesce(p.time_zone, g.time_zone) AS time_zone
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND p.id = ANY($2::bigint[]) ORDER BY p.id
"""
ACTIVITIES: Final = "SELECT id FROM activity WHERE program_id = $1 AND partner_id = ANY($2::bigint[])"
REVIEWS: Final = """
SELECT r.id, k.partner_id, k.number, r.reviewed_at, r.config_version, r.series_ids, r.filled_ids
FROM past_review r CROSS JOIN LATERAL unnest(r.partner_ids, r.numbers) AS k (partner_id, number)
WHERE r.program_id = $1 AND r.last_partner >= ($2::bigint[])[1] AND k.partner_id = ANY($2::bigint[])
"""
MARKS: Final = """
SELECT id, partner_id, number, kind, made_at, standing::text
FROM tier_mark WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""
CALENDARS: Final = """
SELECT c.id, c.partner_id, c.number, coalesce(c.time_zone, g.time_zone) AS time_zone, c.joined_on
FROM partner_calendar c JOIN program g ON g.id = c.program_id
WHERE c.program_id = $1 AND c.partner_id = ANY($2::bigint[]) ORDER BY c.id
"""
# What rules and missions granted for activities ($2), and missions when the past was gone through again for some ($3).
GRANTED: Final = f"""
SELECT l.id, l.partner_id, l.activity_id, l.rule_id IS NOT NULL AS is_earned, l.granted, l.granted_at,
       NULL AS local_date
FROM lot l WHERE l.program_id = $1 AND l.activity_id = ANY($2::bigint[]) AND l.unit = '{POINT}'
UNION ALL
SELECT l.id, l.partner_id, NULL, false, l.granted, l.granted_at, (t.because -> 0 ->> 'localDate')::date
FROM lot l JOIN ledger_transaction t ON t.program_id = l.program_id AND t.id = l.transaction_id
WHERE l.program_id = $1 AND l.partner_id = ANY($3::bigint[]) AND l.activity_id IS NULL AND l.unit = '{POINT}'
  AND t.key LIKE 'mission/%'
"""  # noqa: S608  # constants
# What was taken back of a lot, from wherever it came.
RECALLED: Final = f"""
SELECT e.lot_id, t.activity_id, t.posted_at, -sum(e.amount)::bigint AS points
FROM ledger_entry e JOIN ledger_transaction t ON t.program_id = e.program_id AND t.id = e.transaction_id
WHERE e.program_id = $1 AND e.partner_id = ANY($2::bigint[]) AND e.unit = '{POINT}' AND e.kind = '{EntryKind.REVERSE}'
GROUP BY e.lot_id, t.activity_id, t.posted_at
"""  # noqa: S608  # constants


@dataclass(frozen=True, slots=True)
class Review:
    """The past gone through again for series, of which some had lacked a part, by one version of the configuration."""

    config_version: int
    series_ids: frozenset[int]
    filled_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class PointsMoved:
    """Points that something brought, or took where they are below zero, and when what they were for happened."""

    of: Placed
    earned: int
    rewards: int


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that decided: an activity, a review of the past, or a mark; after the activity `number`, or itself."""

    number: int
    id: int
    at: datetime
    calendar: Calendar
    points: Sequence[PointsMoved] = ()
    activity: Activity | None = None
    review: Review | None = None
    mark: TierMark | None = None


@dataclass(slots=True)
class Past:
    """A partner's, in its order. `waited`: the numbers of activities that were accepted beside a load of the past."""

    partner_id: int
    code: str
    created_at: datetime
    calendar: Calendar
    happenings: Sequence[Happening]
    waited: frozenset[int]
    strays: Sequence[PointsMoved]
    """Rewards of reviews that were not kept: those from before any was."""
    originals: Mapping[int, Original] = field(default_factory=dict)

    def movements(self, counting: Counting, one: Happening) -> Iterator[Movement]:
        """What an activity or review moved. Each is asked for once, in order: what is left of originals follows."""
        if one.activity is not None:
            for movement in _count(counting, one.activity, self.originals):
                if movement.amount.delta or movement.amount.parts:
                    yield movement
        yield from count_points(counting, one.points)


def count_points(counting: Counting, points: Iterable[PointsMoved]) -> Iterator[Movement]:
    """What points moved."""
    for one in points:
        yield from counting.count_points(one.of, earned=one.earned, rewards=one.rewards)


def _count(counting: Counting, activity: Activity, originals: Mapping[int, Original]) -> Iterator[Movement]:
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


@dataclass(slots=True)
class _Found:
    """What was read of a partner."""

    activities: list[Activity] = field(default_factory=list)
    reviews: list[tuple[int, int, datetime, Review]] = field(default_factory=list)
    marks: list[tuple[int, TierMark]] = field(default_factory=list)
    calendars: list[tuple[int, int, str, date | None]] = field(default_factory=list)


async def load_pasts(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int], with_points: bool
) -> list[Past]:
    """All that happened to these partners, whose ids rise."""
    found = {id_: _Found() for id_ in partner_ids}
    ids = [row["id"] for row in await connection.fetch(ACTIVITIES, program_id, partner_ids)]
    journal = await load_originals(connection, program_id=program_id, activity_ids=ids)
    for original in journal.values():
        found[original.activity.partner_id].activities.append(original.activity)
    for id_, partner_id, number, at, version, series, filled in await connection.fetch(
        REVIEWS, program_id, partner_ids
    ):
        review = Review(version, frozenset(series), frozenset(filled))
        found[partner_id].reviews.append((number, id_, at, review))
    for id_, partner_id, number, kind, made_at, standing in await connection.fetch(
        MARKS, program_id, partner_ids
    ):
        found[partner_id].marks.append((id_, TierMark(partner_id, number, MarkKind(kind), made_at, standing)))
    for id_, partner_id, number, time_zone, joined_on in await connection.fetch(
        CALENDARS, program_id, partner_ids
    ):
        found[partner_id].calendars.append((number, id_, time_zone, joined_on))
    of_activities: dict[int, list[PointsMoved]] = {}
    apart: dict[tuple[int, datetime], list[PointsMoved]] = {}
    if with_points:
        of_activities, apart = await _load_points(connection, program_id, partner_ids, journal)
    return [
        _past(row, found[row["id"]], of_activities, apart)
        for row in await connection.fetch(PARTNERS, program_id, partner_ids)
    ]


async def _load_points(
    connection: Connection, program_id: int, partner_ids: Sequence[int], journal: Mapping[int, Original]
) -> tuple[dict[int, list[PointsMoved]], dict[tuple[int, datetime], list[PointsMoved]]]:
    """By the activity, or the partner and the moment of a review, the points that it brought and took."""
    of_activities: dict[int, list[PointsMoved]] = {}
    apart: dict[tuple[int, datetime], list[PointsMoved]] = {}
    lots: dict[int, tuple[Placed, bool]] = {}
    for id_, partner_id, activity_id, is_earned, granted, granted_at, local_date in await connection.fetch(
        GRANTED, program_id, list(journal), partner_ids
    ):
        of: Placed
        if activity_id is None:
            of = Moment(partner_id, "", granted_at, local_date)
            into = apart.setdefault((partner_id, granted_at), [])
        else:
            of = journal[activity_id].activity
            into = of_activities.setdefault(activity_id, [])
        lots[id_] = of, is_earned
        into.append(_moved(of, granted, is_earned=is_earned))
    for lot_id, activity_id, posted_at, points in await connection.fetch(RECALLED, program_id, partner_ids):
        if lot_id in lots:
            of, is_earned = lots[lot_id]
            if activity_id is None:
                into = apart.setdefault((of.partner_id, posted_at), [])
            else:
                into = of_activities.setdefault(activity_id, [])
            into.append(_moved(of, -points, is_earned=is_earned))
    return of_activities, apart


def _moved(of: Placed, points: int, *, is_earned: bool) -> PointsMoved:
    return PointsMoved(of, points if is_earned else 0, 0 if is_earned else points)


def _past(
    row: Mapping[str, object],
    found: _Found,
    of_activities: Mapping[int, Sequence[PointsMoved]],
    apart: dict[tuple[int, datetime], list[PointsMoved]],
) -> Past:
    partner_id, created_at = row["id"], row["created_at"]
    time_zone, joined_on = row["time_zone"], row["joined_on"]
    assert isinstance(partner_id, int)
    assert isinstance(created_at, datetime)
    assert isinstance(time_zone, str)
    assert joined_on is None or isinstance(joined_on, date)
    present = Calendar.of(time_zone, created_at, joined_on)
    former = [
        ((number, id_), Calendar.of(zone, created_at, day)) for number, id_, zone, day in found.calendars
    ]

    def calendar(number: int, id_: int) -> Calendar:
        """The one that the partner had there."""
        return next((one for through, one in former if (number, id_) < through), present)

    happenings = [
        Happening(
            one.number,
            0,
            one.posted_at,
            calendar(one.number, 0),
            of_activities.get(one.id, ()),
            activity=one,
        )
        for one in found.activities
    ]
    for number, id_, at, review in found.reviews:
        points = apart.pop((partner_id, at), ())
        happenings.append(Happening(number, id_, at, calendar(number, id_), points, review=review))
    for id_, mark in found.marks:
        if mark.kind is not MarkKind.WAITED:
            happenings.append(
                Happening(mark.number, id_, mark.made_at, calendar(mark.number, id_), mark=mark)
            )
    strays = [one for key, moved in apart.items() if key[0] == partner_id for one in moved]
    return Past(
        partner_id=partner_id,
        code=str(row["code"]),
        created_at=created_at,
        calendar=present,
        happenings=sorted(happenings, key=lambda one: (one.number, one.id)),
        waited=frozenset(mark.number for _, mark in found.marks if mark.kind is MarkKind.WAITED),
        strays=strays,
        originals={one.id: Original.of(one) for one in found.activities},
    )
