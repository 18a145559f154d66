"""Which tier a partner has earned. Pure.

Upgrade at once. No review takes a tier yet, so a partner stands on the highest step that any period earned; a return
lowers the period that it reverses, and with it the tier that only that period had earned.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from metrics.rules import Series


@dataclass(frozen=True, slots=True)
class Tier:
    """A step of the ladder."""

    key: str
    name: str
    level: int
    threshold: Decimal
    multiplier: Decimal


@dataclass(frozen=True, slots=True)
class Ladder:
    """The program's tiers by rising level, and the series that earns them."""

    series: Series
    tiers: tuple[Tier, ...]

    def earned(self, value: Decimal) -> Tier:
        """The highest tier whose threshold the value has reached; the lowest has none to reach."""
        found = self.tiers[0]
        for tier in self.tiers[1:]:
            if value >= tier.threshold:
                found = tier
        return found


@dataclass(slots=True)
class Standing:
    """A partner's place on the ladder."""

    level: int
    since: datetime | None
    changed: bool = False


def decide(ladder: Ladder, values: Iterable[Decimal]) -> Tier:
    """The tier that the meters of all periods have earned."""
    return ladder.earned(max(values, default=Decimal(0)))
