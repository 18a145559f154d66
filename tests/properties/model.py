"""What must come of activities, reckoned from scratch in plain Python: slow, short, and sharing no code with Mitra.

One `Shop` per partner. `sell`, `take_back` and `adjust` follow one accepted activity; `meters()` adds up all that was
ever sold and not returned, each time anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

from metrics.rules import Measure
from metrics.windows import Period
from tests.properties.setting import SETTING, Counted, Rule

Window = tuple[str, Period, date]
"""(metric, period, start of the window)."""


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
    """Points of one rule: granted, by what they are shared among the lines, and taken back so far."""

    points: int
    weights: Mapping[int, Decimal]
    taken: int = 0


@dataclass
class Deed:
    """A sale or a visit."""

    kind: str
    at: datetime
    day: date
    lines: list[Sold]
    grants: list[Granted] = field(default_factory=list)
    rewards: int = 0
    stands: bool = True

    @property
    def earned(self) -> int:
        return sum(one.points - one.taken for one in self.grants)


@dataclass
class Completion:
    n: int = 0
    by: Deed | None = None
    """What completed it; None while it does not stand."""


def month(day: date) -> date:
    return day.replace(day=1)


STARTS: Mapping[Period, Callable[[date], date]] = {
    Period.DAILY: lambda day: day,
    Period.WEEKLY: lambda day: day - timedelta(days=day.isoweekday() - 1),
    Period.MONTHLY: month,
    Period.QUARTERLY: lambda day: date(day.year, {0: 1, 1: 4, 2: 7, 3: 10}[(day.month - 1) // 3], 1),
    Period.YEARLY: lambda day: date(day.year, 1, 1),
    Period.LIFETIME: lambda _: date(1, 1, 1),
    Period.FIXED: lambda _: SETTING.mission_window[0].date(),
}


def periods_of(key: str) -> set[Period]:
    """Over which periods anything keeps the metric's meters."""
    found = set(SETTING.metrics[key].periods)
    if SETTING.ladder[0] == key:
        found.add(SETTING.ladder[1])
    if any(watched == key for watched, _ in SETTING.badges.values()):
        found.add(Period.LIFETIME)
    if any(key in mission.targets for mission in SETTING.missions.values()):
        found.add(Period.FIXED)
    return found


class Shop:
    """All that is to be known of one partner."""

    def __init__(self, time_zone: str) -> None:
        self.zone = ZoneInfo(time_zone)
        self.deeds: dict[str, Deed] = {}
        self.balance = 0
        self.level = 0
        self.completions = {key: Completion() for key in SETTING.missions}

    # ------------------------------------------------------------------------------------------- what happens

    def sell(self, ref: str, kind: str, at: datetime, lines: Sequence[tuple[str, Decimal, Decimal]]) -> None:
        before = self.meters()
        sold = [Sold(sku, quantity, amount, quantity, amount) for sku, quantity, amount in lines]
        deed = self.deeds[ref] = Deed(kind, at, at.astimezone(self.zone).date(), sold)
        tier = list(SETTING.tiers)[self.level]
        for rule in SETTING.rules.values():
            if rule.kind == kind and rule.tier in (None, tier):
                self._grant(deed, rule, SETTING.tiers[tier][1])
        self._follow(before, deed)

    def _grant(self, deed: Deed, rule: Rule, multiplier: Decimal) -> None:
        matching = {n: one for n, one in enumerate(deed.lines) if not rule.skus or one.sku in rule.skus}
        if not matching and (deed.lines or rule.skus):
            return
        if rule.basis == "ACTIVITY":
            counted = Decimal(1)
        elif rule.basis == "QUANTITY":
            counted = sum((one.quantity for one in matching.values()), Decimal(0))
        else:
            counted = sum((one.amount for one in matching.values()), Decimal(0))
        points = floor(Fraction(counted) * Fraction(rule.rate) * Fraction(multiplier))
        if points:
            weights = {
                n: one.quantity if rule.basis == "QUANTITY" else one.amount for n, one in matching.items()
            }
            if not any(weights.values()):
                weights = dict.fromkeys(matching, Decimal(1))
            deed.grants.append(Granted(points, weights))
            self.balance += points

    def take_back(self, parts: Sequence[tuple[str, int, Decimal, Decimal]]) -> None:
        """Parts of lines, counted from 0: (reference, line, quantity, amount)."""
        before = self.meters()
        deeds = list(dict.fromkeys(ref for ref, *_ in parts))
        for ref in deeds:
            for _, number, quantity, amount in (part for part in parts if part[0] == ref):
                self.deeds[ref].lines[number].quantity_left -= quantity
                self.deeds[ref].lines[number].amount_left -= amount
                if not self.deeds[ref].lines[number].quantity_left:
                    self.deeds[ref].lines[number].amount_left = Decimal(0)
            self._recall(self.deeds[ref])
        self._follow(before, None)

    def take_back_whole(self, ref: str) -> None:
        deed = self.deeds[ref]
        if deed.lines:
            self.take_back(self.rest_of(ref))
            return
        before = self.meters()
        deed.stands = False
        self._recall(deed)
        self._follow(before, None)

    def rest_of(self, ref: str) -> list[tuple[str, int, Decimal, Decimal]]:
        """What a return of the whole would take."""
        return [
            (ref, number, one.quantity_left, one.amount_left)
            for number, one in enumerate(self.deeds[ref].lines)
            if one.quantity_left
        ]

    def can_return(self, ref: str) -> bool:
        deed = self.deeds[ref]
        return any(one.quantity_left for one in deed.lines) if deed.lines else deed.stands

    def _recall(self, deed: Deed) -> None:
        for granted in deed.grants:
            total = sum(map(Fraction, granted.weights.values()), Fraction(0))
            gone = Fraction(0)
            for number, weight in granted.weights.items():
                sold = deed.lines[number]
                gone += Fraction(weight) * (1 - Fraction(sold.quantity_left) / Fraction(sold.quantity))
            due = granted.points if not total else floor(granted.points * gone / total)
            self.balance -= due - granted.taken
            granted.taken = due

    def adjust(self, amount: int) -> None:
        self.balance += amount

    # ------------------------------------------------------------------------------------------- what follows

    def _follow(self, before: Mapping[Window, tuple[Decimal, datetime]], deed: Deed | None) -> None:
        after = self.meters()
        tier = list(SETTING.tiers)[self.level]
        for key, mission in SETTING.missions.items():
            windows = [(metric, Period.FIXED, STARTS[Period.FIXED](date.min)) for metric in mission.targets]
            value = {window: after.get(window, (Decimal(0),))[0] for window in windows}
            if all(before.get(window, (Decimal(0),))[0] == value[window] for window in windows):
                continue
            completion = self.completions[key]
            done = all(value[window] >= mission.targets[window[0]] for window in windows)
            if completion.by is not None and not done:
                completion.by.rewards -= mission.points
                completion.by = None
                self.balance -= mission.points
            elif completion.by is None and done and deed is not None and mission.tier in (None, tier):
                completion.n += 1
                completion.by = deed
                deed.rewards += mission.points
                self.balance += mission.points
        metric, period = SETTING.ladder
        best = max(
            (one[0] for window, one in self.meters().items() if window[:2] == (metric, period)),
            default=Decimal(0),
        )
        self.level = sum(best >= threshold for threshold, _ in SETTING.tiers.values()) - 1

    # ------------------------------------------------------------------------------------------- what it comes to

    def meters(self) -> dict[Window, tuple[Decimal, datetime]]:
        """Value and time of what counts last, of each meter that anything still counts in."""
        found: dict[Window, tuple[Decimal, datetime]] = {}
        for key, metric in SETTING.metrics.items():
            for period in periods_of(key):
                windows: dict[date, list[Deed]] = {}
                for deed in self.deeds.values():
                    if _counts(metric, deed):
                        windows.setdefault(STARTS[period](deed.day), []).append(deed)
                for start, deeds in windows.items():
                    found[key, period, start] = (_value(metric, deeds), max(deed.at for deed in deeds))
        return found

    def badges(self) -> set[tuple[str, int]]:
        meters = self.meters()
        found = set()
        for key, (watched, levels) in SETTING.badges.items():
            if watched is not None:
                value = meters.get((watched, Period.LIFETIME, date(1, 1, 1)), (Decimal(0),))[0]
                found |= {(key, n) for n, threshold in enumerate(levels, start=1) if value >= threshold}
            elif any(self.completions[name].by for name, one in SETTING.missions.items() if one.badge == key):
                found.add((key, 1))
        return found


def _matching(metric: Counted, deed: Deed) -> list[Sold]:
    return [
        one
        for one in deed.lines
        if (not metric.skus or one.sku in metric.skus)
        and (metric.min_amount is None or one.amount >= metric.min_amount)
    ]


def _counts(metric: Counted, deed: Deed) -> bool:
    """Whether any of it counts now."""
    if metric.kinds and deed.kind not in metric.kinds:
        return False
    if metric.measure is Measure.POINTS_EARNED:
        return deed.earned > 0
    if metric.measure is Measure.POINTS_ALL:
        return deed.earned + deed.rewards > 0
    if not deed.lines:
        return deed.stands and metric.measure in (Measure.COUNT, Measure.DISTINCT_DAYS)
    lines = _matching(metric, deed)
    if metric.measure is Measure.AMOUNT:
        return any(one.amount_left for one in lines)
    return any(one.quantity_left for one in lines)


def _value(metric: Counted, deeds: Sequence[Deed]) -> Decimal:
    lines = [one for deed in deeds for one in _matching(metric, deed)]
    match metric.measure:
        case Measure.COUNT:
            return Decimal(len(deeds))
        case Measure.QUANTITY:
            return sum((one.quantity_left for one in lines), Decimal(0))
        case Measure.AMOUNT:
            return sum((one.amount_left for one in lines), Decimal(0))
        case Measure.DISTINCT_PRODUCTS:
            return Decimal(len({one.sku for one in lines if one.quantity_left}))
        case Measure.DISTINCT_DAYS:
            return Decimal(len({deed.day for deed in deeds}))
        case Measure.POINTS_EARNED:
            return Decimal(sum(deed.earned for deed in deeds))
        case Measure.POINTS_ALL:
            return Decimal(sum(deed.earned + deed.rewards for deed in deeds))
