"""Adjustment: points given or taken by a person, perhaps once a second person has approved."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import strawberry

from api.context import Context, Info
from api.ids import decode_id, global_id, read_cursor
from api.schema.faults import Given, UserError
from api.schema.paging import Connection, connect, page_size
from api.schema.partner import Partner
from api.schema.scalars import BigInt
from api.schema.wallet import LedgerEntry
from base.database import reading
from base.errors import NotFound
from loyalty.ledger.adjustments import Adjustment as AdjustmentRow
from loyalty.ledger.adjustments import AdjustmentState, list_adjustments
from loyalty.ledger.approval import approve_adjustment, reject_adjustment

TYPE: Final = "Adjustment"

strawberry.enum(AdjustmentState, description="How an adjustment stands.")


@strawberry.type(description="Points given or taken by a person, with a reason.")
class Adjustment:
    row: strawberry.Private[AdjustmentRow]
    id: strawberry.ID
    state: AdjustmentState
    amount: BigInt
    unit: str
    reason: str
    asked_by: str = strawberry.field(description="The subject of a token.")
    asked_at: datetime
    decided_by: str | None = strawberry.field(description="Who approved or rejected it, where it had to be.")
    decided_at: datetime | None
    rejection: str | None = strawberry.field(description="Why it was rejected.")

    @strawberry.field
    async def partner(self, info: Info) -> Partner:
        row = await info.context.loaders.partners.load(self.row.partner)
        assert row is not None, "those who may read adjustments see the whole program"
        return Partner.of(row, info.context)

    @strawberry.field(description="What was posted to the wallet: none before it is POSTED.")
    async def entries(self, info: Info) -> list[LedgerEntry]:
        return await posted_entries(self.row, info.context)

    @classmethod
    def of(cls, row: AdjustmentRow, context: Context) -> Adjustment:
        return cls(
            row=row,
            id=strawberry.ID(global_id(TYPE, context.caller.program.key, row.id)),
            state=row.state,
            amount=BigInt(row.amount),
            unit=row.unit,
            reason=row.reason,
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
            rejection=row.rejection,
        )


async def posted_entries(row: AdjustmentRow, context: Context) -> list[LedgerEntry]:
    """What an adjustment posted to the wallet."""
    if row.transaction_id is None:
        return []
    rows = await context.loaders.posted.load(row.transaction_id)
    return [LedgerEntry.of(one, context) for one in rows]


@strawberry.input
class AdjustmentApproveInput:
    id: strawberry.ID


@strawberry.type
class AdjustmentApprovePayload:
    adjustment: Adjustment


AdjustmentApproveResult: TypeAlias = Annotated[
    AdjustmentApprovePayload | UserError, strawberry.union("AdjustmentApproveResult")
]


@strawberry.input
class AdjustmentRejectInput:
    id: strawberry.ID
    reason: str


@strawberry.type
class AdjustmentRejectPayload:
    adjustment: Adjustment


AdjustmentRejectResult: TypeAlias = Annotated[
    AdjustmentRejectPayload | UserError, strawberry.union("AdjustmentRejectResult")
]


@strawberry.type
class AdjustmentQuery:
    @strawberry.field(description="Newest first; those in one of these states, where some are named.")
    async def adjustments(
        self,
        info: Info,
        states: list[AdjustmentState] | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[Adjustment]:
        context, size, below = info.context, page_size(first), read_cursor(after, int)
        async with reading() as connection:
            rows = await list_adjustments(
                connection, program_id=context.program_id, states=states, below=below, limit=size + 1
            )
        return connect(
            rows, size=size, after=after, key=lambda row: row.id, node=lambda row: Adjustment.of(row, context)
        )


@strawberry.type
class AdjustmentMutation:
    @strawberry.field(description="Post an adjustment that somebody else asked for, and that awaits it.")
    async def adjustment_approve(
        self, info: Info, given: Given[AdjustmentApproveInput]
    ) -> AdjustmentApproveResult:
        context = info.context
        row = await approve_adjustment(
            program_id=context.program_id,
            id_=_number(given.id, context),
            actor=context.caller.subject,
            now=context.now(),
        )
        return AdjustmentApprovePayload(adjustment=Adjustment.of(row, context))

    @strawberry.field(description="Let an adjustment that somebody else asked for never be posted.")
    async def adjustment_reject(
        self, info: Info, given: Given[AdjustmentRejectInput]
    ) -> AdjustmentRejectResult:
        context = info.context
        row = await reject_adjustment(
            program_id=context.program_id,
            id_=_number(given.id, context),
            reason=given.reason,
            actor=context.caller.subject,
            now=context.now(),
        )
        return AdjustmentRejectPayload(adjustment=Adjustment.of(row, context))


def _number(word: str, context: Context) -> int:
    """The adjustment's own number, of an id of this program."""
    match decode_id(word, context.caller.program.key):
        case "Adjustment", [int(number)]:
            return number
    raise NotFound("there is no such adjustment", field=("id",))
