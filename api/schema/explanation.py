"""What every earning rule made of an activity, and why; and what would come of activities that nobody has sent."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from api.context import Context, Info
from api.schema.activity import ActivityInput, ActivityOutcome, find_activity
from api.schema.because import Because, told
from api.schema.fact import recognize
from api.schema.scalars import BigInt
from api.schema.sight import admitted
from base.database import reading
from game.preview import preview
from loyalty.earning.explaining import explain_activities
from loyalty.earning.reasons import Considered, for_partner


@strawberry.type(description="What an earning rule made of an activity.")
class ActivityRule:
    row: strawberry.Private[Considered]
    rule: str = strawberry.field(description="Its key.")
    name: str
    version: int = strawberry.field(description="The version that was asked.")
    points: BigInt = strawberry.field(description="What it granted; returns are not taken off.")
    unit: str

    @strawberry.field(description="From the activity to these points; or to the condition that failed.")
    def because(self, info: Info) -> list[Because]:
        return told(self.row.because, info, rules=frozenset({self.rule}))

    @classmethod
    def of(cls, row: Considered, context: Context) -> ActivityRule:
        known = context.catalog.rules.get(row.rule.key)
        return cls(
            row=row,
            rule=row.rule.key,
            name=known.name if known else row.rule.key,
            version=row.rule.version,
            points=BigInt(row.points),
            unit=row.rule.terms.unit,
        )


@strawberry.type(description="What would come of an activity.")
class EarningPreview:
    outcome: ActivityOutcome = strawberry.field(description="What it would be answered, with its facts.")
    rules: list[ActivityRule] = strawberry.field(description="Those that would pay first.")


def _rules(rows: Sequence[Considered], context: Context) -> list[ActivityRule]:
    return [ActivityRule.of(row, context) for row in rows]


@strawberry.type
class ExplanationQuery:
    @strawberry.field(
        description="Every earning rule that an activity was considered by: what it paid, or the condition that "
        "failed. A partner is told of those that are for it."
    )
    async def activity_explain(self, info: Info, external_id: str, source: str) -> list[ActivityRule] | None:
        context = info.context
        found = await find_activity(context, source, external_id)
        if found is None:
            return None
        id_ = found.original.activity.id
        async with reading() as connection:
            rows = await explain_activities(connection, program_id=context.program_id, activity_ids=[id_])
        return _rules(for_partner(rows[id_], await admitted(context)), context)

    @strawberry.field(
        description="What would come of 1 to 100 activities that were sent now. Nothing of it is kept."
    )
    async def earning_preview(self, info: Info, activities: list[ActivityInput]) -> list[EarningPreview]:
        context = info.context
        previews = await preview(
            program_id=context.program_id,
            activities=[one.taken() for one in activities],
            clock=context.session.clock,
        )
        await recognize((fact for one in previews for fact in one.outcome.facts), context)
        return [
            EarningPreview(outcome=ActivityOutcome.of(one.outcome), rules=_rules(one.rules, context))
            for one in previews
        ]
