"""What a batch decides on: all the state of its partners, held in memory between one load and one write."""

from bisect import insort_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from activity.returns import Original
from activity.rules import Activity
from base.ids import Ids
from game.badges.rules import Award
from game.missions.rules import Completion
from game.plan import Plan
from loyalty.earning.counters import Counters
from loyalty.earning.versions import EarningRule
from loyalty.ledger.books import Books, Lot, Transaction
from loyalty.tiers.changes import TierChange
from loyalty.tiers.marks import MarkKind, TierMark, write_standing
from loyalty.tiers.reviews import Review
from loyalty.tiers.rules import Standing, Tier
from metrics.history import occurred, reached_at
from metrics.meters import Meters
from metrics.rules import MeterKey, Movement
from metrics.windows import local_day
from partners.rules import NO_SEGMENTS, PartnerView, Segments

Before: TypeAlias = dict[MeterKey, Decimal]
"""What the meters that something moved stood at before it."""


@dataclass(slots=True)
class PartnerState:
    """A locked partner. `number` is that of its last activity; `version` that of what others see of it."""

    view: PartnerView
    number: int
    version: int
    created_at: datetime
    joined_on: date | None
    segments: Segments = NO_SEGMENTS

    def set_tier(self, tier: Tier) -> None:
        """Take the tier into the view: what is decided next sees it, and the segments that it leads to."""
        self.view = self.segments.move(self.view, tier=tier.key)

    def change_tier(self, tier: Tier) -> None:
        """Move to another tier, which others see too."""
        self.set_tier(tier)
        self.version += 1


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened to a partner, on its own calendar. `kind` is empty where no activity caused it."""

    partner_id: int
    kind: str
    occurred_at: datetime
    local_date: date

    @classmethod
    def apart(cls, partner_id: int, instant: datetime, time_zone: str) -> "Moment":
        """A moment that no activity made."""
        return cls(partner_id, "", instant, local_day(instant, time_zone))


@dataclass(slots=True)
class State:
    """The working set of a batch. `history` holds the partners whose whole journal was needed."""

    plan: Plan
    ids: Ids
    partners: Mapping[int, PartnerState]
    meters: Meters
    books: Books
    standings: dict[int, Standing]
    completions: dict[tuple[int, int], Completion]
    awards: dict[tuple[int, int, int], Award]
    counters: Counters = field(default_factory=lambda: Counters({}, {}))
    """What earning rules have given so far, where they give no more than so much."""
    purchases: dict[int, Sequence[EarningRule]] = field(default_factory=dict)
    """By activity id, the rules that counted it as a purchase."""
    waits_for_past: bool = False
    """A past is being loaded beside this batch: what it renews or takes back must not have expired before its time."""
    filled_through: dict[int, int] = field(default_factory=dict)
    """Of the series that are being filled, the last partner whose past is in it."""
    due_through: dict[int, int] = field(default_factory=dict)
    """Of the series whose past is gone through again, the last partner for whom that is done."""
    originals: dict[tuple[str, str], Original] = field(default_factory=dict)
    history: dict[int, list[Original]] = field(default_factory=dict)
    """In the order of `occurred_at`."""
    points_left: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Points that the activities in `history` still stand for, (earned, rewards)."""
    reward_transactions: dict[str, int] = field(default_factory=dict)
    """The transaction that paid a completion, by its key."""
    moments: dict[int, Moment] = field(default_factory=dict)
    """When the activities behind rewards happened, by activity id."""
    apart: dict[int, Moment] = field(default_factory=dict)
    """When rewards that no activity set off were granted, by lot."""
    ladder_windows: dict[int, set[MeterKey]] = field(default_factory=dict)
    """The meters that a partner's tier goes by."""
    activities: list[Activity] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    tier_changes: list[TierChange] = field(default_factory=list)
    tier_reviews: list[Review] = field(default_factory=list)
    tier_marks: list[TierMark] = field(default_factory=list)

    def move(self, movements: Iterable[Movement], *, occurred_at: datetime, before: Before) -> None:
        """Take movements into the meters, and note in `before` where each stood."""
        for movement in movements:
            key, amount = movement.key, movement.amount
            meter = self.meters[key]
            before.setdefault(key, meter.value)
            took_last = not amount.stands and meter.reached_at == occurred_at
            meter.move(amount, occurred_at=occurred_at)
            if took_last:
                history = self.history.get(key[2], ())
                found = reached_at(movement.series, key[1], history, self.points_left, until=occurred_at)
                meter.reached_at = found or meter.reached_at
            self.note_ladder(key)

    def remember(self, original: Original) -> None:
        """Take an activity into its partner's history, where that is held."""
        history = self.history.get(original.activity.partner_id)
        if history is not None:
            insort_right(history, original, key=occurred)

    def is_filled(self, series_id: int, partner_id: int) -> bool:
        """Whether the partner's meters of a series hold its past too. Where not, a review is on its way."""
        return partner_id <= self.filled_through.get(series_id, partner_id)

    def is_due(self, series_id: int, partner_id: int) -> bool:
        """Whether the past of a series is still to be gone through again for the partner."""
        return partner_id > self.due_through.get(series_id, partner_id)

    def mark_tier(
        self, partner_id: int, kind: MarkKind, *, now: datetime, with_standing: bool = False
    ) -> None:
        """Keep that something decided about a partner's tier beside its activities."""
        standing = self.standings.get(partner_id) if with_standing else None
        stored = None if standing is None else write_standing(standing)
        self.tier_marks.append(TierMark(partner_id, self.partners[partner_id].number, kind, now, stored))

    def note_ladder(self, key: MeterKey) -> None:
        """Remember a meter that the partner's tier goes by."""
        if self.plan.ladder is not None and key[0] == self.plan.ladder.series_id:
            self.ladder_windows.setdefault(key[2], set()).add(key)

    def count_points(self, activity_id: int | None, *, earned: int = 0, rewards: int = 0) -> tuple[int, int]:
        """Note points that an activity brought or lost; what it stands for now. None where no activity did."""
        if activity_id is None:
            return 0, 0
        before = self.points_left.get(activity_id, (0, 0))
        left = self.points_left[activity_id] = (before[0] + earned, before[1] + rewards)
        return left

    def moment_of(self, lot: Lot) -> Moment:
        """When a reward was set off: by its activity, or by a review when it was granted."""
        found = self.moments.get(lot.activity_id or 0) or self.apart.get(lot.id)
        zone = self.partners[lot.partner_id].view.time_zone
        return found or Moment.apart(lot.partner_id, lot.granted_at, zone)
