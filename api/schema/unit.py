"""Unit: what wallets are kept in."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.faults import Given, UserError
from loyalty.ledger.configuring import set_unit
from loyalty.ledger.units import Unit as UnitRow


@strawberry.type(description="What wallets are kept in. Every program has POINT.")
class Unit:
    code: str
    name: str
    currency: str | None = strawberry.field(description="ISO 4217, where it is money.")
    digits: int = strawberry.field(
        description="Amounts count the last of so many decimals: with 2, 1250 is 12.50."
    )

    @classmethod
    def of(cls, row: UnitRow) -> Unit:
        return cls(code=row.code, name=row.name, currency=row.currency, digits=row.digits)


@strawberry.input
class UnitCreateInput:
    code: str
    name: str
    currency: str | None = None
    digits: int = 0


@strawberry.type
class UnitCreatePayload:
    unit: Unit


UnitCreateResult: TypeAlias = Annotated[UnitCreatePayload | UserError, strawberry.union("UnitCreateResult")]


@strawberry.type
class UnitQuery:
    @strawberry.field(description="POINT, then the others by code.")
    def units(self, info: Info) -> list[Unit]:
        return [Unit.of(row) for row in info.context.catalog.units.values()]


@strawberry.type
class UnitMutation:
    @strawberry.field(
        description="Create a unit that wallets can be kept in beside POINT, or give one another name. What it counts "
        "never changes."
    )
    async def unit_create(self, info: Info, given: Given[UnitCreateInput]) -> UnitCreateResult:
        context = info.context
        unit = UnitRow(given.code, given.name, given.currency, given.digits)
        await set_unit(program_id=context.program_id, unit=unit)
        await context.renew()
        return UnitCreatePayload(unit=Unit.of(context.catalog.units[unit.code]))
