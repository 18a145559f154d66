"""The units of a program: points, which every program has, and what else it keeps wallets in."""

from collections.abc import Collection
from typing import Final

from base.database import Connection
from base.errors import Invalid
from loyalty.ledger.amounts import POINTS, Unit
from loyalty.ledger.books import POINT

__all__ = ["POINTS", "Unit", "check_unit", "known_units", "load_units"]

LOAD: Final = "SELECT code, name, currency, digits FROM unit WHERE program_id = $1 ORDER BY code"
KNOWN: Final = "SELECT EXISTS (SELECT FROM unit WHERE program_id = $1 AND code = $2)"


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
