"""Tiers over time: the history of a partner's, tiers by hand, and what reviews made of all partners."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, TypeAlias

import strawberry

from api.context import Context, Info
from api.schema.because import Because, told
from api.schema.faults import Given, UserError
from api.schema.tier import Tier, TierStanding, standing_of
from base.database import reading
from game.tier_override import TierOverrideInput, override_tier
from loyalty.tiers.changes import ChangeRow, list_reviews
from loyalty.tiers.reviews import Cause

MOST_REVIEWS: Final = 60

strawberry.enum(Cause, name="TierChangeCause", description="Why a tier changed.")


@strawberry.type(description="A partner went from one tier to another.")
class TierChange:
    row: strawberry.Private[ChangeRow]
    from_: Tier | None = strawberry.field(name="from", description="Null where the ladder has it no more.")
    to: Tier | None
    changed_at: datetime
    cause: Cause

    @strawberry.field(description="Why, step by step.")
    def because(self, info: Info) -> list[Because]:
        return told(self.row.because, info)

    @classmethod
    def of(cls, row: ChangeRow, context: Context) -> TierChange:
        tiers = context.catalog.tiers_by_key
        before, after = tiers.get(row.before), tiers.get(row.after)
        return cls(
            row=row,
            from_=Tier.of(before) if before else None,
            to=Tier.of(after) if after else None,
            changed_at=row.changed_at,
            cause=row.cause,
        )


@strawberry.type(description="What the reviews of a period made of the partners.")
class TierReview:
    ends_on: date = strawberry.field(
        description="The first day after the period, on each partner's calendar."
    )
    partners: int
    raised: int
    lowered: int


@strawberry.input(name="TierOverrideInput", description="Put a partner on a tier, whatever it has earned.")
class TierOverrideGiven:
    partner: str = strawberry.field(description="Its code.")
    tier: str | None = strawberry.field(
        default=None, description="Its key; left out to take back what was given by hand."
    )
    until: datetime | None = strawberry.field(
        default=None, description="At most ten years ahead; for good, where left out."
    )
    reason: str
    idempotency_key: str = strawberry.field(description="The same key again answers as the first time.")


@strawberry.type
class TierOverridePayload:
    standing: TierStanding


TierOverrideResult: TypeAlias = Annotated[
    TierOverridePayload | UserError, strawberry.union("TierOverrideResult")
]


@strawberry.type
class TierChangeQuery:
    @strawberry.field(description="The last reviews of periods, the newest first.")
    async def tier_reviews(self, info: Info) -> list[TierReview]:
        async with reading() as connection:
            rows = await list_reviews(connection, program_id=info.context.program_id, limit=MOST_REVIEWS)
        return [
            TierReview(ends_on=row.ends_on, partners=row.partners, raised=row.raised, lowered=row.lowered)
            for row in rows
        ]


@strawberry.type
class TierChangeMutation:
    @strawberry.field(description="Put a partner on a tier by hand, or take that back.")
    async def tier_override(self, info: Info, given: Given[TierOverrideGiven]) -> TierOverrideResult:
        context = info.context
        override = TierOverrideInput(
            given.partner, given.tier, given.reason, given.idempotency_key, given.until
        )
        await override_tier(
            program_id=context.program_id, given=override, actor=context.caller.subject, now=context.now()
        )
        partner = await context.loaders.partners.load(given.partner)
        assert partner is not None
        standing = await standing_of(partner, context)
        assert standing is not None
        return TierOverridePayload(standing=standing)
