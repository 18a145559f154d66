"""Earning rule: how an activity becomes points."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

import strawberry

from api.context import Info
from api.schema.audience import AudienceInput
from api.schema.expiry import Expiry, ExpiryInput
from api.schema.faults import Given, UserError, stated
from api.schema.metric import MetricFilterInput
from api.schema.rule_terms import (
    EarningBand,
    EarningBandInput,
    EarningCap,
    EarningCapInput,
    EarningHours,
    EarningHoursInput,
    EarningNth,
    EarningNthInput,
    EarningSegmentMultiplier,
    EarningSegmentMultiplierInput,
)
from api.schema.scalars import JSON, BigInt
from base.database import reading
from base.errors import Invalid
from loyalty.earning.inputs import DAYS, TermsInput, Weekday
from loyalty.earning.queries import RuleRow, load_versions
from loyalty.earning.service import (
    EarningRuleInput,
    EarningRuleUpdate,
    PointsPer,
    create_earning_rule,
    end_earning_rule,
    update_earning_rule,
)
from loyalty.ledger.books import POINT
from loyalty.ledger.expiry import Expiry as Policy

INPUTS: Final = {"min_amount": "minAmount", "max_amount": "maxAmount", "kinds": "partnerKinds"}
"""What inputs call the conditions that are stored under other names."""


def _name_inputs(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Stored conditions, as an input takes them."""
    return {INPUTS.get(name, name): value for name, value in stored.items()}


@strawberry.enum(description="What an earning rule's points are per.")
class EarningBasis(StrEnum):
    ACTIVITY = "ACTIVITY"
    QUANTITY = "QUANTITY"
    AMOUNT = "AMOUNT"


@strawberry.enum(
    description="Whether a version of a rule holds: not yet, now, or no more. What a later one replaces before "
    "it begins never holds, and is ENDED."
)
class EarningRuleState(StrEnum):
    SCHEDULED = "SCHEDULED"
    LIVE = "LIVE"
    ENDED = "ENDED"


@strawberry.type(description="How an activity becomes points: one version of a rule.")
class EarningRule:
    row: strawberry.Private[RuleRow]
    key: str
    name: str
    version: int
    activity_kind: str
    basis: EarningBasis
    rate: Decimal = strawberry.field(description="Points per activity, per unit, or per unit of money.")
    starts_at: datetime | None
    ends_at: datetime | None
    effective_from: datetime | None = strawberry.field(
        description="From when on this version holds, for what occurs then; null of the first, which always did."
    )
    ended_at: datetime | None = strawberry.field(description="When the rule was ended by hand.")
    filter: JSON = strawberry.field(
        description="Which lines count: the conditions that are set, as inputs take them."
    )
    audience: JSON = strawberry.field(
        description="Who takes part: the conditions that are set, as inputs take them."
    )
    step: Decimal | None
    bands: list[EarningBand]
    min_basket_amount: Decimal | None
    max_basket_amount: Decimal | None
    nth: EarningNth | None
    group: str | None
    priority: int
    weekdays: list[Weekday]
    hours: EarningHours | None
    caps: list[EarningCap]
    unit: str
    lock_days: int
    expiry: Expiry | None = strawberry.field(description="The program's, where null.")
    tier_multiplier: bool
    segment_multipliers: list[EarningSegmentMultiplier]
    budget: BigInt | None

    @strawberry.field(description="What is left of the budget; null where the rule has none.")
    async def budget_left(self, info: Info) -> BigInt | None:
        if self.row.terms.budget is None:
            return None
        spent = await info.context.loaders.rule_budgets.load(self.row.root)
        return BigInt(max(0, self.row.terms.budget - spent))

    @strawberry.field
    def state(self, info: Info) -> EarningRuleState:
        return EarningRuleState(self.row.state(info.context.now()))

    @classmethod
    def of(cls, row: RuleRow) -> EarningRule:
        terms = row.terms
        return cls(
            row=row,
            key=row.key,
            name=row.name,
            version=row.version,
            activity_kind=row.activity_kind,
            basis=EarningBasis(row.basis),
            rate=row.rate,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            effective_from=row.effective_from,
            ended_at=row.ended_at,
            filter=JSON(_name_inputs(row.line_filter)),
            audience=JSON(_name_inputs(row.audience)),
            step=terms.step,
            bands=[EarningBand.of(one) for one in terms.bands],
            min_basket_amount=terms.min_basket,
            max_basket_amount=terms.max_basket,
            nth=None if terms.nth is None else EarningNth.of(terms.nth),
            group=terms.group,
            priority=terms.priority,
            weekdays=[DAYS[day - 1] for day in terms.weekdays],
            hours=None if terms.hours is None else EarningHours.of(terms.hours),
            caps=[EarningCap.of(one) for one in terms.caps],
            unit=terms.unit,
            lock_days=terms.lock_days,
            expiry=None if terms.expiry is None else Expiry.of(terms.expiry),
            tier_multiplier=terms.tier_multiplier,
            segment_multipliers=[EarningSegmentMultiplier.of(one) for one in terms.boosts],
            budget=None if terms.budget is None else BigInt(terms.budget),
        )


@strawberry.input(one_of=True, description="Points per activity, per unit, or per unit of money.")
class PointsPerInput:
    activity: BigInt | None = strawberry.UNSET
    quantity: Decimal | None = strawberry.UNSET
    amount: Decimal | None = strawberry.UNSET

    def taken(self) -> PointsPer:
        return PointsPer(stated(self.activity), stated(self.quantity), stated(self.amount))


@strawberry.input(description="What a rule says. What is left out asks nothing, and limits nothing.")
class EarningRuleContentInput:
    key: str
    name: str
    filter: MetricFilterInput | None = None
    points_per: PointsPerInput
    audience: AudienceInput | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lock_days: int | None = strawberry.field(
        default=0, description="So many local days the points are pending; 0: they are available at once."
    )
    expires_after_days: int | None = strawberry.field(
        default=None,
        description="Short for `expiry: {afterDays: …}`. Without either, the tier's or the program's policy holds.",
    )
    expiry: ExpiryInput | None = None
    budget: BigInt | None = strawberry.field(
        default=None, description="Points for all partners together: it pays what is left, and then nothing."
    )
    step: Decimal | None = strawberry.field(
        default=None, description="Only full steps of so much earn, `pointsPer` each."
    )
    bands: list[EarningBandInput] | None = strawberry.field(
        default=None, description="Other rates from certain quantities on, in rising order."
    )
    min_basket_amount: Decimal | None = strawberry.field(
        default=None, description="What all lines of the activity must be worth together."
    )
    max_basket_amount: Decimal | None = None
    nth: EarningNthInput | None = strawberry.field(
        default=None, description="Only certain purchases earn: the first one, or every fifth."
    )
    group: str | None = strawberry.field(
        default=None,
        description="Of the rules of a group only one pays for an activity: of the highest priority.",
    )
    priority: int | None = 0
    weekdays: list[Weekday] | None = strawberry.field(
        default=None, description="On the partner's own calendar."
    )
    hours: EarningHoursInput | None = strawberry.field(
        default=None, description="By the partner's own clock."
    )
    caps: list[EarningCapInput] | None = strawberry.field(
        default=None, description="The most that one partner gets."
    )
    tier_multiplier: bool | None = strawberry.field(
        default=True, description="Whether the tier's multiplier applies."
    )
    segment_multipliers: list[EarningSegmentMultiplierInput] | None = None

    def expires(self) -> Policy | None:
        if self.expires_after_days is None:
            return self.expiry.taken() if self.expiry else None
        if self.expiry is not None:
            raise Invalid("give one of the two", code="EXACTLY_ONE", field=["expiry"])
        return ExpiryInput(after_days=self.expires_after_days).taken(field=("expiresAfterDays",))

    def terms(self) -> TermsInput:
        return TermsInput(
            step=self.step,
            bands=[one.taken() for one in self.bands or ()],
            min_basket=self.min_basket_amount,
            max_basket=self.max_basket_amount,
            nth=self.nth.taken() if self.nth else None,
            group=self.group,
            priority=self.priority or 0,
            weekdays=self.weekdays or (),
            hours=self.hours.taken() if self.hours else None,
            caps=[one.taken() for one in self.caps or ()],
            budget=self.budget,
            expiry=self.expires(),
            tier_multiplier=self.tier_multiplier is not False,
            boosts=[one.taken() for one in self.segment_multipliers or ()],
        )


@strawberry.input
class EarningRuleCreateInput(EarningRuleContentInput):
    activity_kind: str
    unit: str = strawberry.field(
        default=POINT, description="What it pays in: points, or another of the program's."
    )

    def taken(self) -> EarningRuleInput:
        return EarningRuleInput(
            key=self.key,
            name=self.name,
            activity_kind=self.activity_kind,
            unit=self.unit,
            points_per=self.points_per.taken(),
            filter=self.filter.taken() if self.filter else None,
            audience=self.audience.taken() if self.audience else None,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            lock_days=self.lock_days or 0,
            terms=self.terms(),
        )


@strawberry.input(description="All that the rule says from now on, or from `effectiveFrom`.")
class EarningRuleUpdateInput(EarningRuleContentInput):
    effective_from: datetime | None = None


@strawberry.input
class EarningRuleEndInput:
    key: str


@strawberry.type
class EarningRuleCreatePayload:
    earning_rule: EarningRule


@strawberry.type
class EarningRuleUpdatePayload:
    earning_rule: EarningRule


@strawberry.type
class EarningRuleEndPayload:
    earning_rule: EarningRule


EarningRuleCreateResult: TypeAlias = Annotated[
    EarningRuleCreatePayload | UserError, strawberry.union("EarningRuleCreateResult")
]
EarningRuleUpdateResult: TypeAlias = Annotated[
    EarningRuleUpdatePayload | UserError, strawberry.union("EarningRuleUpdateResult")
]
EarningRuleEndResult: TypeAlias = Annotated[
    EarningRuleEndPayload | UserError, strawberry.union("EarningRuleEndResult")
]


@strawberry.type
class EarningRuleQuery:
    @strawberry.field(description="How activities become points, in the newest version of each rule, by key.")
    def earning_rules(self, info: Info) -> list[EarningRule]:
        return [EarningRule.of(row) for row in info.context.catalog.rules.values()]

    @strawberry.field(description="A rule in all its versions, newest first.")
    async def earning_rule_versions(self, info: Info, key: str) -> list[EarningRule]:
        async with reading() as connection:
            rows = await load_versions(connection, program_id=info.context.program_id, key=key)
        return [EarningRule.of(row) for row in rows]


@strawberry.type
class EarningRuleMutation:
    @strawberry.field(description="Create an earning rule. It is live at once, or from `startsAt`.")
    async def earning_rule_create(
        self, info: Info, given: Given[EarningRuleCreateInput]
    ) -> EarningRuleCreateResult:
        context = info.context
        tiers = context.catalog.tiers_by_key
        row = await create_earning_rule(
            program_id=context.program_id, rule=given.taken(), tiers=tiers, now=context.now()
        )
        await context.renew()
        return EarningRuleCreatePayload(earning_rule=EarningRule.of(row))

    @strawberry.field(
        description="Change an earning rule: a new version, for what occurs from now on or from `effectiveFrom`. It "
        "replaces whatever was scheduled from then on."
    )
    async def earning_rule_update(
        self, info: Info, given: Given[EarningRuleUpdateInput]
    ) -> EarningRuleUpdateResult:
        context = info.context
        rule = EarningRuleUpdate(
            key=given.key,
            name=given.name,
            points_per=given.points_per.taken(),
            filter=given.filter.taken() if given.filter else None,
            audience=given.audience.taken() if given.audience else None,
            starts_at=given.starts_at,
            ends_at=given.ends_at,
            lock_days=given.lock_days or 0,
            terms=given.terms(),
            effective_from=given.effective_from,
        )
        tiers = context.catalog.tiers_by_key
        row = await update_earning_rule(
            program_id=context.program_id, rule=rule, tiers=tiers, now=context.now()
        )
        await context.renew()
        return EarningRuleUpdatePayload(earning_rule=EarningRule.of(row))

    @strawberry.field(description="End an earning rule: what occurs from now on earns nothing by it.")
    async def earning_rule_end(self, info: Info, given: Given[EarningRuleEndInput]) -> EarningRuleEndResult:
        context = info.context
        row = await end_earning_rule(program_id=context.program_id, key=given.key, now=context.now())
        await context.renew()
        return EarningRuleEndPayload(earning_rule=EarningRule.of(row))
