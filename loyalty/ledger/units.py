"""The units of a program: points, which every program has, and what else it keeps wallets in."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from base.database import Connection
from base.errors import Invalid
from loyalty.ledger.books import POINT

LOAD: Final = "SELECT code, name, currency, digits FROM unit WHERE program_id = $1 ORDER BY code"
KNOWN: Final = "SELECT EXISTS (SELECT FROM unit WHERE program_id = $1 AND code = $2)"


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

    def shown(self, amount: int) -> Decimal:
        """An amount as people read it: money in its main unit."""
        return Decimal(amount).scaleb(-self.digits)


POINTS: Final = Unit(POINT, "Points")


async def load_units(connection: Connection, *, program_id: int) -> dict[str, Unit]:
    """The units of a program by code, points first."""
    rows = await connection.fetch(LOAD, program_id)
    return {one.code: one for one in [POINTS, *(Unit(*row) for row in rows)]}


async def check_unit(connection: Connection, *, program_id: int, unit: str) -> None:
    """Raises `Invalid` (UNKNOWN_UNIT) where the program has no such unit. Points cost no statement."""
    if unit != POINT and not await connection.fetchval(KNOWN, program_id, unit):
        raise Invalid(f"there is no unit {unit}", code="UNKNOWN_UNIT", field=("unit",))


async def known_units(connection: Connection, *, program_id: int, asked: Collection[str]) -> frozenset[str]:
    """The codes of the program's units. Where nothing but points is asked for, it costs no statement."""
    if set(asked) <= {POINT}:
        return frozenset((POINT,))
    return frozenset(await load_units(connection, program_id=program_id))
