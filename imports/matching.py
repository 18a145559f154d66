"""Which earlier sales a return takes back, where its file does not say: the newest first, each to what is left. Pure.

Only sales of the same partner and product that did not happen after it count. A return of more than all of them have
left is refused whole: a row is recorded or it is not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import Final, TypeAlias

from activity.rules import AMOUNT_STEP, QUANTITY_STEP, ZERO, LineInput, LineReference

Goods: TypeAlias = tuple[str, str]
"""(partner, SKU)."""

NEWEST: Final = 2**63
"""The order of lines that are not in the journal yet, above that of all that are."""


@dataclass(slots=True)
class SoldLine:
    """A line that was sold, and what has not come back of it, in the product's own unit."""

    source: str
    external_id: str
    line: int
    occurred_at: datetime
    order: int
    """Which came first of two at the same instant: higher is newer."""
    quantity: Decimal
    amount: Decimal
    packs: Mapping[str, Decimal] = field(default_factory=dict)
    """Those of the product as it was sold: how much of its own unit each held."""
    document: str = ""
    """The document that it stands in; empty where that is its activity's own number."""

    def is_of(self, source: str, document: str) -> bool:
        """Whether it stands in that document, or in a further activity of it."""
        return self.source == source and (self.document or self.external_id) == document


SoldBefore: TypeAlias = Sequence[tuple[Goods, SoldLine]]
"""What the journal has of the goods in question."""


class SoldLines:
    """What partners bought and still have. Taking from it is final."""

    def __init__(self, before: SoldBefore) -> None:
        self._lines: Final[defaultdict[Goods, list[SoldLine]]] = defaultdict(list)
        self._is_sorted: Final[set[Goods]] = set()
        for goods, line in before:
            self._lines[goods].append(replace(line))

    def add(self, goods: Goods, lines: Iterable[SoldLine]) -> None:
        """More lines that were sold."""
        self._lines[goods] += lines
        self._is_sorted.discard(goods)

    def take(
        self,
        goods: Goods,
        *,
        quantity: Decimal,
        amount: Decimal,
        occurred_at: datetime,
        unit: str | None = None,
        document: tuple[str, str] | None = None,
    ) -> "list[LineInput] | Missing":
        """The lines of a return of so much, which is taken off what is left; nothing is where too little is.

        What comes back in packs counts as what these held when they were sold. `document`: (source, number) of the
        only one whose lines count. The amount goes by quantity, and never beyond what is left of a line's.
        """
        left = [
            line
            for line in self._newest_first(goods)
            if line.quantity > 0
            and line.occurred_at <= occurred_at
            and (document is None or line.is_of(*document))
        ]
        wanted = Fraction(quantity)
        available = sum((Fraction(line.quantity) / held(line, unit) for line in left), Fraction())
        if available < wanted:
            return Missing(rounded(available))
        parts = []
        for line in left:
            each = held(line, unit)
            taken = min(line.quantity, rounded(wanted * each))
            rest = max(wanted - Fraction(taken) / each, Fraction())
            is_last = rounded(rest * each) == 0
            # Rounded down, and the last part takes the rest.
            share = (
                amount
                if is_last
                else (amount * taken / rounded(wanted * each)).quantize(AMOUNT_STEP, ROUND_DOWN)
            )
            share = min(share, line.amount)
            reference = LineReference(line.external_id, line.line, line.source)
            parts.append(LineInput(goods[1], taken, share, reverses=reference))
            line.quantity -= taken
            # Goods that came back whole leave no amount behind.
            line.amount = line.amount - share if line.quantity else ZERO
            amount -= share
            wanted = rest
            if is_last:
                break
        return parts

    def _newest_first(self, goods: Goods) -> list[SoldLine]:
        found = self._lines[goods]
        if goods not in self._is_sorted:
            found.sort(key=lambda line: (line.occurred_at, line.order, line.line), reverse=True)
            self._is_sorted.add(goods)
        return found


def held(line: SoldLine, unit: str | None) -> Fraction:
    """How much of the product's own unit one of `unit` held when the line was sold; its own unit is one."""
    return Fraction(line.packs.get(unit, 1)) if unit else Fraction(1)


def rounded(quantity: Fraction) -> Decimal:
    """As a quantity is kept: packs of different sizes do not always come out even."""
    return (Decimal(quantity.numerator) / Decimal(quantity.denominator)).quantize(QUANTITY_STEP)


@dataclass(frozen=True, slots=True)
class Missing:
    """So much was left, in the unit of what came back: less than that."""

    left: Decimal
