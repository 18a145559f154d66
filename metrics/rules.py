"""What is counted: metrics, their filters and series, and a meter's arithmetic. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from activity.rules import ZERO, Line, Product
from metrics.windows import WindowSpec, window_start
from partners.attributes import AnyOf, are_met, read_conditions, write_conditions

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
    max_amount: Decimal | None = None
    attributes: tuple[AnyOf, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it admits everything."""
        return self == EVERYTHING

    def admits_product(self, product: Product) -> bool:
        """Whether lines of this product may count."""
        return (
            (not self.skus or product.sku in self.skus)
            and (not self.categories or product.category in self.categories)
            and (not self.brands or product.brand in self.brands)
            and (not self.attributes or are_met(self.attributes, product.attributes))
        )

    def admits_amount(self, amount: Decimal) -> bool:
        """Whether lines of this amount may count, both bounds included."""
        return (self.min_amount is None or amount >= self.min_amount) and (
            self.max_amount is None or amount <= self.max_amount
        )

    def admits(self, line: Line) -> bool:
        """Whether the line counts. A return does not change it: the amount is the one that was sold."""
        return self.admits_product(line.product) and self.admits_amount(line.amount)

    def to_json(self) -> dict[str, Any]:
        """As it is stored: only the conditions that are set."""
        named = {"skus": self.skus, "categories": self.categories, "brands": self.brands}
        stored: dict[str, Any] = {name: sorted(codes) for name, codes in named.items() if codes}
        for name, bound in (("min_amount", self.min_amount), ("max_amount", self.max_amount)):
            if bound is not None:
                stored[name] = format(bound, "f")
        if self.attributes:
            stored["attributes"] = write_conditions(self.attributes)
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "LineFilter":
        """The filter that `to_json` wrote."""
        least, most = stored.get("min_amount"), stored.get("max_amount")
        return cls(
            skus=frozenset(stored.get("skus", ())),
            categories=frozenset(stored.get("categories", ())),
            brands=frozenset(stored.get("brands", ())),
            min_amount=None if least is None else Decimal(least),
            max_amount=None if most is None else Decimal(most),
            attributes=read_conditions(stored.get("attributes", {})),
        )


EVERYTHING: Final = LineFilter()


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
