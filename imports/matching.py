"""Which earlier sales a return takes back, where its file does not say: the newest first, each to what is left. Pure.

Only sales of the same partner and product that did not happen after it count. A return of more than all of them have
left is refused whole: a row is recorded or it is not.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Final, TypeAlias

from activity.rules import AMOUNT_STEP, ZERO, LineInput, LineReference

Goods: TypeAlias = tuple[str, str]
"""(partner, SKU)."""

NEWEST: Final = 2**63
"""The order of lines that are not in the journal yet, above that of all that are."""
SUFFIX: Final = "/"
"""What stands between a document and the line from which a further activity of it begins."""


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

    def is_of(self, document: str) -> bool:
        """Whether it stands in that document, or in a further activity of it."""
        return self.external_id == document or self.external_id.startswith(document + SUFFIX)


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
        document: str | None = None,
    ) -> "list[LineInput] | Missing":
        """The lines of a return of so much, which is taken off what is left; nothing is where too little is.

        The amount goes by quantity, and never beyond what is left of a line's.
        """
        left = [
            line
            for line in self._newest_first(goods)
            if line.quantity > 0
            and line.occurred_at <= occurred_at
            and (document is None or line.is_of(document))
        ]
        available = sum((line.quantity for line in left), ZERO)
        if available < quantity:
            return Missing(available)
        parts = []
        for line in left:
            taken = min(line.quantity, quantity)
            # Rounded down, and the last part takes the rest.
            share = (
                amount if taken == quantity else (amount * taken / quantity).quantize(AMOUNT_STEP, ROUND_DOWN)
            )
            share = min(share, line.amount)
            reference = LineReference(line.external_id, line.line, line.source)
            parts.append(LineInput(goods[1], taken, share, reverses=reference))
            line.quantity -= taken
            # Goods that came back whole leave no amount behind.
            line.amount = line.amount - share if line.quantity else ZERO
            quantity -= taken
            amount -= share
            if not quantity:
                break
        return parts

    def _newest_first(self, goods: Goods) -> list[SoldLine]:
        found = self._lines[goods]
        if goods not in self._is_sorted:
            found.sort(key=lambda line: (line.occurred_at, line.order, line.line), reverse=True)
            self._is_sorted.add(goods)
        return found


@dataclass(frozen=True, slots=True)
class Missing:
    """So much less was left than came back."""

    left: Decimal
