"""Missions and badges, decided again: all that happened to a partner, one by one, with its meters as they were.

It is the very code that decides live (`game.reaction`). What a mission or badge saw follows from the configuration by
which each activity was decided, and from when the past was gone through again. What it pays is left to the journal's
points: here nothing is paid again.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from base.database import Connection
from game.badges.rules import Badge
from game.missions.rules import Mission
from game.plan import Plan, load_plan
from game.reaction import follow_badge, follow_mission, moved
from game.state import Before, Moment, State
from loyalty.ledger.books import Transaction
from metrics.counting import Counting
from metrics.rules import POINTS
from ops.audit.audiences import Admission, Paid, TierTurns, is_kept
from ops.audit.past import Happening, Past, count_points
from partners.rules import Audience

VERSIONS: Final = """
SELECT 'mission' AS noun, id, published_version AS since, ended_version AS until
FROM mission WHERE program_id = $1 AND published_at IS NOT NULL
UNION ALL SELECT 'badge', id, created_version, NULL FROM badge WHERE program_id = $1
"""
EVERYONE: Final = Audience()


@dataclass(frozen=True, slots=True)
class Watched:
    """A mission, or a badge with a metric, and the versions of the configuration that knew it (and had ended it)."""

    since: int
    until: int | None
    series: frozenset[int]
    mission: Mission | None = None
    badge: Badge | None = None
    audience: Audience = EVERYONE
    ended_at: datetime | None = None

    @property
    def is_sure(self) -> bool:
        """Whether its audience goes by nothing but what is kept."""
        return is_kept(self.audience)


@dataclass(frozen=True, slots=True)
class Watching:
    """All that is decided again, in the order in which it is decided live; `left_out` is how many are not."""

    plan: Plan
    counting: Counting
    missions: Sequence[Watched]
    badges: Sequence[Watched]
    pays: frozenset[int]
    """The missions that pay points."""
    most: int
    """The most that one of them pays."""
    left_out: int

    @property
    def with_points(self) -> bool:
        """Whether anything of it counts points."""
        return any(one.metric.measure in POINTS for one in self.counting.series.values())


async def load_watching(connection: Connection, program_id: int) -> Watching:
    """What watches meters that hold all of their past."""
    plan = await load_plan(connection, program_id)
    rows = {
        (row["noun"], row["id"]): (row["since"], row["until"])
        for row in await connection.fetch(VERSIONS, program_id)
    }
    moving = plan.unfilled | plan.due
    # What a mission pays is in the journal's points: here nothing is paid again.
    decided = {
        one.id: replace(one, audience=EVERYONE, points=0, ended_at=None) for one in plan.missions.values()
    }
    missions = [
        Watched(
            *rows["mission", id_],
            frozenset(objective.series.id for objective in one.objectives),
            mission=decided[id_],
            audience=one.audience,
            ended_at=one.ended_at,
        )
        for id_, one in sorted(plan.missions.items())
    ]
    badges = [
        Watched(*rows["badge", id_], frozenset([one.series.id]), badge=one)
        for id_, one in sorted(plan.badges.items())
        if one.series is not None
    ]
    settled = [one for one in (*missions, *badges) if not one.series & moving]
    series = {id_ for one in settled for id_ in one.series}
    return Watching(
        plan=replace(plan, missions=decided, ladder=None),
        counting=Counting(plan.counting.series[id_] for id_ in sorted(series)),
        missions=[one for one in settled if one.mission is not None],
        badges=[one for one in settled if one.badge is not None],
        pays=frozenset(one.id for one in plan.missions.values() if one.points),
        most=max((one.points for one in plan.missions.values()), default=0),
        left_out=len(missions) + len(badges) - len(settled),
    )


@dataclass(slots=True)
class Replay:
    """A partner's missions and badges, one happening after the other.

    `paid` is what set each completion off: the activity, or None for a review, and when, by the key of its reward.
    `unsure` holds missions of which it cannot be told whether the partner was in their audience.
    """

    watching: Watching
    past: Past
    admission: Admission
    turns: TierTurns
    state: State
    paid: dict[str, Paid] = field(default_factory=dict)
    unsure: set[int] = field(default_factory=set)
    _filled_at: dict[int, tuple[int, int]] = field(default_factory=dict)

    def go(self) -> None:
        """From the first to the last."""
        for one in self.past.happenings:
            if one.review is not None:
                for series_id in one.review.filled_ids:
                    self._filled_at.setdefault(series_id, (one.number, one.id))
        for movement in count_points(self.watching.counting, self.past.strays):
            self.state.meters[movement.key].move(movement.amount, occurred_at=self.past.happenings[0].at)
        for one in self.past.happenings:
            self.turns.catch_up(one)
            if one.activity is not None:
                self._take(one, one.activity.config_version)
            elif one.review is not None:
                self._review(one, one.review.config_version, one.review.series_ids)
            self.turns.follow(one)
        if not self.turns.is_sure:
            by_tier = (one.mission for one in self.watching.missions if one.audience.tiers)
            self.unsure.update(one.id for one in by_tier if one is not None)

    def _take(self, one: Happening, version: int) -> None:
        before = self._move(one)
        changed = moved(self.state, before, among=self.watching.counting.series)
        transaction = self._transaction(one)
        for watched in self.watching.missions:
            if watched.series & changed and watched.since <= version:
                filled = [id_ for id_ in watched.series if self._is_filled(id_, one)]
                if len(filled) == len(watched.series):
                    self._follow_mission(transaction, watched, one, version, before)
                elif changed & set(filled):
                    # Decided on meters of which one did not hold the past yet: what it showed is not kept.
                    assert watched.mission is not None
                    self.unsure.add(watched.mission.id)
        self._follow_badges(transaction, one, version, changed)

    def _review(self, one: Happening, version: int, series: frozenset[int]) -> None:
        before = self._move(one)
        changed = moved(self.state, before, among=self.watching.counting.series) | series
        transaction = self._transaction(one)
        for watched in self.watching.missions:
            if watched.series & series and watched.since <= version:
                self._follow_mission(transaction, watched, one, version, {})
        self._follow_badges(transaction, one, version, changed)

    def _move(self, one: Happening) -> Before:
        before: Before = {}
        for movement in self.past.movements(self.watching.counting, one):
            self.state.move([movement], occurred_at=one.at, before=before)
        return before

    def _is_filled(self, series_id: int, one: Happening) -> bool:
        """Whether the meter held all of the partner's past there."""
        return (one.number, one.id) > self._filled_at.get(series_id, (0, 0))

    def _follow_mission(
        self, transaction: Transaction, watched: Watched, one: Happening, version: int, before: Before
    ) -> None:
        mission, partner = watched.mission, self.state.partners[self.past.partner_id]
        assert mission is not None
        completion = self.state.completions.get((mission.id, self.past.partner_id))
        stands = completion is not None and completion.stands
        if not stands:
            admitted = self.admission.admits(watched.audience, mission, one, tier=self.turns.tier)
            if admitted is None:
                self.unsure.add(mission.id)
            if not admitted:
                return
        if watched.until is not None and watched.until <= version:
            mission = replace(mission, ended_at=watched.ended_at)
        moment = Moment(self.past.partner_id, "", one.at, one.at.date())
        follow_mission(self.state, transaction, mission, partner, moment, before, 0)
        completion = self.state.completions.get((mission.id, self.past.partner_id))
        if not stands and completion is not None and completion.stands:
            activity_id = None if one.activity is None else one.activity.id
            self.paid[completion.reward_key()] = Paid(activity_id, one.at)

    def _follow_badges(
        self, transaction: Transaction, one: Happening, version: int, changed: Set[int]
    ) -> None:
        for watched in self.watching.badges:
            if watched.series & changed and watched.since <= version:
                assert watched.badge is not None
                assert watched.badge.series is not None
                if one.review is not None or self._is_filled(watched.badge.series.id, one):
                    follow_badge(self.state, transaction, watched.badge, self.past.partner_id, 0)

    def _transaction(self, one: Happening) -> Transaction:
        activity_id = None if one.activity is None else one.activity.id
        transaction = Transaction(
            id=0,
            partner_id=self.past.partner_id,
            key="",
            activity_id=activity_id,
            occurred_at=one.at,
            posted_at=one.at,
        )
        transaction.because.add("replay")
        return transaction
