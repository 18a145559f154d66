"""Tier: a step of the program's ladder, and where partners stand on it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeAlias

import strawberry

from api.context import Context, Info
from api.schema.faults import Given, UserError
from api.schema.period import Period
from loyalty.tiers.service import TierInput as GivenTier
from loyalty.tiers.service import TierLadderInput, set_tier_ladder
from loyalty.tiers.standing_queries import StandingRow, TierRow
from metrics.windows import Period as WindowPeriod
from partners.listing import PartnerRow


@strawberry.type(description="A step of the program's ladder.")
class Tier:
    key: str
    name: str
    level: int = strawberry.field(description="From 0, the step that everyone starts on.")
    threshold: Decimal
    multiplier: Decimal

    @classmethod
    def of(cls, row: TierRow) -> Tier:
        return cls(
            key=row.key, name=row.name, level=row.level, threshold=row.threshold, multiplier=row.multiplier
        )


@strawberry.type(description="Where a partner stands on the ladder.")
class TierStanding:
    tier: Tier
    since: datetime
    qualifying: Decimal = strawberry.field(description="Counted so far in this qualification period.")
    next: Tier | None
    to_next: Decimal | None
    kept_until: datetime | None = strawberry.field(description="Null where no review takes the tier.")
    projected: Tier = strawberry.field(description="Where the partner lands if nothing more is counted.")


def standing_of(partner: PartnerRow, row: StandingRow, tiers: tuple[TierRow, ...]) -> TierStanding:
    """A partner's standing. No review takes a tier yet: it is kept without end, and is where the partner lands."""
    tier = Tier.of(tiers[min(row.level, len(tiers) - 1)])
    above = tiers[row.level + 1] if row.level + 1 < len(tiers) else None
    return TierStanding(
        tier=tier,
        since=row.since or partner.created_at,
        qualifying=row.qualifying,
        next=Tier.of(above) if above else None,
        to_next=max(Decimal(0), above.threshold - row.qualifying) if above else None,
        kept_until=None,
        projected=tier,
    )


async def tier_key_of(partner: PartnerRow, context: Context) -> str | None:
    """The key of a partner's tier; None where the program has no tiers."""
    ladder = context.catalog.ladder
    if ladder is None:
        return None
    row = await context.loaders.standings.load((partner.id, partner.time_zone))
    return ladder.tiers[min(row.level, len(ladder.tiers) - 1)].key


@strawberry.input
class TierInput:
    key: str
    name: str
    threshold: Decimal
    multiplier: Decimal = Decimal(1)


@strawberry.input
class TierLadderSetInput:
    metric: str
    period: Period
    tiers: list[TierInput]


@strawberry.type
class TierLadderSetPayload:
    tiers: list[Tier]


TierLadderSetResult: TypeAlias = Annotated[
    TierLadderSetPayload | UserError, strawberry.union("TierLadderSetResult")
]


@strawberry.type
class TierQuery:
    @strawberry.field(description="The program's ladder, from the lowest step.")
    def tiers(self, info: Info) -> list[Tier]:
        ladder = info.context.catalog.ladder
        return [] if ladder is None else [Tier.of(row) for row in ladder.tiers]


@strawberry.type
class TierMutation:
    @strawberry.field(description="Set the program's ladder, as a whole.")
    async def tier_ladder_set(self, info: Info, given: Given[TierLadderSetInput]) -> TierLadderSetResult:
        context = info.context
        ladder = TierLadderInput(
            metric=given.metric,
            period=WindowPeriod(given.period.value),
            tiers=[GivenTier(one.key, one.name, one.threshold, one.multiplier) for one in given.tiers],
        )
        await set_tier_ladder(program_id=context.program_id, ladder=ladder)
        await context.renew()
        return TierLadderSetPayload(tiers=[Tier.of(row) for row in context.catalog.tiers_by_key.values()])
