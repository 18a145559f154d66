"""Hold: points reserved for something under way, until they are captured or released."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import strawberry

from api.context import Context, Info
from api.ids import decode_id, global_id, read_cursor
from api.schema.faults import Given, UserError
from api.schema.paging import Connection, connect, page_size
from api.schema.scalars import BigInt
from base.database import Connection as Database
from base.database import reading
from base.errors import Invalid, NotFound
from loyalty.ledger.books import POINT
from loyalty.ledger.desk import once
from loyalty.ledger.hold_queries import Hold as HoldRow
from loyalty.ledger.hold_queries import HoldState, find_hold, list_holds
from loyalty.ledger.holds import Posted, end_hold, place_hold

TYPE: Final = "Hold"

strawberry.enum(HoldState, description="How a hold stands.")


@strawberry.type(
    description="Points reserved for something under way. Captured, in whole or part, or released, once."
)
class Hold:
    id: strawberry.ID
    partner_code: str
    unit: str
    amount: BigInt
    purpose: str
    state: HoldState
    captured: BigInt = strawberry.field(
        description="How much of it was spent when it ended: the rest came back."
    )
    held_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: HoldRow, context: Context) -> Hold:
        return cls(
            id=strawberry.ID(global_id(TYPE, context.caller.program.key, row.id)),
            partner_code=row.partner,
            unit=row.unit,
            amount=BigInt(row.amount),
            purpose=row.purpose,
            state=HoldState(row.state),
            captured=BigInt(row.captured),
            held_at=row.held_at,
            ended_at=row.ended_at,
        )


@strawberry.input
class PointsHoldInput:
    partner: str = strawberry.field(description="Its code.")
    amount: BigInt
    unit: str = POINT
    purpose: str = strawberry.field(description="What the points are for, as the partner reads it.")
    idempotency_key: str = strawberry.field(description="The same key again answers as the first time.")


@strawberry.type
class PointsHoldPayload:
    hold: Hold


PointsHoldResult: TypeAlias = Annotated[PointsHoldPayload | UserError, strawberry.union("PointsHoldResult")]


@strawberry.input
class HoldCaptureInput:
    id: strawberry.ID
    amount: BigInt | None = strawberry.field(
        default=None, description="So much of it, and the rest is released; all of it, where left out."
    )
    idempotency_key: str = strawberry.field(description="The same key again answers as the first time.")


@strawberry.type
class HoldCapturePayload:
    hold: Hold


HoldCaptureResult: TypeAlias = Annotated[
    HoldCapturePayload | UserError, strawberry.union("HoldCaptureResult")
]


@strawberry.input
class HoldReleaseInput:
    id: strawberry.ID
    idempotency_key: str = strawberry.field(description="The same key again answers as the first time.")


@strawberry.type
class HoldReleasePayload:
    hold: Hold


HoldReleaseResult: TypeAlias = Annotated[
    HoldReleasePayload | UserError, strawberry.union("HoldReleaseResult")
]


@strawberry.type
class HoldQuery:
    @strawberry.field(
        description="Newest first; of one partner, and in one of these states, where such are named."
    )
    async def holds(
        self,
        info: Info,
        partner: str | None = None,
        states: list[HoldState] | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[Hold]:
        context, size, below = info.context, page_size(first), read_cursor(after, int)
        async with reading() as connection:
            rows = await list_holds(
                connection,
                program_id=context.program_id,
                partner=partner,
                states=states,
                below=below,
                limit=size + 1,
            )
        return connect(
            rows, size=size, after=after, key=lambda row: row.id, node=lambda row: Hold.of(row, context)
        )


@strawberry.type
class HoldMutation:
    @strawberry.field(description="Reserve points of what is available, those that expire first.")
    async def points_hold(self, info: Info, given: Given[PointsHoldInput]) -> PointsHoldResult:
        context = info.context

        async def place(connection: Database) -> Posted:
            return await place_hold(
                connection,
                program_id=context.program_id,
                partner=given.partner,
                amount=given.amount,
                purpose=given.purpose,
                idempotency_key=given.idempotency_key,
                actor=context.caller.subject,
                now=context.now(),
                unit=given.unit,
            )

        return PointsHoldPayload(hold=await _hold((await once(place)).hold_id, context))

    @strawberry.field(description="Spend what a hold reserved, or some of it.")
    async def hold_capture(self, info: Info, given: Given[HoldCaptureInput]) -> HoldCaptureResult:
        if given.amount == 0:
            raise Invalid(
                "amount must be above 0: release the hold", code="INVALID_AMOUNT", field=("amount",)
            )
        hold = await _end(info.context, given.id, given.amount, given.idempotency_key)
        return HoldCapturePayload(hold=hold)

    @strawberry.field(description="Give back what a hold reserved.")
    async def hold_release(self, info: Info, given: Given[HoldReleaseInput]) -> HoldReleaseResult:
        return HoldReleasePayload(hold=await _end(info.context, given.id, 0, given.idempotency_key))


async def _end(context: Context, word: str, captured: int | None, key: str) -> Hold:
    """Spend so much of a hold, all of it where that is None, and give back the rest."""
    id_ = _number(word, context)

    async def end(connection: Database) -> Posted:
        return await end_hold(
            connection,
            program_id=context.program_id,
            hold_id=id_,
            captured=captured,
            idempotency_key=key,
            actor=context.caller.subject,
            now=context.now(),
        )

    await once(end)
    return await _hold(id_, context)


async def _hold(id_: int, context: Context) -> Hold:
    async with reading() as connection:
        row = await find_hold(connection, program_id=context.program_id, id_=id_)
    assert row is not None
    return Hold.of(row, context)


def _number(word: str, context: Context) -> int:
    """The hold's own number, of an id of this program."""
    match decode_id(word, context.caller.program.key):
        case "Hold", [int(number)]:
            return number
    raise NotFound("there is no such hold", code="UNKNOWN_HOLD", field=("id",))
