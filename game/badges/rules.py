"""Which badges a partner has. Pure.

A badge with a metric is awarded level by level as its lifetime meter passes the thresholds; one without is awarded by
missions, and stands while one that awards it stands completed.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from metrics.rules import Series


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge; `series` is None where missions award it."""

    id: int
    key: str
    series: Series | None
    levels: tuple[Decimal, ...]

    def levels_at(self, value: Decimal) -> int:
        """How many levels the value has reached."""
        return sum(value >= threshold for threshold in self.levels)


@dataclass(slots=True)
class Award:
    """A badge level that a partner was awarded."""

    badge_id: int
    partner_id: int
    level: int
    awarded_at: datetime
    revoked_at: datetime | None = None
    changed: bool = False

    @property
    def stands(self) -> bool:
        """Whether it has not been revoked."""
        return self.revoked_at is None
