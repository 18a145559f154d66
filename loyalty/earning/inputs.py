"""The terms of an earning rule as they are asked for, checked into those that are kept."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Final

from base.errors import Invalid
from loyalty.earning.shares import RateBasis
from loyalty.earning.terms import Band, Boost, Cap, CapPeriod, Hours, Nth, Terms
from loyalty.ledger.books import POINT
from loyalty.ledger.expiry import MOST_DAYS, Expiry
from partners.checks import (
    check_code,
    check_count,
    check_decimal,
    check_known,
    check_points,
    check_unique,
    item_path,
)

TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
MOST_BANDS: Final = 100
MOST_PRIORITY: Final = 1_000_000
MOST_NTH: Final = 1_000_000


class Weekday(StrEnum):
    """A day of the week, from Monday."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


DAYS: Final = tuple(Weekday)


@dataclass(frozen=True, slots=True)
class BandInput:
    """From this quantity on, the whole earns `points` per what the rule's points are per; 0 for nothing."""

    least: Decimal
    points: Decimal


@dataclass(frozen=True, slots=True)
class NthInput:
    """The purchase of this number, or with `repeats` each that it divides; numbered anew in each `per`."""

    number: int
    repeats: bool = False
    per: CapPeriod = CapPeriod.PARTNER


@dataclass(frozen=True, slots=True)
class HoursInput:
    """Times of day by the partner's clock, "16:00" to "18:30"; past midnight where `closes` lies before `opens`."""

    opens: str
    closes: str


@dataclass(frozen=True, slots=True)
class CapInput:
    """At most so many points to a partner per ACTIVITY, DAY, MONTH, or in all (PARTNER)."""

    per: CapPeriod
    points: int


@dataclass(frozen=True, slots=True)
class BoostInput:
    """What the points of a segment's partners are multiplied by."""

    segment: str
    factor: Decimal


@dataclass(frozen=True, slots=True)
class TermsInput:
    """What a rule asks beside kind, lines and audience, and the most that it gives. What is left out asks nothing."""

    step: Decimal | None = None
    bands: Sequence[BandInput] = ()
    min_basket: Decimal | None = None
    max_basket: Decimal | None = None
    nth: NthInput | None = None
    group: str | None = None
    priority: int = 0
    weekdays: Sequence[Weekday] = ()
    hours: HoursInput | None = None
    caps: Sequence[CapInput] = ()
    budget: int | None = None
    expiry: Expiry | None = None
    tier_multiplier: bool = True
    boosts: Sequence[BoostInput] = ()


NO_TERMS: Final = TermsInput()


def check_end(ends_at: datetime | None, *, now: datetime) -> None:
    """Raises `Invalid` (NOT_IN_FUTURE) where a rule would be over before it is there."""
    if ends_at is not None and ends_at <= now:
        raise Invalid("must lie in the future", code="NOT_IN_FUTURE", field=["endsAt"])


def check_terms(
    given: TermsInput, *, basis: RateBasis, lock_days: int, unit: str = POINT, segments: Collection[str] = ()
) -> Terms:
    """The terms that were meant. `segments`: the keys of the program's.

    NOT_RISING, DUPLICATE, INVALID_TIME, NOT_SUPPORTED, TOO_MANY, UNKNOWN_SEGMENT, and those of `check_decimal`
    and `check_points`.
    """
    if given.step is not None:
        check_decimal(given.step, ["step"], above=Decimal(0))
        if basis is RateBasis.ACTIVITY:
            raise Invalid("an activity has no steps", code="NOT_SUPPORTED", field=["step"])
    if not 0 <= lock_days <= MOST_DAYS:
        code = "NEGATIVE" if lock_days < 0 else "TOO_LARGE"
        raise Invalid(f"must be 0 to {MOST_DAYS:,}", code=code, field=["lockDays"])
    for name, amount in (("minBasketAmount", given.min_basket), ("maxBasketAmount", given.max_basket)):
        if amount is not None:
            check_decimal(amount, [name], least=Decimal(0))
    if given.min_basket is not None and given.max_basket is not None and given.max_basket < given.min_basket:
        raise Invalid("must not lie below the least", code="NOT_RISING", field=["maxBasketAmount"])
    if given.group is not None:
        check_code(given.group, ["group"])
    if abs(given.priority) > MOST_PRIORITY:
        raise Invalid(f"must be at most {MOST_PRIORITY:,}", code="TOO_LARGE", field=["priority"])
    return Terms(
        step=given.step,
        bands=_check_bands(given.bands),
        min_basket=given.min_basket,
        max_basket=given.max_basket,
        nth=None if given.nth is None else _check_nth(given.nth),
        group=given.group,
        priority=given.priority,
        weekdays=tuple(sorted({DAYS.index(day) + 1 for day in given.weekdays})),
        hours=None if given.hours is None else _check_hours(given.hours),
        caps=_check_caps(given.caps),
        budget=None if given.budget is None else check_points(given.budget, ["budget"]),
        lock_days=lock_days,
        expiry=given.expiry,
        unit=unit,
        tier_multiplier=given.tier_multiplier,
        boosts=_check_boosts(given.boosts, segments),
    )


def _check_bands(bands: Sequence[BandInput]) -> tuple[Band, ...]:
    check_count(bands, ["bands"], most=MOST_BANDS)
    found: list[Band] = []
    for index, band in enumerate(bands):
        least = check_decimal(band.least, item_path(["bands"], index, "from"), least=Decimal(0))
        rate = check_decimal(band.points, item_path(["bands"], index, "points"), least=Decimal(0))
        if found and least <= found[-1].least:
            raise Invalid(
                "must be above the one before", code="NOT_RISING", field=item_path(["bands"], index, "from")
            )
        found.append(Band(least, rate))
    return tuple(found)


def _check_nth(given: NthInput) -> Nth:
    if not 1 <= given.number <= MOST_NTH:
        code = "NOT_POSITIVE" if given.number < 1 else "TOO_LARGE"
        raise Invalid(f"must be 1 to {MOST_NTH:,}", code=code, field=["nth", "number"])
    if given.per is CapPeriod.ACTIVITY:
        raise Invalid("an activity is one purchase", code="NOT_SUPPORTED", field=["nth", "per"])
    return Nth(given.number, given.repeats, given.per)


def _check_hours(given: HoursInput) -> Hours:
    found = []
    for name, text in (("from", given.opens), ("to", given.closes)):
        if not TIME.fullmatch(text):
            message = "must be a time like 16:30, and 00:00 for midnight"
            raise Invalid(message, code="INVALID_TIME", field=["hours", name])
        found.append(time.fromisoformat(text))
    if found[0] == found[1]:
        raise Invalid("from and to must differ", code="INVALID_TIME", field=["hours", "to"])
    return Hours(*found)


def _check_boosts(boosts: Sequence[BoostInput], segments: Collection[str]) -> tuple[Boost, ...]:
    path = ["segmentMultipliers"]
    check_count(boosts, path, most=MOST_BANDS)
    keys = [one.segment for one in boosts]
    check_unique(keys, path, name="segment")
    check_known(keys, segments, path, noun="segment", name="segment")
    found = []
    for index, one in enumerate(boosts):
        at = item_path(path, index, "factor")
        found.append(Boost(one.segment, check_decimal(one.factor, at, least=Decimal(0), digits=6)))
    return tuple(sorted(found))


def _check_caps(caps: Sequence[CapInput]) -> tuple[Cap, ...]:
    found: dict[CapPeriod, Cap] = {}
    for index, cap in enumerate(caps):
        if cap.per in found:
            message = f"{cap.per.value} stands here twice"
            raise Invalid(message, code="DUPLICATE", field=item_path(["caps"], index, "per"))
        found[cap.per] = Cap(cap.per, check_points(cap.points, item_path(["caps"], index, "points")))
    order = list(CapPeriod)
    return tuple(sorted(found.values(), key=lambda cap: order.index(cap.per)))
