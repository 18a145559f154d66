"""A ladder of tiers, and where partners stand on it. Pure.

Upgrade at once. A ladder that never downgrades has its partners on the highest step that any period earned. The others
have a review of each window when it is over (`loyalty.tiers.reviews`). A return lowers the window of the sale that it
reverses, and with it a tier that only that window had earned.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from loyalty.ledger.expiry import Expiry
from loyalty.tiers.periods import Qualification


class Downgrade(StrEnum):
    """What the review of a window that is over may take: nothing, one step, or all that it did not earn."""

    NEVER = "NEVER"
    ONE_STEP = "ONE_STEP"
    TO_EARNED = "TO_EARNED"


@dataclass(frozen=True, slots=True)
class Tier:
    """A step of the ladder."""

    key: str
    name: str
    level: int
    threshold: Decimal
    multiplier: Decimal
    expiry: Expiry | None = None
    """Of the points that rules grant, in place of what they say."""
    access: tuple[str, ...] = ()
    """Codes of what it opens."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The program's tiers by rising level, the series whose meters earn them, and how they are lost.

    Without `returns_take`, what comes back takes no tier before the review of its window.
    """

    series_id: int
    tiers: tuple[Tier, ...]
    qualification: Qualification
    downgrade: Downgrade = Downgrade.NEVER
    grace_days: int = 0
    returns_take: bool = True

    @property
    def is_reviewed(self) -> bool:
        """Whether a review may take a tier."""
        return self.downgrade is not Downgrade.NEVER

    def earned(self, value: Decimal) -> Tier:
        """The highest tier whose threshold the value has reached; the lowest has none to reach."""
        found = self.tiers[0]
        for tier in self.tiers[1:]:
            if value >= tier.threshold:
                found = tier
        return found


@dataclass(frozen=True, slots=True)
class Override:
    """A tier that a person gave, whatever is earned, until an instant or for good."""

    level: int
    until: datetime | None


@dataclass(slots=True)
class Standing:
    """A partner's place on the ladder.

    `level` is where it stands: that of the override while there is one, else what it has `earned`: the highest of what
    it has `carried` over from the last review, and of the windows that are open, from the one that starts on
    `open_from`. `review_at` is when that one is over, or the override if it ends sooner. `peaks` is the highest level
    of each open window, kept where returns take no tier before the review.
    """

    level: int
    since: datetime | None
    earned: int = 0
    carried: int = 0
    open_from: date | None = None
    review_at: datetime | None = None
    peaks: dict[date, int] = field(default_factory=dict)
    override: Override | None = None
    is_stored: bool = False
    changed: bool = False

    def is_due(self, now: datetime) -> bool:
        """Whether something has ended that decides about the tier."""
        return self.review_at is not None and self.review_at <= now


def decide(ladder: Ladder, values: Iterable[Decimal]) -> Tier:
    """The tier that the meters of all periods have earned."""
    return ladder.earned(max(values, default=Decimal(0)))
