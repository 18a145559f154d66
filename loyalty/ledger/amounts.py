"""What a wallet counts, and how much of it people read. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from loyalty.ledger.books import POINT


@dataclass(frozen=True, slots=True)
class Unit:
    """What a wallet counts, in whole numbers. One with a `currency` is money: its minor units, `digits` of a whole."""

    code: str
    name: str
    currency: str | None = None
    digits: int = 0

    @property
    def measure(self) -> str:
        """What stands beside an amount."""
        return self.currency or self.code

    def shown(self, amount: int | Decimal) -> Decimal:
        """An amount as people read it: money in its main unit."""
        return Decimal(amount).scaleb(-self.digits)


POINTS: Final = Unit(POINT, "Points")
