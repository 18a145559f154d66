"""The tiers, climbed again: all that happened to a partner in the order in which it was decided, by the live rules.

Where that brings it is where it stands, and the changes on the way are those of its history.

Page by page of partners, each page a snapshot. A partner's climb begins where the past was last gone through again for
the ladder, on the standing that was kept of it then (`loyalty.tiers.marks`); else with nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from activity.rules import RETURN
from base.database import Connection, reading
from game.loading import check_version
from game.plan import Plan, load_plan
from loyalty.tiers.marks import MarkKind, TierMark, read_standing
from loyalty.tiers.reviews import Cause, begin, bring_up_to_date, follow, next_due
from loyalty.tiers.rules import Ladder, Standing
from loyalty.tiers.standings import build_standings, read_standings
from metrics.counting import Counting
from metrics.meters import Meters
from metrics.rules import POINTS
from ops.audit.check import Check, Finding
from ops.audit.paging import begun_anew, read_pages
from ops.audit.past import Happening, Past, count_points, load_pasts

CHANGES: Final = """
SELECT partner_id, from_tier, to_tier, changed_at, cause
FROM tier_change WHERE program_id = $1 AND partner_id = ANY($2::bigint[]) ORDER BY id
"""


class Change(NamedTuple):
    """From one tier to another, by their keys."""

    before: str
    after: str
    changed_at: datetime
    cause: str


@dataclass(slots=True)
class Climb:
    """A partner on its way up a ladder, and down. `standing` is None as long as there is none to keep."""

    ladder: Ladder
    meters: Meters
    standing: Standing | None = None
    values: dict[date, Decimal] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def go(self, counting: Counting, past: Past) -> None:
        """All the way; from where it begins, or from the first activity."""
        begins = [place for place, one in enumerate(past.happenings) if _begins(one)]
        start = begins[-1] if begins else -1
        for movement in count_points(counting, past.strays):
            self.meters[movement.key].move(movement.amount, occurred_at=past.happenings[0].at)
            self.values[movement.key[1]] = self.meters[movement.key].value
        for place, one in enumerate(past.happenings):
            if place <= start:
                self._move(counting, past, one)
                if place == start:
                    assert one.mark is not None
                    self.standing = None if one.mark.standing is None else read_standing(one.mark.standing)
            elif one.activity is not None:
                self._take(counting, past, one)
            elif one.review is not None:
                self._review(counting, past, one, is_due=self.ladder.series_id in one.review.series_ids)
            elif one.mark is not None:
                self._mark(one, one.mark)

    def _take(self, counting: Counting, past: Past, one: Happening) -> None:
        """An activity."""
        assert one.activity is not None
        climbing = self.standing
        if one.number not in past.waited:
            climbing = self._catch_up(one)
        if self._move(counting, past, one):
            self.standing = climbing or Standing(0, None)
            cause = Cause.RETURNED if one.activity.kind == RETURN else Cause.COUNTED
            self._follow(self.standing, one, one.activity.occurred_at, cause)

    def _review(self, counting: Counting, past: Past, one: Happening, *, is_due: bool) -> None:
        """The past gone through again: for the ladder itself there is a mark where there is anything to go on with."""
        if is_due:
            self._move(counting, past, one)
            return
        climbing = self._catch_up(one)
        self._move(counting, past, one)
        if climbing is not None or self.values:
            self.standing = climbing or Standing(0, None)
            self._follow(self.standing, one, one.at, Cause.CONFIGURED)

    def _mark(self, one: Happening, mark: TierMark) -> None:
        """A review by the job, or a person who puts the partner on a tier."""
        climbing = self._catch_up(one)
        if mark.kind is not MarkKind.OVERRIDDEN or mark.standing is None:
            return
        standing = self.standing = climbing or Standing(0, None)
        level = standing.level
        standing.override = read_standing(mark.standing).override
        standing.level = standing.earned if standing.override is None else standing.override.level
        standing.review_at = next_due(self.ladder, standing, one.calendar)
        cause = Cause.OVERRIDE_ENDED if standing.override is None else Cause.OVERRIDDEN
        self._change(standing, level, standing.level, one.at, cause, since=one.at)

    def _catch_up(self, one: Happening) -> Standing | None:
        """What was due by then is reviewed. One that has nothing to keep yet begins, and is given back alone."""
        standing = self.standing
        if standing is None:
            if not self.ladder.is_reviewed:
                return None
            standing = Standing(0, None)
            begin(self.ladder, standing, self.values, one.calendar, now=one.at)
            return standing
        if standing.is_due(one.at):
            for review in bring_up_to_date(self.ladder, standing, self.values, one.calendar, now=one.at):
                self._change(standing, review.before, review.after, review.at, review.cause, since=review.at)
        return standing

    def _move(self, counting: Counting, past: Past, one: Happening) -> bool:
        """Take what happened into the meters; whether anything of the ladder's moved."""
        moved = False
        for movement in past.movements(counting, one):
            meter = self.meters[movement.key]
            meter.move(movement.amount, occurred_at=one.at)
            self.values[movement.key[1]] = meter.value
            moved = True
        return moved

    def _follow(self, standing: Standing, one: Happening, at: datetime, cause: Cause) -> None:
        level = standing.level
        if self.ladder.is_reviewed and standing.open_from is None:
            begin(self.ladder, standing, self.values, one.calendar, now=one.at)
        follow(self.ladder, standing, self.values, one.calendar)
        self._change(standing, level, standing.level, at, cause, since=one.at)

    def _change(
        self, standing: Standing, before: int, after: int, at: datetime, cause: Cause, *, since: datetime
    ) -> None:
        if before != after:
            standing.since = since
            keys = [self.ladder.tiers[level].key for level in (before, after)]
            self.changes.append(Change(keys[0], keys[1], at, cause.value))


def _begins(one: Happening) -> bool:
    return one.mark is not None and one.mark.kind is MarkKind.BEGAN


class Read(NamedTuple):
    """What was read of some partners."""

    pasts: Sequence[Past]
    standings: Mapping[int, Standing]
    changes: Mapping[int, Sequence[Change]]


async def look_at_tiers(program_id: int) -> Finding:
    """Climb again with every partner."""
    async with reading() as connection:
        plan = await load_plan(connection, program_id)
    ladder = plan.ladder
    if ladder is None:
        return Finding(0, 0)
    if ladder.series_id in plan.unfilled | plan.due:
        return Finding(0, 0, note="left out: the ladder's past is still being gone through")

    async def read(connection: Connection, partner_ids: list[int]) -> Read:
        await check_version(connection, plan)
        return await _read(connection, plan, ladder, partner_ids)

    found, midway = Finding(0, 0), 0
    async for page in read_pages(program_id, read):
        offending = []
        for past in page.pasts:
            is_whole = not any(_begins(one) for one in past.happenings)
            midway += not is_whole
            offending += _climb_again(plan, ladder, past, page, is_whole=is_whole)
        found = found.add(len(page.pasts), offending)
    told = "climbed from where they stood when the ladder was set, or its past gone through"
    return replace(found, note=f"{midway:,} partners {told}" if midway else "")


async def _read(connection: Connection, plan: Plan, ladder: Ladder, partner_ids: list[int]) -> Read:
    program_id = plan.program_id
    counts_points = plan.counting.series[ladder.series_id].metric.measure in POINTS
    pasts = await load_pasts(
        connection, program_id=program_id, partner_ids=partner_ids, with_points=counts_points
    )
    statement = read_standings(program_id=program_id, partner_ids=partner_ids)
    standings = build_standings(await connection.fetch(statement.sql, *statement.args))
    changes: dict[int, list[Change]] = {id_: [] for id_ in partner_ids}
    for partner_id, *change in await connection.fetch(CHANGES, program_id, partner_ids):
        changes[partner_id].append(Change(*change))
    return Read(pasts, standings, changes)


def _climb_again(plan: Plan, ladder: Ladder, past: Past, page: Read, *, is_whole: bool) -> list[str]:
    """What a partner's climb does not come to as it is stored."""
    counting = Counting([plan.counting.series[ladder.series_id]])
    climb = Climb(ladder, Meters(counting.series))
    climb.go(counting, past)
    stored = page.standings.get(past.partner_id, Standing(0, None))
    climbed = climb.standing or Standing(0, None)
    return [
        *compare_changes(
            past.code, stored=page.changes[past.partner_id], climbed=climb.changes, is_whole=is_whole
        ),
        *compare(past.code, ladder, stored=stored, climbed=climbed),
    ]


def compare(code: str, ladder: Ladder, *, stored: Standing, climbed: Standing) -> list[str]:
    """Whether both stand on the same tier since the same moment, for the same reasons."""
    if _place(stored) == _place(climbed):
        return []
    return [f"partner {code} stands on {_told(ladder, stored)}, not on {_told(ladder, climbed)}"]


def _place(one: Standing) -> tuple[object, ...]:
    return (
        one.level,
        one.since,
        one.earned,
        one.carried,
        one.open_from,
        one.review_at,
        one.peaks,
        one.override,
    )


def _told(ladder: Ladder, one: Standing) -> str:
    keys = [ladder.tiers[level].key for level in (one.level, one.earned, one.carried)]
    return f"{keys[0]} since {one.since} (earned {keys[1]}, carried {keys[2]}, open from {one.open_from})"


def compare_changes(
    code: str, *, stored: Sequence[Change], climbed: Sequence[Change], is_whole: bool
) -> list[str]:
    """Whether the history tells of the changes that the climb came to; before one that begins midway, of more."""
    told = (
        stored if is_whole else stored[len(stored) - len(climbed) :] if len(stored) > len(climbed) else stored
    )
    if list(told) == list(climbed):
        return []
    for place in range(max(len(told), len(climbed))):
        was, is_ = (one[place] if place < len(one) else None for one in (told, climbed))
        if was != is_:
            return [f"partner {code}: the history has {_name(was)}, not {_name(is_)}"]
    raise AssertionError("they differ somewhere")


def _name(change: Change | None) -> str:
    if change is None:
        return "nothing"
    return f"{change.before} to {change.after} at {change.changed_at:%Y-%m-%d %H:%M} ({change.cause})"


CLIMBED: Final = Check(
    "tiers climbed again",
    "replayed in the order of acceptance, each partner stands on the tier that it does, and changed it as was told",
    begun_anew(look_at_tiers),
)
