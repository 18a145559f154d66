"""A version of an earning rule, and when it holds. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from activity.rules import ZERO, Line
from loyalty.earning.shares import RateBasis
from loyalty.earning.terms import NO_TERMS, Band, CapPeriod, Terms
from metrics.rules import Countable, LineFilter
from partners.rules import Audience


@dataclass(frozen=True, slots=True, eq=False)
class EarningRule:
    """One version of a rule. `rate` is points per activity, unit or money unit. Told apart by identity.

    It holds from `effective_from` (the first version: always) until the next one's (`until`), or until the rule ended.
    `root` is the id of the first version: what all versions are counted under.
    """

    id: int
    key: str
    version: int
    activity_kind: str
    filter: LineFilter
    audience: Audience
    basis: RateBasis
    rate: Decimal
    starts_at: datetime | None
    ends_at: datetime | None
    terms: Terms = NO_TERMS
    root: int = 0
    effective_from: datetime | None = None
    until: datetime | None = None
    ended_at: datetime | None = None
    created_at: datetime | None = None
    begins: datetime | None = field(init=False)
    ends: datetime | None = field(init=False)
    capped: tuple[CapPeriod, ...] = field(init=False)
    """The periods over which its points are counted."""
    asks_clock: bool = field(init=False)
    is_plain: bool = field(init=False)
    """Whether `rate` times what is counted, and the tier's multiplier, is all there is to it."""
    flat: Band = field(init=False)
    """Its rate for any quantity."""

    def __post_init__(self) -> None:
        terms = self.terms
        begins = [one for one in (self.starts_at, self.effective_from) if one is not None]
        ends = [one for one in (self.ends_at, self.until, self.ended_at) if one is not None]
        capped = {cap.per for cap in terms.caps} - {CapPeriod.ACTIVITY}
        asks_basket = terms.min_basket is not None or terms.max_basket is not None
        derived = {
            "root": self.root or self.id,
            "begins": max(begins, default=None),
            "ends": min(ends, default=None),
            "capped": tuple(sorted(capped)),
            "asks_clock": terms.hours is not None or bool(terms.weekdays),
            "flat": Band(ZERO, self.rate),
            "is_plain": not (
                asks_basket or terms.step or terms.bands or terms.nth or terms.group or terms.caps
                or terms.boosts or terms.budget is not None or not terms.tier_multiplier
            ),
        }  # fmt: skip
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def runs_at(self, instant: datetime) -> bool:
        """Whether this version holds for what occurred then."""
        return (self.begins is None or self.begins <= instant) and (self.ends is None or instant < self.ends)

    def admits_basket(self, lines: Iterable[Line]) -> bool:
        """Whether the whole activity is worth as much as the rule asks."""
        least, most = self.terms.min_basket, self.terms.max_basket
        if least is None and most is None:
            return True
        worth = basket(lines)
        return (least is None or worth >= least) and (most is None or worth <= most)

    def still_counts(self, activity: Countable, left: Mapping[int, tuple[Decimal, Decimal]]) -> bool:
        """Whether anything is left of the lines that the rule counted."""
        return any(left[line.number][0] > 0 for line in activity.lines if self.filter.admits(line))


def basket(lines: Iterable[Line]) -> Decimal:
    """What an activity is worth."""
    return sum([line.amount for line in lines], ZERO)
