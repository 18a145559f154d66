"""Points, given or taken by a person, with a reason."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.adjustment import Adjustment, posted_entries
from api.schema.faults import Given, UserError
from api.schema.scalars import BigInt
from api.schema.wallet import LedgerEntry
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.books import POINT


@strawberry.input
class PointsAdjustInput:
    partner: str = strawberry.field(description="Its code.")
    amount: BigInt = strawberry.field(description="Above 0 gives, below 0 takes.")
    unit: str = POINT
    reason: str
    idempotency_key: str = strawberry.field(description="The same key again answers as the first time.")


@strawberry.type
class PointsAdjustPayload:
    entries: list[LedgerEntry] = strawberry.field(
        description="What was posted to the wallet: none while it awaits approval."
    )
    adjustment: Adjustment


PointsAdjustResult: TypeAlias = Annotated[
    PointsAdjustPayload | UserError, strawberry.union("PointsAdjustResult")
]


@strawberry.type
class PointsMutation:
    @strawberry.field(
        description="Give points to a partner, or take them. Above the program's threshold it posts nothing, and "
        "awaits somebody else's `adjustmentApprove`."
    )
    async def points_adjust(self, info: Info, given: Given[PointsAdjustInput]) -> PointsAdjustResult:
        context = info.context
        row = await adjust_points(
            program_id=context.program_id,
            partner=given.partner,
            amount=given.amount,
            unit=given.unit,
            reason=given.reason,
            idempotency_key=given.idempotency_key,
            actor=context.caller.subject,
            now=context.now(),
        )
        return PointsAdjustPayload(
            entries=await posted_entries(row, context), adjustment=Adjustment.of(row, context)
        )
