"""How a language writes numbers and calls things. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from loyalty.ledger.amounts import Unit
from loyalty.ledger.books import POINT

Names: TypeAlias = Mapping[tuple[str, str], str]
"""Names by (noun, key); an objective's key is "mission/objective"."""

Units: TypeAlias = Mapping[str, Unit]
"""The program's units by code. Points have words of their own."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One language: its marks in numbers, its quotes, its words for months, activity kinds and points."""

    thousands: str
    point: str
    quotes: tuple[str, str]
    months: tuple[str, ...]
    kinds: Mapping[str, str]
    points_word: Callable[[str, bool], str]
    """A written count of points with its word; True where there is exactly one."""
    joined: tuple[str, str]
    """What stands between the things of a list, and before the last."""
    names: Names = field(default_factory=dict)
    units: Units = field(default_factory=dict)

    def about(self, names: Names, units: Units) -> "Speech":
        """The same language, with a program's names and units."""
        return replace(self, names=names, units=units)

    def number(self, value: Any) -> str:
        """An exact number, with grouped thousands and no needless zeros."""
        return self._marked(f"{Decimal(str(value)).normalize():,f}")

    def percent(self, share: Any) -> str:
        """A share (0 to 1) as a percentage of two decimals at most."""
        return self.number(round(Decimal(str(share)) * 100, 2))

    def points(self, count: Any, unit: str = POINT) -> str:
        """A count of points, or of another unit, with its word; money in its main unit, with its currency."""
        if unit == POINT:
            return self.points_word(self.number(count), abs(Decimal(str(count))) == 1)
        known = self.units.get(unit)
        if known is None:
            return f"{self.number(count)} {unit}"
        if known.currency is None:
            return f"{self.number(count)} {known.name}"
        return f"{known.currency} {self._money(count, known)}"

    def count(self, count: Any, unit: str = POINT) -> str:
        """The same beside an amount that has named the unit: the number alone."""
        known = self.units.get(unit)
        return self.number(count) if known is None or known.currency is None else self._money(count, known)

    def is_one(self, count: Any, unit: str = POINT) -> bool:
        """Whether the sentence goes on as about one thing: a single point, or a sum of money."""
        known = self.units.get(unit)
        return abs(Decimal(str(count))) == 1 or (known is not None and known.currency is not None)

    def _money(self, count: Any, unit: Unit) -> str:
        """In the main unit, with all of its digits; with more where it is no whole number of minor ones."""
        exact = unit.shown(Decimal(str(count)).normalize())
        decimals = max(unit.digits, -int(exact.as_tuple().exponent))
        return self._marked(f"{exact:,.{decimals}f}")

    def _marked(self, written: str) -> str:
        return written.translate({ord(","): self.thousands, ord("."): self.point})

    def listed(self, things: Sequence[str]) -> str:
        """Things one after the other: a, b and c."""
        *first, last = things
        return self.joined[1].join([self.joined[0].join(first), last]) if first else last

    def day(self, written: str) -> str:
        """A day, from how it is stored (2026-11-20)."""
        day = date.fromisoformat(written)
        return f"{self.day_of_year(day)} {day.year}"

    def day_of_year(self, day: date) -> str:
        """A day without its year."""
        return f"{day.day} {self.months[day.month - 1]}"

    def kind(self, code: str) -> str:
        """The word for an activity kind; a program's own is called by its code."""
        return self.kinds.get(code, code)

    def name(self, noun: str, key: str | None) -> str:
        """The quoted name of a thing, or its key."""
        known = self.names.get((noun, key or ""), key or "")
        return f"{self.quotes[0]}{known}{self.quotes[1]}"

    def bare(self, noun: str, key: str | None) -> str:
        """The name without quotes, where the sentence needs none."""
        return self.names.get((noun, key or ""), key or "")


Sentence: TypeAlias = Callable[[Mapping[str, Any], Speech], str]
