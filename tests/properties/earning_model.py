"""What earning rules must make of an activity, in plain Python: what they gave before is added up anew each time.

Nothing is counted on the way: caps, budgets and the numbers of purchases are sums over what still stands.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.properties.ledger_model import Lot, Purse
from tests.properties.setting import SETTING, Rule

STARTS: Mapping[str, Callable[[date], date]] = {
    "DAY": lambda day: day,
    "MONTH": lambda day: day.replace(day=1),
    "PARTNER": lambda _: date(1, 1, 1),
}
"""The first day of the period that a day lies in, for caps and numbered purchases."""


@dataclass
class Sold:
    """A line: what was sold, and what is left of it."""

    sku: str
    quantity: Decimal
    amount: Decimal
    quantity_left: Decimal
    amount_left: Decimal


@dataclass
class Granted:
    """Points of a rule, as it was then: their lot, and by what they are shared among the lines."""

    key: str
    rule: Rule
    lot: Lot
    weights: Mapping[int, Decimal]

    @property
    def left(self) -> int:
        return self.lot.granted - self.lot.recalled

    def due(self, lines: Sequence[Sold]) -> int:
        """How much must have come back by now."""
        total, gone = sum(map(Fraction, self.weights.values()), Fraction(0)), Fraction(0)
        for number, weight in self.weights.items():
            gone += Fraction(weight) * (
                1 - Fraction(lines[number].quantity_left) / Fraction(lines[number].quantity)
            )
        return floor(self.lot.granted * gone / total) if total else self.lot.granted


@dataclass
class Deed:
    """A sale or a visit. `numbered`: the rules that counted it as a purchase, as they were then."""

    kind: str
    at: datetime
    day: date
    lines: list[Sold]
    grants: list[Granted] = field(default_factory=list)
    numbered: list[tuple[str, Rule]] = field(default_factory=list)
    rewards: list[Lot] = field(default_factory=list)
    stands: bool = True

    @property
    def earned(self) -> int:
        return sum(one.left for one in self.grants)

    @property
    def rewarded(self) -> int:
        return sum(one.granted - one.recalled for one in self.rewards)

    def counted_by(self, rule: Rule) -> dict[int, Sold]:
        """The lines that a rule looks at, by their number."""
        return {number: one for number, one in enumerate(self.lines) if not rule.skus or one.sku in rule.skus}

    def is_purchase(self, rule: Rule) -> bool:
        """Whether anything is left of what the rule counted."""
        return any(one.quantity_left for one in self.counted_by(rule).values()) if self.lines else self.stands


class Wallet(Purse):
    """Points of a partner whose days are those of a zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__("DEBT")
        self.zone = zone

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def give(self, points: int, rule: Rule, at: datetime, now: datetime) -> Lot:
        """A lot for what happened then, locked and good for so many local days."""
        ready_at, gone_at = now, None
        if rule.lock_days:
            ready_at = max(now, self.midnight(at.astimezone(self.zone).date() + timedelta(rule.lock_days)))
        if rule.good_days is not None:
            gone_at = self.midnight(ready_at.astimezone(self.zone).date() + timedelta(rule.good_days + 1))
        return self.pay(points, now, ready_at=ready_at, gone_at=gone_at)

    def pay(
        self, points: int, now: datetime, *, ready_at: datetime | None = None, gone_at: datetime | None = None
    ) -> Lot:
        """A lot. What else is due waits for who needs it."""
        lot = Lot(points, now, ready_at or now, gone_at, left=points, ready=ready_at in (None, now))
        self.lots.append(lot)
        if lot.ready:
            self._repay([lot])
        return lot

    def take_back(self, lot: Lot, due: int, now: datetime) -> None:
        """Let `due` have come back of a lot, in all."""
        amount = min(due, lot.granted - lot.expired) - lot.recalled
        if amount > 0:
            self.recall(lot, amount, now)


class Offer(NamedTuple):
    """What a rule would pay."""

    key: str
    rule: Rule
    points: int
    lines: Mapping[int, Sold]


class Rulebook:
    """The rules as they change, and all that they gave: of every shop the deeds."""

    def __init__(self) -> None:
        self.versions: dict[str, list[tuple[datetime | None, Rule]]] = {}
        self.ended: dict[str, datetime] = {}
        self.limits: dict[str, int] = {}
        self.deeds: list[Mapping[str, Deed]] = []
        for key, rule in SETTING.rules.items():
            self.change(key, rule, None)

    def change(self, key: str, rule: Rule, since: datetime | None) -> None:
        """Let the rule say this of what occurs from then on; a budget holds at once."""
        self.versions.setdefault(key, []).append((since, rule))
        if rule.budget is not None:
            self.limits[key] = rule.budget

    def at(self, moment: datetime) -> Iterator[tuple[str, Rule]]:
        """The rules of a moment: what was said last of it."""
        for key, versions in self.versions.items():
            said = [rule for since, rule in versions if since is None or since <= moment]
            if said and not (key in self.ended and self.ended[key] <= moment):
                yield key, said[-1]

    def spent(self, key: str) -> int:
        """What is gone of a rule's budget: what its versions with a budget gave, to all."""
        grants = (one for deeds in self.deeds for deed in deeds.values() for one in deed.grants)
        return sum(one.left for one in grants if one.key == key and one.rule.budget is not None)

    def decide(self, deed: Deed, deeds: Mapping[str, Deed], tier: str, zone: ZoneInfo) -> list[Offer]:
        """What the rules pay for a deed of a partner on this tier, and note on it whose purchase it is."""
        offers = []
        for key, rule in self.at(deed.at):
            if rule.kind == deed.kind and rule.tier in (None, tier) and admits(rule, deed, zone):
                points = self._limit(key, rule, deed, deeds, worth(rule, deed, tier))
                offers += [Offer(key, rule, points, deed.counted_by(rule))] if points else []
        best: dict[str | None, Offer] = {}
        for one in offers:
            if one.rule.group not in best or one.rule.priority > best[one.rule.group].rule.priority:
                best[one.rule.group] = one
        return [one for one in offers if one.rule.group is None or best[one.rule.group] is one]

    def _limit(self, key: str, rule: Rule, deed: Deed, deeds: Mapping[str, Deed], points: int) -> int:
        if not points:
            return 0
        if rule.nth is not None:
            number, repeats, per = rule.nth
            place = usage(deeds, key).get((per, STARTS[per](deed.day)), (0, 0))[1] + 1
            deed.numbered.append((key, rule))
            if place % number if repeats else place - number:
                return 0
        for per, most in rule.caps.items():
            start = None if per == "ACTIVITY" else STARTS[per](deed.day)
            used = 0 if start is None else usage(deeds, key).get((per, start), (0, 0))[0]
            points = min(points, max(0, most - used))
        return points if rule.budget is None else min(points, max(0, self.limits[key] - self.spent(key)))


def usage(deeds: Mapping[str, Deed], key: str) -> dict[tuple[str, date], tuple[int, int]]:
    """What a rule gave a partner, by period and its first day: points under caps, and purchases that it numbered."""
    found: dict[tuple[str, date], tuple[int, int]] = {}

    def add(per: str, day: date, points: int, purchases: int) -> None:
        place = per, STARTS[per](day)
        before = found.get(place, (0, 0))
        found[place] = before[0] + points, before[1] + purchases

    for deed in deeds.values():
        for granted in deed.grants:
            for per in granted.rule.caps:
                if granted.key == key and per != "ACTIVITY":
                    add(per, deed.day, granted.left, 0)
        for name, rule in deed.numbered:
            if name == key and rule.nth is not None and deed.is_purchase(rule):
                add(rule.nth[2], deed.day, 0, 1)
    return {place: used for place, used in found.items() if any(used)}


def admits(rule: Rule, deed: Deed, zone: ZoneInfo) -> bool:
    """Whether the rule is for such a deed: its lines, its worth, and its hour by the partner's clock."""
    if not deed.counted_by(rule) and (deed.lines or rule.skus):
        return False
    if rule.basket and not rule.basket[0] <= sum(one.amount for one in deed.lines) <= rule.basket[1]:
        return False
    clock = deed.at.astimezone(zone)
    day = clock.date()
    if rule.hours is not None:
        opens, closes = rule.hours
        hours = range(opens, closes) if opens < closes else [*range(opens, 24), *range(closes)]
        if clock.hour not in hours:
            return False
        day -= timedelta(days=closes < opens and clock.hour < closes)
    return not rule.weekdays or day.isoweekday() in rule.weekdays


def worth(rule: Rule, deed: Deed, tier: str) -> int:
    """What a deed of a partner on this tier is worth to a rule, before anything cuts it."""
    lines = deed.counted_by(rule).values()
    pieces = sum((Fraction(one.quantity) for one in lines), Fraction(0))
    counted = {"ACTIVITY": Fraction(1), "QUANTITY": pieces}.get(rule.basis)
    if counted is None:
        counted = sum((Fraction(one.amount) for one in lines), Fraction(0))
    if rule.step is not None:
        counted = Fraction(counted // Fraction(rule.step))
    rate = [rule.rate, *(rate for least, rate in rule.bands if least <= pieces)][-1]
    multiplier = SETTING.tiers[tier][1] if rule.tier_multiplier else Decimal(1)
    boosts = [
        boost
        for key, boost in rule.boosts.items()
        if not SETTING.segments[key] or tier in SETTING.segments[key]
    ]
    return floor(counted * Fraction(rate) * Fraction(multiplier) * Fraction(max(boosts, default=Decimal(1))))


def weigh(rule: Rule, lines: Mapping[int, Sold]) -> dict[int, Decimal]:
    """By what the points of a rule are shared among the lines that it counted."""
    weights = {n: one.quantity if rule.basis == "QUANTITY" else one.amount for n, one in lines.items()}
    return weights if any(weights.values()) else dict.fromkeys(lines, Decimal(1))
