"""Tier: a step of the program's ladder, and where partners stand on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from api.context import Context, Info
from api.schema.expiry import Expiry, ExpiryInput
from api.schema.faults import Given, UserError
from api.schema.metric import Metric
from api.schema.period import Period
from base.database import reading
from loyalty.tiers.periods import Calendar
from loyalty.tiers.rules import Downgrade
from loyalty.tiers.rules import Tier as Step
from loyalty.tiers.service import TierInput as GivenTier
from loyalty.tiers.service import TierLadderInput, set_tier_ladder
from loyalty.tiers.standing_queries import LadderRow, StandingRow, is_counting_past
from metrics.windows import Period as WindowPeriod
from partners.listing import PartnerRow


@strawberry.enum(description="What the review at the end of a period may take.")
class TierDowngrade(StrEnum):
    NEVER = "NEVER"
    ONE_STEP = "ONE_STEP"
    TO_EARNED = "TO_EARNED"


@strawberry.type(description="A step of the program's ladder.")
class Tier:
    key: str
    name: str
    level: int = strawberry.field(description="From 0, the step that everyone starts on.")
    threshold: Decimal
    multiplier: Decimal
    access: list[str] = strawberry.field(description="Codes of what it opens, for whoever builds on it.")
    expiry: Expiry | None = strawberry.field(
        description="Of the points that rules grant to those who stand on it, in place of what else would hold."
    )

    @classmethod
    def of(cls, row: Step) -> Tier:
        return cls(
            key=row.key,
            name=row.name,
            level=row.level,
            threshold=row.threshold,
            multiplier=row.multiplier,
            access=list(row.access),
            expiry=None if row.expiry is None else Expiry.of(row.expiry),
        )


@strawberry.type(description="A tier that a person gave, whatever is earned.")
class TierOverride:
    until: datetime | None = strawberry.field(description="Null for good.")
    earned: Tier = strawberry.field(description="Where the partner would stand without it.")


@strawberry.type(description="What earns a tier, and how it is lost.")
class TierLadder:
    metric: Metric
    period: Period
    rolling_months: int | None
    from_joining: bool
    downgrade: TierDowngrade
    grace_days: int
    returns_take: bool
    tiers: list[Tier]

    @strawberry.field(
        description="While what was recorded before the ladder was set is still being counted: until that is over, "
        "`qualifying` and tiers may lack some of it."
    )
    async def counting_past(self, info: Info) -> bool:
        async with reading() as connection:
            return await is_counting_past(connection, program_id=info.context.program_id)

    @classmethod
    def of(cls, row: LadderRow, metric: Metric) -> TierLadder:
        rules = row.rules
        return cls(
            metric=metric,
            period=Period(rules.qualification.period.value),
            rolling_months=rules.qualification.rolling_months,
            from_joining=rules.qualification.from_joining,
            downgrade=TierDowngrade(rules.downgrade.value),
            grace_days=rules.grace_days,
            returns_take=rules.returns_take,
            tiers=[Tier.of(one) for one in rules.tiers],
        )


@strawberry.type(description="Where a partner stands on the ladder.")
class TierStanding:
    tier: Tier
    since: datetime
    qualifying: Decimal = strawberry.field(description="Counted so far in this qualification period.")
    next: Tier | None
    to_next: Decimal | None
    kept_until: datetime | None = strawberry.field(
        description="When the tier goes if nothing more is counted. Null where no review takes it."
    )
    projected: Tier = strawberry.field(
        description="Where the review of this period puts the partner if nothing more is counted."
    )
    override: TierOverride | None


async def standing_of(partner: PartnerRow, context: Context) -> TierStanding | None:
    """A partner's standing; None where the program has no tiers."""
    ladder = context.catalog.ladder
    if ladder is None:
        return None
    row, tiers = await _row_of(partner, context), ladder.tiers
    above = tiers[row.level + 1] if row.level + 1 < len(tiers) else None
    return TierStanding(
        tier=_tier(tiers, row.level),
        since=row.since or partner.created_at,
        qualifying=row.qualifying,
        next=Tier.of(above) if above else None,
        to_next=max(Decimal(0), above.threshold - row.qualifying) if above else None,
        kept_until=row.kept_until,
        projected=_tier(tiers, row.projected),
        override=None
        if row.override is None
        else TierOverride(until=row.override.until, earned=_tier(tiers, row.earned)),
    )


def _tier(tiers: Sequence[Step], level: int) -> Tier:
    """The tier of a level; the highest, where the ladder has become shorter meanwhile."""
    return Tier.of(tiers[min(level, len(tiers) - 1)])


async def _row_of(partner: PartnerRow, context: Context) -> StandingRow:
    calendar = Calendar.of(partner.time_zone, partner.created_at, partner.joined_on)
    return await context.loaders.standings.load((partner.id, calendar))


async def tier_key_of(partner: PartnerRow, context: Context) -> str | None:
    """The key of a partner's tier; None where the program has no tiers."""
    ladder = context.catalog.ladder
    if ladder is None:
        return None
    row = await _row_of(partner, context)
    return ladder.tiers[min(row.level, len(ladder.tiers) - 1)].key


@strawberry.input
class TierInput:
    key: str
    name: str
    threshold: Decimal
    multiplier: Decimal = Decimal(1)
    access: list[str] | None = strawberry.field(
        default=None, description="Codes of what it opens, for whoever builds on it."
    )
    expiry: ExpiryInput | None = strawberry.field(
        default=None,
        description="Of the points that rules grant to those who stand on it, in place of what else would hold.",
    )

    def taken(self, index: int) -> GivenTier:
        expiry = None
        if self.expiry is not None:
            expiry = self.expiry.taken(field=("tiers", str(index), "expiry"))
        return GivenTier(
            self.key, self.name, self.threshold, self.multiplier, expiry=expiry, access=self.access or ()
        )


@strawberry.input
class TierLadderSetInput:
    metric: str
    period: Period
    tiers: list[TierInput]
    rolling_months: int | None = strawberry.field(
        default=None, description="Of a MONTHLY ladder: so many months up to the present one, for one."
    )
    from_joining: bool = strawberry.field(
        default=False, description="Of a YEARLY ladder: years from the partner's day of joining."
    )
    downgrade: TierDowngrade = TierDowngrade.NEVER
    grace_days: int = strawberry.field(
        default=0, description="Days from the end of a period to its review, in which it still counts."
    )
    returns_take: bool = strawberry.field(
        default=True, description="Whether what comes back may take a tier before the period is reviewed."
    )


@strawberry.type
class TierLadderSetPayload:
    tiers: list[Tier]
    ladder: TierLadder


TierLadderSetResult: TypeAlias = Annotated[
    TierLadderSetPayload | UserError, strawberry.union("TierLadderSetResult")
]


@strawberry.type
class TierQuery:
    @strawberry.field(description="The program's ladder, from the lowest step.")
    def tiers(self, info: Info) -> list[Tier]:
        ladder = info.context.catalog.ladder
        return [] if ladder is None else [Tier.of(row) for row in ladder.tiers]

    @strawberry.field(description="Null where the program has no tiers.")
    def tier_ladder(self, info: Info) -> TierLadder | None:
        catalog = info.context.catalog
        if catalog.ladder is None:
            return None
        return TierLadder.of(catalog.ladder, Metric.of(catalog.metrics[catalog.ladder.metric_id]))


@strawberry.type
class TierMutation:
    @strawberry.field(description="Set the program's ladder, as a whole.")
    async def tier_ladder_set(self, info: Info, given: Given[TierLadderSetInput]) -> TierLadderSetResult:
        context = info.context
        ladder = TierLadderInput(
            metric=given.metric,
            period=WindowPeriod(given.period.value),
            tiers=[one.taken(index) for index, one in enumerate(given.tiers)],
            rolling_months=given.rolling_months,
            from_joining=given.from_joining,
            downgrade=Downgrade(given.downgrade.value),
            grace_days=given.grace_days,
            returns_take=given.returns_take,
        )
        await set_tier_ladder(program_id=context.program_id, ladder=ladder, now=context.now())
        await context.renew()
        catalog = context.catalog
        assert catalog.ladder is not None
        stands = TierLadder.of(catalog.ladder, Metric.of(catalog.metrics[catalog.ladder.metric_id]))
        return TierLadderSetPayload(tiers=stands.tiers, ladder=stands)
