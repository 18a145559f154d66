"""Points, given or taken by a person, with a reason."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.faults import Given, UserError
from api.schema.scalars import BigInt
from api.schema.wallet import LedgerEntry
from base.database import reading
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.books import POINT
from loyalty.ledger.queries import load_entries


@strawberry.input
class PointsAdjustInput:
    partner: str = strawberry.field(description="Its code.")
    amount: BigInt = strawberry.field(description="Above 0 gives, below 0 takes.")
    unit: str = POINT
    reason: str
    idempotency_key: str = strawberry.field(description="The same key again answers as the first time.")


@strawberry.type
class PointsAdjustPayload:
    entries: list[LedgerEntry] = strawberry.field(description="What was posted to the wallet.")


PointsAdjustResult: TypeAlias = Annotated[
    PointsAdjustPayload | UserError, strawberry.union("PointsAdjustResult")
]


@strawberry.type
class PointsMutation:
    @strawberry.field(description="Give points to a partner, or take them.")
    async def points_adjust(self, info: Info, given: Given[PointsAdjustInput]) -> PointsAdjustResult:
        context = info.context
        posted = await adjust_points(
            program_id=context.program_id,
            partner=given.partner,
            amount=given.amount,
            unit=given.unit,
            reason=given.reason,
            idempotency_key=given.idempotency_key,
            actor=context.caller.subject,
            now=context.now(),
        )
        async with reading() as connection:
            rows = await load_entries(
                connection, program_id=context.program_id, transaction_id=posted.transaction_id
            )
        return PointsAdjustPayload(entries=[LedgerEntry.of(row, context) for row in rows])
