"""Activity: something that a partner did, as a source reported it. Recorded once, kept for ever."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from activity.journal import find_keys, load_originals
from activity.returns import Original
from activity.rules import ActivityInput as GivenActivity
from activity.rules import Line, LineInput, LineReference
from api.context import Context, Info
from api.schema.because import AS_CONFIGURED
from api.schema.fact import Fact, fact_of, recognize
from api.schema.faults import Given, UserError
from api.schema.scalars import JSON
from base.database import reading
from game.facts import load_facts
from game.outcome import REJECTED, Outcome
from game.pipeline import record
from loyalty.words.speech import Names
from partners.listing import load_partners


@strawberry.enum(description="What became of an activity that was sent.")
class ActivityStatus(StrEnum):
    RECORDED = "RECORDED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"


@strawberry.input(description="A line of an earlier activity.")
class LineReferenceInput:
    source: str | None = strawberry.field(default=None, description="The return's own, where left out.")
    external_id: str
    line: int = strawberry.field(description="Counts from 1.")


@strawberry.input
class ActivityLineInput:
    sku: str
    quantity: Decimal = strawberry.field(description="Of `unit`. Above 0, for a RETURN too.")
    amount: Decimal = strawberry.field(description="0 or above, for a RETURN too.")
    unit: str | None = strawberry.field(
        default=None, description="The product's own, where left out, or one of its packs."
    )
    reverses: LineReferenceInput | None = strawberry.field(
        default=None, description="For a RETURN of a part: the line that it takes back."
    )

    def taken(self) -> LineInput:
        of = self.reverses
        reference = None if of is None else LineReference(of.external_id, of.line, of.source)
        return LineInput(self.sku, self.quantity, self.amount, self.unit, reference)


@strawberry.input(description="(source, externalId) is the idempotency key.")
class ActivityInput:
    source: str = strawberry.field(description="The sending system.")
    external_id: str
    kind: str = strawberry.field(description="SALE, RETURN, RECEIPT, TRAINING, VISIT, or the program's own.")
    partner: str = strawberry.field(description="Its code.")
    occurred_at: datetime
    lines: list[ActivityLineInput] = strawberry.field(default_factory=list)
    currency: str | None = strawberry.field(default=None, description="The program's, where left out.")
    reverses: str | None = strawberry.field(
        default=None,
        description="For a RETURN of a whole activity, `lines` empty: its externalId at the same source.",
    )
    attributes: JSON | None = None

    def taken(self) -> GivenActivity:
        return GivenActivity(
            source=self.source,
            external_id=self.external_id,
            kind=self.kind,
            partner=self.partner,
            occurred_at=self.occurred_at,
            lines=[line.taken() for line in self.lines],
            currency=self.currency,
            reverses=self.reverses,
            attributes=self.attributes,
        )


@strawberry.input
class ActivityRecordInput:
    activities: list[ActivityInput] = strawberry.field(
        description="1 to 1,000; each stands or falls by itself."
    )


@strawberry.type(description="What became of one activity.")
class ActivityOutcome:
    row: strawberry.Private[Outcome]
    called: strawberry.Private[Names] = field(default_factory=dict)
    external_id: str
    status: ActivityStatus
    error: UserError | None = strawberry.field(description="Set where it was REJECTED.")

    @strawberry.field(description="What it set off; a DUPLICATE answers as the first time.")
    def facts(self, info: Info) -> list[Fact]:
        return [fact_of(fact, info.context, called=self.called) for fact in self.row.facts]

    @classmethod
    def of(cls, row: Outcome, *, called: Names = AS_CONFIGURED) -> ActivityOutcome:
        error = None
        if row.status == REJECTED:
            error = UserError(code=row.code, message=row.message, field=list(row.field) or None)
        status = ActivityStatus(row.status)
        return cls(row=row, called=called, external_id=row.external_id, status=status, error=error)


@strawberry.type
class ActivityRecordPayload:
    outcomes: list[ActivityOutcome] = strawberry.field(description="In the order given.")


ActivityRecordResult: TypeAlias = Annotated[
    ActivityRecordPayload | UserError, strawberry.union("ActivityRecordResult")
]


@strawberry.type(description="A line, and what of it has not come back.")
class ActivityLine:
    line: int = strawberry.field(description="Counts from 1.")
    sku: str
    quantity: Decimal = strawberry.field(description="Of `unit`.")
    amount: Decimal
    unit: str = strawberry.field(description="The product's own.")
    reported_quantity: Decimal = strawberry.field(description="As the source sent it: of `reportedUnit`.")
    reported_unit: str = strawberry.field(description="The product's own, or one of its packs.")
    quantity_left: Decimal = strawberry.field(description="Of `unit`.")
    amount_left: Decimal

    @classmethod
    def of(cls, line: Line, original: Original) -> ActivityLine:
        quantity_left, amount_left = original.left[line.number]
        reported_unit, reported_quantity = line.pack or (line.product.unit, line.quantity)
        return cls(
            line=line.number,
            sku=line.product.sku,
            quantity=line.quantity,
            amount=line.amount,
            unit=line.product.unit,
            reported_quantity=reported_quantity,
            reported_unit=reported_unit,
            quantity_left=quantity_left,
            amount_left=amount_left,
        )


@strawberry.type(description="An activity of the journal.")
class Activity:
    original: strawberry.Private[Original]
    source: str
    external_id: str
    kind: str
    partner: str = strawberry.field(description="Its code.")
    occurred_at: datetime
    posted_at: datetime
    recorded_at: datetime
    currency: str
    lines: list[ActivityLine]
    stands: bool = strawberry.field(description="False once all of it came back.")

    @strawberry.field(description="What it set off.")
    async def facts(self, info: Info) -> list[Fact]:
        context, id_ = info.context, self.original.activity.id
        async with reading() as connection:
            found = await load_facts(connection, program_id=context.program_id, activity_ids=[id_])
        await recognize(found[id_], context)
        return [fact_of(fact, context) for fact in found[id_]]


async def find_activity(context: Context, source: str, external_id: str) -> Activity | None:
    """The activity of a key, where its partner is one that the caller may see."""
    key = (source, external_id)
    async with reading() as connection:
        claim = (await find_keys(connection, program_id=context.program_id, keys=[key])).get(key)
        if claim is None:
            return None
        ids = [claim.activity_id]
        found = await load_originals(connection, program_id=context.program_id, activity_ids=ids)
        one = found[claim.activity_id].activity
        partners = await load_partners(connection, scope=context.scope, ids=[one.partner_id])
    if one.partner_id not in partners:
        return None
    original = found[one.id]
    return Activity(
        original=original,
        source=one.source,
        external_id=one.external_id,
        kind=one.kind,
        partner=partners[one.partner_id].code,
        occurred_at=one.occurred_at,
        posted_at=one.posted_at,
        recorded_at=one.recorded_at,
        currency=one.currency,
        lines=[ActivityLine.of(line, original) for line in one.lines],
        stands=original.stands,
    )


@strawberry.type
class ActivityQuery:
    @strawberry.field(
        description="An activity by its idempotency key: what was recorded, and what is left of it."
    )
    async def activity(self, info: Info, source: str, external_id: str) -> Activity | None:
        return await find_activity(info.context, source, external_id)


@strawberry.type
class ActivityMutation:
    @strawberry.field(description="Record 1 to 1,000 activities, in the order given.")
    async def activity_record(self, info: Info, given: Given[ActivityRecordInput]) -> ActivityRecordResult:
        context = info.context
        outcomes = await record(
            program_id=context.program_id,
            activities=[one.taken() for one in given.activities],
            clock=context.session.clock,
        )
        await recognize((fact for outcome in outcomes for fact in outcome.facts), context)
        return ActivityRecordPayload(outcomes=[ActivityOutcome.of(outcome) for outcome in outcomes])
