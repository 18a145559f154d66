"""Which meters an activity moves, and by how much. Pure.

A metric's value over some lines is the difference between what counts of them after and before something happened:
a sale goes from nothing to all, a return from what was left to what is left now. So both are counted by one rule, in
the window of the sale, and a metric is always net of the returns that reverse what it counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from activity.rules import ZERO, Line, Product, Share
from metrics.windows import WindowSpec, window_start

MeterKey: TypeAlias = tuple[int, date, int]
"""(series id, start of the window, partner id)."""

ONE: Final = Decimal(1)


class Measure(StrEnum):
    """What a metric adds up."""

    COUNT = "COUNT"
    QUANTITY = "QUANTITY"
    AMOUNT = "AMOUNT"
    DISTINCT_PRODUCTS = "DISTINCT_PRODUCTS"
    DISTINCT_DAYS = "DISTINCT_DAYS"
    POINTS_EARNED = "POINTS_EARNED"
    POINTS_ALL = "POINTS_ALL"


POINTS: Final = frozenset({Measure.POINTS_EARNED, Measure.POINTS_ALL})
DISTINCT: Final = frozenset({Measure.DISTINCT_PRODUCTS, Measure.DISTINCT_DAYS})


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines count: every condition that is set must hold. An empty one admits activities without lines too."""

    skus: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    min_amount: Decimal | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it admits everything."""
        return not (self.skus or self.categories or self.brands or self.min_amount is not None)

    def admits_product(self, product: Product) -> bool:
        """Whether lines of this product may count."""
        return (
            (not self.skus or product.sku in self.skus)
            and (not self.categories or product.category in self.categories)
            and (not self.brands or product.brand in self.brands)
        )

    def admits(self, line: Line) -> bool:
        """Whether the line counts. A return does not change it: the amount is the one that was sold."""
        return self.admits_product(line.product) and (
            self.min_amount is None or line.amount >= self.min_amount
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored: only the conditions that are set."""
        named = {"skus": self.skus, "categories": self.categories, "brands": self.brands}
        stored: dict[str, Any] = {name: sorted(codes) for name, codes in named.items() if codes}
        if self.min_amount is not None:
            stored["min_amount"] = format(self.min_amount, "f")
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "LineFilter":
        """The filter that `to_json` wrote."""
        least = stored.get("min_amount")
        return cls(
            skus=frozenset(stored.get("skus", ())),
            categories=frozenset(stored.get("categories", ())),
            brands=frozenset(stored.get("brands", ())),
            min_amount=None if least is None else Decimal(least),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """What to count. No kinds means every kind but RETURN. Told apart by identity: a plan has one object for each."""

    id: int
    key: str
    kinds: frozenset[str]
    measure: Measure
    filter: LineFilter = field(default_factory=LineFilter)

    def counts(self, kind: str) -> bool:
        """Whether activities of this kind count."""
        return not self.kinds or kind in self.kinds


class Placed(Protocol):
    """Whose and when: what decides which windows something counts in. An `Activity` is one."""

    @property
    def partner_id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def local_date(self) -> date: ...


class Countable(Placed, Protocol):
    """Something placed that has lines, or none. An `Activity` is one."""

    @property
    def lines(self) -> Sequence[Line]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A metric over one kind of window: the meters that some watcher wants kept. One object for each in a plan."""

    id: int
    metric: Metric
    spec: WindowSpec

    def window(self, activity: Placed) -> date | None:
        """The window that the activity counts in; None where it lies outside."""
        return window_start(self.spec, occurred_at=activity.occurred_at, local_date=activity.local_date)


class Amount(NamedTuple):
    """A metric's part in what happened: by how much its value moves, or how its distinct parts do."""

    delta: Decimal
    parts: tuple[tuple[str, Decimal], ...] = ()
    stands: bool = True
    """Whether the activity still counts at all after it."""


NOTHING: Final = Amount(ZERO)


class Movement(NamedTuple):
    """A meter's part in what happened."""

    key: MeterKey
    amount: Amount
    series: Series


class Counting:
    """The series of a program, arranged for counting.

    What a product matches is found out once, and a window once for all series that share it.
    """

    def __init__(self, series: Iterable[Series]) -> None:
        self.series: Final = {one.id: one for one in series}
        self.by_metric: Final[dict[Metric, list[tuple[Series, int]]]] = {}
        specs: dict[WindowSpec, int] = {}
        for one in self.series.values():
            place = specs.setdefault(one.spec, len(specs))
            self.by_metric.setdefault(one.metric, []).append((one, place))
        self._specs: Final = tuple(specs)
        self._last: tuple[datetime | None, date | None, list[date | None]] = (None, None, [])
        self._plain: dict[str, list[Metric]] = {}
        self._points: dict[str, list[Metric]] = {}
        self._matches: dict[tuple[str, int], list[Metric]] = {}

    def _metrics(self, kind: str) -> list[Metric]:
        found = self._plain.get(kind)
        if found is None:
            found = [one for one in self.by_metric if one.measure not in POINTS and one.counts(kind)]
            self._plain[kind] = found
            self._points[kind] = [one for one in self.by_metric if one.measure in POINTS and one.counts(kind)]
        return found

    def _of_product(self, kind: str, product: Product) -> list[Metric]:
        key = (kind, product.id)
        found = self._matches.get(key)
        if found is None:
            found = [one for one in self._metrics(kind) if one.filter.admits_product(product)]
            self._matches[key] = found
        return found

    def movements(self, activity: Placed, amounts: Iterable[tuple[Metric, Amount]]) -> list[Movement]:
        """Each metric's amount, in each of its series' windows that the activity falls into."""
        found = []
        partner_id = activity.partner_id
        starts = self._starts(activity.occurred_at, activity.local_date)
        for metric, amount in amounts:
            for series, place in self.by_metric[metric]:
                start = starts[place]
                if start is not None:
                    found.append(Movement((series.id, start, partner_id), amount, series))
        return found

    def _starts(self, occurred_at: datetime, local_date: date) -> list[date | None]:
        """The window of each spec. The last answer is kept: an activity's metrics and points are counted in a row."""
        if occurred_at is not self._last[0] or local_date is not self._last[1]:
            starts = [
                window_start(spec, occurred_at=occurred_at, local_date=local_date) for spec in self._specs
            ]
            self._last = (occurred_at, local_date, starts)
        return self._last[2]

    def count(
        self, activity: Countable, shares: Sequence[Share], *, stood: bool, stands: bool
    ) -> list[Movement]:
        """What moves when `activity`'s lines go from before to after.

        `stood` and `stands` say whether any of the activity counted before and counts after: what an activity without
        lines goes by.
        """
        amounts: list[tuple[Metric, Amount]] = []
        if activity.lines:
            by_metric: dict[Metric, list[Share]] = {}
            for share in shares:
                for metric in self._of_product(activity.kind, share.line.product):
                    least = metric.filter.min_amount
                    if least is None or share.line.amount >= least:
                        by_metric.setdefault(metric, []).append(share)
            for metric, counted in by_metric.items():
                amount = MEASURES[metric.measure](counted, activity.local_date)
                if amount.delta or amount.parts:
                    amounts.append((metric, amount))
        elif delta := Decimal(int(stands) - int(stood)):
            day = activity.local_date.isoformat()
            for metric in self._metrics(activity.kind):
                if metric.filter.is_empty:
                    if metric.measure is Measure.COUNT:
                        amounts.append((metric, Amount(delta, stands=stands)))
                    elif metric.measure is Measure.DISTINCT_DAYS:
                        amounts.append((metric, Amount(ZERO, ((day, delta),), stands=stands)))
        return self.movements(activity, amounts)

    def count_points(
        self, activity: Placed, *, earned: int, rewards: int, left: tuple[int, int] | None = None
    ) -> list[Movement]:
        """What moves when the activity brings (or takes back, below zero) so many points.

        `left` is what it stands for after points were taken back, (earned, rewards).
        """
        self._metrics(activity.kind)
        amounts = []
        for metric in self._points[activity.kind]:
            delta = points_of(metric, earned, rewards)
            if delta:
                stands = left is None or points_of(metric, *left) > 0
                amounts.append((metric, Amount(Decimal(delta), stands=stands)))
        return self.movements(activity, amounts)


def points_of(metric: Metric, earned: int, rewards: int) -> int:
    """What a metric over points counts of them."""
    return earned if metric.measure is Measure.POINTS_EARNED else earned + rewards


def _stands(shares: Sequence[Share]) -> tuple[bool, bool]:
    return any(share.quantity_before > 0 for share in shares), any(
        share.quantity_after > 0 for share in shares
    )


def _count(shares: Sequence[Share], _: date) -> Amount:
    stood, stands = _stands(shares)
    return Amount(Decimal(int(stands) - int(stood)), stands=stands)


def _quantity(shares: Sequence[Share], _: date) -> Amount:
    delta = sum([share.quantity_after - share.quantity_before for share in shares], ZERO)
    return Amount(delta, stands=_stands(shares)[1])


def _amount(shares: Sequence[Share], _: date) -> Amount:
    delta = sum([share.amount_after - share.amount_before for share in shares], ZERO)
    return Amount(delta, stands=any(share.amount_after > 0 for share in shares))


def _distinct_products(shares: Sequence[Share], _: date) -> Amount:
    parts: dict[str, Decimal] = {}
    for share in shares:
        sku = share.line.product.sku
        parts[sku] = parts.get(sku, ZERO) + share.quantity_after - share.quantity_before
    return Amount(
        ZERO, tuple((sku, delta) for sku, delta in parts.items() if delta), stands=_stands(shares)[1]
    )


def _distinct_days(shares: Sequence[Share], local_date: date) -> Amount:
    stood, stands = _stands(shares)
    delta = Decimal(int(stands) - int(stood))
    return Amount(ZERO, ((local_date.isoformat(), delta),) if delta else (), stands=stands)


MEASURES: Final[Mapping[Measure, Callable[[Sequence[Share], date], Amount]]] = {
    Measure.COUNT: _count,
    Measure.QUANTITY: _quantity,
    Measure.AMOUNT: _amount,
    Measure.DISTINCT_PRODUCTS: _distinct_products,
    Measure.DISTINCT_DAYS: _distinct_days,
}


@dataclass(slots=True)
class Meter:
    """The value of one metric for one partner in one window, while a batch is decided."""

    value: Decimal
    reached_at: datetime
    version: int
    parts: dict[str, Decimal] | None = None
    """Of a distinct count: what it has seen. Those that moved stand in `moved_parts`."""
    moved: bool = False
    moved_parts: set[str] = field(default_factory=set)

    def move(self, amount: Amount, *, occurred_at: datetime) -> None:
        """Take a movement in. `reached_at` starts over from 0, where nothing counts any more; else it never goes back
        here: a return that takes the last one recounts it."""
        empty = not self.value
        if self.parts is None:
            self.value += amount.delta
        else:
            for part, delta in amount.parts:
                before = self.parts.get(part, ZERO)
                after = before + delta
                self.parts[part] = after
                self.moved_parts.add(part)
                self.value += int(after > 0) - int(before > 0)
        if amount.stands and (empty or occurred_at > self.reached_at):
            self.reached_at = occurred_at
        self.version += 1
        self.moved = True

    def correct(self, counted: "Meter") -> bool:
        """Take over what was counted again; whether anything differed."""
        parts = dict(counted.parts or {})
        stood = self.parts or {}
        differing = {
            part for part in parts.keys() | stood.keys() if parts.get(part, ZERO) != stood.get(part, ZERO)
        }
        reached_at = counted.reached_at if counted.version else self.reached_at
        if self.value == counted.value and self.reached_at == reached_at and not differing:
            return False
        if self.parts is not None:
            self.parts = {part: parts.get(part, ZERO) for part in parts.keys() | stood.keys()}
        self.value, self.reached_at, self.moved = counted.value, reached_at, True
        self.version += 1
        self.moved_parts |= differing
        return True
