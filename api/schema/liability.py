"""Liability: what the program owes its partners, and when it expires."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.context import Info
from api.liabilities import liability_url
from api.schema.scalars import BigInt
from base.database import reading
from loyalty.ledger.books import POINT
from loyalty.ledger.liability import Liability as LiabilityRow
from loyalty.ledger.liability import MonthDue, load_liability


@strawberry.type(description="What of it expires in a month.")
class LiabilityMonth:
    month: str | None = strawberry.field(
        description="Of the last day, in the program's zone: 2026-12. Null: what never expires."
    )
    available: BigInt
    pending: BigInt
    held: BigInt
    total: BigInt

    @classmethod
    def of(cls, row: MonthDue) -> LiabilityMonth:
        return cls(
            month=None if row.month is None else f"{row.month:%Y-%m}",
            available=BigInt(row.available),
            pending=BigInt(row.pending),
            held=BigInt(row.held),
            total=BigInt(row.total),
        )


@strawberry.type(description="What the program owes its partners in a unit, as the books stand.")
class Liability:
    unit: str
    as_of: datetime
    time_zone: str = strawberry.field(description="Whose months they are.")
    available: BigInt
    pending: BigInt = strawberry.field(description="Earned, not yet mature.")
    held: BigInt = strawberry.field(description="Reserved by open redemptions.")
    total: BigInt = strawberry.field(description="Available, pending and held.")
    debt: BigInt = strawberry.field(description="Owed by partners; it is not taken off the total.")
    months: list[LiabilityMonth] = strawberry.field(description="The soonest first; what never expires last.")
    csv_url: str = strawberry.field(
        description="Where to GET it as a file, under the API's own address: in the language of `Accept-Language`."
    )

    @classmethod
    def of(cls, row: LiabilityRow, *, now: datetime, time_zone: str) -> Liability:
        return cls(
            unit=row.unit,
            as_of=now,
            time_zone=time_zone,
            available=BigInt(row.due.available),
            pending=BigInt(row.due.pending),
            held=BigInt(row.due.held),
            total=BigInt(row.due.total),
            debt=BigInt(row.debt),
            months=[LiabilityMonth.of(one) for one in row.months],
            csv_url=liability_url(row.unit),
        )


@strawberry.type
class LiabilityQuery:
    @strawberry.field(description="What the program owes its partners in a unit, and when it expires.")
    async def liability(self, info: Info, unit: str = POINT) -> Liability:
        context = info.context
        time_zone = context.caller.program.time_zone
        code = context.catalog.unit(unit).code
        async with reading() as connection:
            row = await load_liability(
                connection, program_id=context.program_id, unit=code, time_zone=time_zone
            )
        return Liability.of(row, now=context.now(), time_zone=time_zone)
