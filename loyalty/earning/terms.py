"""What an earning rule asks beyond kind, lines and audience, and how much it gives at most. Pure data, kept as JSON."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from activity.rules import ZERO
from loyalty.ledger.books import POINT
from loyalty.ledger.expiry import Expiry
from metrics.windows import Period, zone


class CapPeriod(StrEnum):
    """What a cap, or a count of purchases, is for: one activity, a partner's local day or month, or all time."""

    ACTIVITY = "ACTIVITY"
    DAY = "DAY"
    MONTH = "MONTH"
    PARTNER = "PARTNER"


WINDOWS: Final = {
    CapPeriod.DAY: Period.DAILY,
    CapPeriod.MONTH: Period.MONTHLY,
    CapPeriod.PARTNER: Period.LIFETIME,
}


class Band(NamedTuple):
    """From this quantity on, the whole is worth so many points per what the rule's rate is per."""

    least: Decimal
    rate: Decimal


class Cap(NamedTuple):
    """At most so many points to a partner, per activity or period."""

    per: CapPeriod
    points: int


class Nth(NamedTuple):
    """Only the purchase of this number counts, or each that it divides; numbers begin at 1 with every period."""

    number: int
    repeats: bool
    per: CapPeriod

    def pays(self, place: int) -> bool:
        """Whether the purchase of this place is one."""
        return place % self.number == 0 if self.repeats else place == self.number


class Boost(NamedTuple):
    """What the points of a segment's partners are multiplied by."""

    segment: str
    factor: Decimal


class Hours(NamedTuple):
    """`[opens, closes)` by the partner's clock; past midnight where it closes before it opens."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Terms:
    """All that a rule's version says beside its columns. What is not set asks nothing.

    `step`: only full steps of what is counted earn, `rate` points each. `bands`: by the quantity of what is counted, in
    rising order. Of the rules of a `group` one pays: that of the highest `priority`. `weekdays`: 1 (Monday) to 7.
    `boosts`: of the partner's segments the one with the highest factor counts. Without `expiry` it is the program's.
    """

    step: Decimal | None = None
    bands: tuple[Band, ...] = ()
    min_basket: Decimal | None = None
    max_basket: Decimal | None = None
    nth: Nth | None = None
    group: str | None = None
    priority: int = 0
    weekdays: tuple[int, ...] = ()
    hours: Hours | None = None
    caps: tuple[Cap, ...] = ()
    budget: int | None = None
    lock_days: int = 0
    expiry: Expiry | None = None
    unit: str = POINT
    tier_multiplier: bool = True
    boosts: tuple[Boost, ...] = ()

    def boost_of(self, segments: Collection[str]) -> Boost | None:
        """The highest factor for a partner in these segments."""
        mine = [one for one in self.boosts if one.segment in segments]
        return max(mine, key=lambda one: one.factor, default=None)

    def rate_of(self, quantity: Decimal, rate: Decimal) -> Band:
        """The band that so much falls into; below the first one, the rule's own rate."""
        found = Band(ZERO, rate)
        for band in self.bands:
            if quantity >= band.least:
                found = band
        return found

    def clock_failure(self, occurred_at: datetime, time_zone: str) -> str | None:
        """What keeps the rule from that instant, by the partner's clock: "weekday" or "hours"; None where nothing."""
        local = occurred_at.astimezone(zone(time_zone))
        if self.hours is not None:
            opens, closes = self.hours
            now = local.time()
            if (opens < closes and not opens <= now < closes) or closes <= now < opens:
                return "hours"
        return "weekday" if self.weekdays and self.day_of(local).isoweekday() not in self.weekdays else None

    def day_of(self, local: datetime) -> date:
        """The day that counts, within the hours: what falls after midnight belongs to the day on which they began."""
        if self.hours is not None and local.time() < self.hours.closes < self.hours.opens:
            return local.date() - timedelta(days=1)
        return local.date()

    def to_json(self) -> dict[str, Any]:
        """As it is stored: only what is set."""
        stored: dict[str, Any] = {
            "step": _text(self.step),
            "bands": [[_text(least), _text(rate)] for least, rate in self.bands],
            "min_basket": _text(self.min_basket),
            "max_basket": _text(self.max_basket),
            "nth": None if self.nth is None else [self.nth.number, self.nth.repeats, self.nth.per.value],
            "group": self.group,
            "priority": self.priority,
            "weekdays": list(self.weekdays),
            "hours": None if self.hours is None else [one.strftime("%H:%M") for one in self.hours],
            "caps": [[per.value, points] for per, points in self.caps],
            "budget": self.budget,
            "lock_days": self.lock_days,
            "expiry": None if self.expiry is None else self.expiry.to_json(),
            "unit": None if self.unit == POINT else self.unit,
            "no_tier_multiplier": not self.tier_multiplier,
            "boosts": [[segment, _text(factor)] for segment, factor in self.boosts],
        }
        return {name: value for name, value in stored.items() if value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Terms":
        """The terms that `to_json` wrote."""
        nth, hours = stored.get("nth"), stored.get("hours")
        return cls(
            step=_decimal(stored.get("step")),
            bands=tuple(Band(Decimal(least), Decimal(rate)) for least, rate in stored.get("bands", ())),
            min_basket=_decimal(stored.get("min_basket")),
            max_basket=_decimal(stored.get("max_basket")),
            nth=None if nth is None else Nth(nth[0], nth[1], CapPeriod(nth[2])),
            group=stored.get("group"),
            priority=stored.get("priority", 0),
            weekdays=tuple(stored.get("weekdays", ())),
            hours=None if hours is None else Hours(*map(time.fromisoformat, hours)),
            caps=tuple(Cap(CapPeriod(per), points) for per, points in stored.get("caps", ())),
            budget=stored.get("budget"),
            lock_days=stored.get("lock_days", 0),
            expiry=Expiry.from_json(stored["expiry"]) if "expiry" in stored else None,
            unit=stored.get("unit", POINT),
            tier_multiplier=not stored.get("no_tier_multiplier", False),
            boosts=tuple(Boost(segment, Decimal(factor)) for segment, factor in stored.get("boosts", ())),
        )


NO_TERMS: Final = Terms()
INPUTS: Final = {
    "min_basket": "minBasketAmount",
    "max_basket": "maxBasketAmount",
    "lock_days": "lockDays",
    "no_tier_multiplier": "tierMultiplier",
    "boosts": "segmentMultipliers",
    **{
        name: name
        for name in (
            "step",
            "bands",
            "nth",
            "group",
            "priority",
            "weekdays",
            "hours",
            "caps",
            "budget",
            "expiry",
        )
    },
    "unit": "unit",
}
"""What callers call the terms, by the names under which they are stored."""


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize(), "f")


def _decimal(stored: str | None) -> Decimal | None:
    return None if stored is None else Decimal(stored)
