"""What earning rules have given so far, where they give no more than so much: caps, numbered purchases, budgets. Pure.

Usage is counted per rule (all its versions together), partner and period, in the period in which the activity
*occurred*; what a return takes back is given back there. A version counts only what it asks for itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, TypeAlias

from loyalty.earning.terms import WINDOWS, CapPeriod
from metrics.windows import start_of

UsageKey: TypeAlias = tuple[int, int, str, date]
"""(root: the id of the rule's first version, partner id, period, its first day)."""


@dataclass(slots=True)
class Usage:
    """What a rule gave a partner in a period: points, and how many purchases were counted."""

    points: int = 0
    activities: int = 0
    changed: bool = False


@dataclass(slots=True)
class Budget:
    """What a rule may give in all, and has given. `taken` is this batch's part of it, below zero where it came back."""

    limit: int
    spent: int
    taken: int = 0

    @property
    def left(self) -> int:
        """What it may still give."""
        return max(0, self.limit - self.spent - self.taken)


@lru_cache(maxsize=4096)
def usage_start(per: CapPeriod, day: date) -> date:
    """The first day of the period that a local day falls into."""
    return start_of(WINDOWS[per], day)


class Counters:
    """Usage and budgets as they stand while a batch is decided; whatever is not in it stands at zero."""

    def __init__(self, usage: Mapping[UsageKey, Usage], budgets: Mapping[int, Budget]) -> None:
        self.usage: Final = dict(usage)
        self.budgets: Final = budgets

    def of(self, root: int, partner_id: int, per: CapPeriod, day: date) -> Usage:
        """What a rule gave so far, in the period of a local day."""
        return self.usage.get((root, partner_id, per.value, usage_start(per, day)), NOTHING_USED)

    def move(
        self,
        root: int,
        partner_id: int,
        periods: Iterable[CapPeriod],
        day: date,
        *,
        points: int = 0,
        activities: int = 0,
    ) -> None:
        """Count more, or less, in these periods. It never falls below zero."""
        for per in periods:
            key = (root, partner_id, per.value, usage_start(per, day))
            used = self.usage.setdefault(key, Usage())
            used.points = max(0, used.points + points)
            used.activities = max(0, used.activities + activities)
            used.changed = True

    def spend(self, root: int, points: int) -> None:
        """Take points out of a rule's budget; below zero, give them back."""
        budget = self.budgets.get(root)
        if budget is not None:
            budget.taken += points


NOTHING_USED: Final = Usage()
NO_COUNTERS: Final = Counters({}, {})
