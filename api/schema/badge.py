"""Badge: a lasting mark, with levels."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeAlias

import strawberry

from api.access import DESIGNING
from api.context import Info
from api.schema.faults import Given, UserError
from game.badges.queries import AwardRow, BadgeRow
from game.badges.service import BadgeInput, create_badge


@strawberry.type(description="A lasting mark, with levels.")
class Badge:
    key: str
    name: str
    levels: list[Decimal] = strawberry.field(
        description="Rising thresholds; one of 1 where missions award it."
    )
    hidden: bool = strawberry.field(description="Shown to partners only once it is awarded.")

    @classmethod
    def of(cls, row: BadgeRow) -> Badge:
        return cls(key=row.key, name=row.name, levels=list(row.levels), hidden=row.hidden)


@strawberry.type(description="A level of a badge that a partner was awarded.")
class BadgeAward:
    badge: Badge
    level: int
    awarded_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: AwardRow, badge: BadgeRow) -> BadgeAward:
        return cls(
            badge=Badge.of(badge), level=row.level, awarded_at=row.awarded_at, revoked_at=row.revoked_at
        )


@strawberry.input
class BadgeCreateInput:
    key: str
    name: str
    metric: str | None = None
    levels: list[Decimal] | None = None
    hidden: bool | None = False


@strawberry.type
class BadgeCreatePayload:
    badge: Badge


BadgeCreateResult: TypeAlias = Annotated[
    BadgeCreatePayload | UserError, strawberry.union("BadgeCreateResult")
]


@strawberry.type
class BadgeQuery:
    @strawberry.field(description="The program's badges by key; hidden ones only for those who design them.")
    def badges(self, info: Info) -> list[Badge]:
        shown = info.context.catalog.badges.values()
        designs = info.context.caller.role in DESIGNING
        return [Badge.of(row) for row in shown if designs or not row.hidden]


@strawberry.type
class BadgeMutation:
    @strawberry.field(description="Create a badge: with a metric and levels, or for missions to award.")
    async def badge_create(self, info: Info, given: Given[BadgeCreateInput]) -> BadgeCreateResult:
        context = info.context
        badge = BadgeInput(given.key, given.name, given.metric, given.levels, bool(given.hidden))
        row = await create_badge(program_id=context.program_id, badge=badge, now=context.now())
        await context.renew()
        return BadgeCreatePayload(badge=Badge.of(context.catalog.badges[row.id]))
