"""How a language writes numbers and calls things. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

Names: TypeAlias = Mapping[tuple[str, str], str]
"""Names by (noun, key); an objective's key is "mission/objective"."""


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
    names: Names = field(default_factory=dict)

    def about(self, names: Names) -> "Speech":
        """The same language, with a program's names."""
        return replace(self, names=names)

    def number(self, value: Any) -> str:
        """An exact number, with grouped thousands and no needless zeros."""
        written = f"{Decimal(str(value)).normalize():,f}"
        return written.translate({ord(","): self.thousands, ord("."): self.point})

    def percent(self, share: Any) -> str:
        """A share (0 to 1) as a percentage of two decimals at most."""
        return self.number(round(Decimal(str(share)) * 100, 2))

    def points(self, count: Any, unit: str = "POINT") -> str:
        """A count of points, or of another unit, with its word."""
        if unit != "POINT":
            return f"{self.number(count)} {unit}"
        return self.points_word(self.number(count), abs(Decimal(str(count))) == 1)

    def day(self, written: str) -> str:
        """A day, from how it is stored (2026-11-20)."""
        day = date.fromisoformat(written)
        return f"{day.day} {self.months[day.month - 1]} {day.year}"

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
