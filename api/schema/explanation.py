"""What every earning rule made of an activity, and why."""

from __future__ import annotations

import strawberry

from api.context import Context, Info
from api.roles import Role
from api.schema.activity import find_activity
from api.schema.because import AS_CONFIGURED, Because, told
from api.schema.scalars import BigInt
from api.schema.sight import admitted
from base.database import reading
from loyalty.earning.explaining import explain_activities
from loyalty.earning.reasons import Considered, for_partner
from loyalty.words.speech import Names


@strawberry.type(description="What an earning rule made of an activity.")
class ActivityRule:
    row: strawberry.Private[Considered]
    called: strawberry.Private[Names]
    rule: str = strawberry.field(description="Its key.")
    name: str
    version: int = strawberry.field(description="The version that was asked.")
    points: BigInt = strawberry.field(description="What it granted; returns are not taken off.")
    unit: str

    @strawberry.field(description="From the activity to these points; or to the condition that failed.")
    def because(self, info: Info) -> list[Because]:
        return told(self.row.because, info, rules=frozenset({self.rule}), called=self.called)

    @classmethod
    def of(cls, row: Considered, context: Context, *, called: Names = AS_CONFIGURED) -> ActivityRule:
        key = row.rule.key
        known = context.catalog.rules.get(key)
        return cls(
            row=row,
            called=called,
            rule=key,
            name=called.get(("rule", key), known.name if known else key),
            version=row.rule.version,
            points=BigInt(row.points),
            unit=row.rule.terms.unit,
        )


@strawberry.type
class ExplanationQuery:
    @strawberry.field(
        description="Every earning rule that an activity was considered by: what it paid, or the condition that "
        "failed. A partner is told of those that are for it and were there. Empty for a return, which no rule "
        "considers: the `because` of its entries says what it took back."
    )
    async def activity_explain(self, info: Info, external_id: str, source: str) -> list[ActivityRule] | None:
        context = info.context
        found = await find_activity(context, source, external_id)
        if found is None:
            return None
        id_ = found.original.activity.id
        async with reading() as connection:
            rows = await explain_activities(connection, program_id=context.program_id, activity_ids=[id_])
        told_of = rows[id_]
        if context.caller.role is Role.PARTNER:
            told_of = for_partner(told_of, await admitted(context))
        return [ActivityRule.of(row, context) for row in told_of]
