"""What must come of activities, reckoned from scratch in plain Python: slow, short, and sharing no code with Mitra.

One `Shop` per partner, and a `Program` of what they share. `sell`, `take_back` and `adjust` follow one accepted
activity; `meters()` adds up all that was ever sold and not returned, each time anew. What rules make of an activity
stands in `earning_model.py`, what becomes of points in `ledger_model.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from metrics.rules import Measure
from metrics.windows import Period
from tests.properties.earning_model import Deed, Granted, Rulebook, Sold, Wallet, weigh
from tests.properties.ledger_model import Lot
from tests.properties.setting import SETTING, Counted
from tests.world import NOW

Window = tuple[str, Period, date]
"""(metric, period, start of the window)."""


@dataclass
class Completion:
    n: int = 0
    paid: Lot | None = None
    """What was paid for it; None while it does not stand."""


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


class Program:
    """The time, the rules, and the shops."""

    def __init__(self, zones: Mapping[str, str]) -> None:
        self.now = NOW
        self.rules = Rulebook()
        self.shops = {code: Shop(zone, self) for code, zone in zones.items()}
        self.rules.deeds = [one.deeds for one in self.shops.values()]


class Shop:
    """All that is to be known of one partner."""

    def __init__(self, time_zone: str, program: Program) -> None:
        self.zone = ZoneInfo(time_zone)
        self.program = program
        self.deeds: dict[str, Deed] = {}
        self.wallet = Wallet(self.zone)
        self.level = 0
        self.completions = {key: Completion() for key in SETTING.missions}

    # ------------------------------------------------------------------------------------------- what happens

    def sell(self, ref: str, kind: str, at: datetime, lines: Sequence[tuple[str, Decimal, Decimal]]) -> None:
        before = self.meters()
        sold = [Sold(sku, quantity, amount, quantity, amount) for sku, quantity, amount in lines]
        deed = Deed(kind, at, at.astimezone(self.zone).date(), sold)
        tier = list(SETTING.tiers)[self.level]
        for offer in self.program.rules.decide(deed, self.deeds, tier, self.zone):
            lot = self.wallet.give(offer.points, offer.rule, at, self.program.now)
            deed.grants.append(Granted(offer.key, offer.rule, lot, weigh(offer.rule, offer.lines)))
        self.deeds[ref] = deed
        self._follow(before, deed)

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
            self.wallet.take_back(granted.lot, granted.due(deed.lines), self.program.now)

    def adjust(self, amount: int) -> None:
        if amount > 0:
            self.wallet.grant(amount, self.program.now)
        else:
            self.wallet.withdraw(-amount, self.program.now)

    def open_balance(self, points: int, expires_on: date | None) -> None:
        gone_at = None if expires_on is None else self.wallet.midnight(expires_on + timedelta(1))
        self.wallet.pay(points, self.program.now, gone_at=gone_at)

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
            if completion.paid is not None and not done:
                self.wallet.take_back(completion.paid, mission.points, self.program.now)
                completion.paid = None
            elif completion.paid is None and done and deed is not None and mission.tier in (None, tier):
                completion.n += 1
                completion.paid = self.wallet.pay(mission.points, self.program.now)
                deed.rewards.append(completion.paid)
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
            elif any(
                self.completions[name].paid for name, one in SETTING.missions.items() if one.badge == key
            ):
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
        return deed.earned + deed.rewarded > 0
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
            return Decimal(sum(deed.earned + deed.rewarded for deed in deeds))
