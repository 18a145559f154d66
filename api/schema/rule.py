"""Earning rule: how an activity becomes points."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.audience import AudienceInput
from api.schema.faults import Given, UserError, stated
from api.schema.metric import MetricFilterInput
from api.schema.scalars import BigInt
from loyalty.earning.queries import RuleRow
from loyalty.earning.service import EarningRuleInput, PointsPer, create_earning_rule


@strawberry.enum(description="What an earning rule's points are per.")
class EarningBasis(StrEnum):
    ACTIVITY = "ACTIVITY"
    QUANTITY = "QUANTITY"
    AMOUNT = "AMOUNT"


@strawberry.type(description="How an activity becomes points.")
class EarningRule:
    key: str
    name: str
    version: int
    activity_kind: str
    basis: EarningBasis
    rate: Decimal = strawberry.field(description="Points per activity, per unit, or per unit of money.")
    starts_at: datetime | None
    ends_at: datetime | None

    @classmethod
    def of(cls, row: RuleRow) -> EarningRule:
        return cls(
            key=row.key,
            name=row.name,
            version=row.version,
            activity_kind=row.activity_kind,
            basis=EarningBasis(row.basis),
            rate=row.rate,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
        )


@strawberry.input(one_of=True, description="Points per activity, per unit, or per unit of money.")
class PointsPerInput:
    activity: BigInt | None = strawberry.UNSET
    quantity: Decimal | None = strawberry.UNSET
    amount: Decimal | None = strawberry.UNSET

    def taken(self) -> PointsPer:
        return PointsPer(stated(self.activity), stated(self.quantity), stated(self.amount))


@strawberry.input
class EarningRuleCreateInput:
    key: str
    name: str
    activity_kind: str
    filter: MetricFilterInput | None = None
    points_per: PointsPerInput
    audience: AudienceInput | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lock_days: int | None = strawberry.field(default=0, description="0: the points are available at once.")


@strawberry.type
class EarningRuleCreatePayload:
    earning_rule: EarningRule


EarningRuleCreateResult: TypeAlias = Annotated[
    EarningRuleCreatePayload | UserError, strawberry.union("EarningRuleCreateResult")
]


@strawberry.type
class EarningRuleQuery:
    @strawberry.field(description="How activities become points, by key.")
    def earning_rules(self, info: Info) -> list[EarningRule]:
        return [EarningRule.of(row) for row in info.context.catalog.rules.values()]


@strawberry.type
class EarningRuleMutation:
    @strawberry.field(description="Create an earning rule.")
    async def earning_rule_create(
        self, info: Info, given: Given[EarningRuleCreateInput]
    ) -> EarningRuleCreateResult:
        context = info.context
        rule = EarningRuleInput(
            key=given.key,
            name=given.name,
            activity_kind=given.activity_kind,
            points_per=given.points_per.taken(),
            filter=given.filter.taken() if given.filter else None,
            audience=given.audience.taken() if given.audience else None,
            starts_at=given.starts_at,
            ends_at=given.ends_at,
            lock_days=given.lock_days or 0,
        )
        tiers = context.catalog.tiers_by_key
        row = await create_earning_rule(
            program_id=context.program_id, rule=rule, tiers=tiers, now=context.now()
        )
        await context.renew()
        return EarningRuleCreatePayload(earning_rule=EarningRule.of(context.catalog.rules[row.key]))
