"""Leaderboard: a ranking by a metric, season by season, and each partner's place in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, TypeAlias

import strawberry

from api.context import Context, Info
from api.ids import global_id
from api.schema.audience import AudienceInput
from api.schema.faults import Given, UserError
from api.schema.node import Node
from api.schema.paging import Connection, Edge, PageInfo, page_size
from api.schema.period import Period
from api.schema.region import Region
from api.schema.scalars import BigInt
from base.database import reading
from base.errors import Invalid
from leaderboards.queries import BoardView, around, size, top
from leaderboards.queries import Standing as StandingRow
from leaderboards.rules import Grouping, SeasonRow, SeasonState
from leaderboards.service import LeaderboardInput, create_leaderboard
from metrics.windows import Period as WindowPeriod

TOP: Final = 10
WIDEST: Final = 50
"""Rows on either side of a partner."""

strawberry.enum(SeasonState, description="Where a season stands in its life.")
strawberry.enum(Grouping, name="BoardGrouping", description="By what a board also ranks, beside the whole.")


@strawberry.type(description="One period of a leaderboard.")
class Season:
    key: str
    starts_at: datetime
    ends_at: datetime | None
    state: SeasonState

    @classmethod
    def of(cls, row: SeasonRow) -> Season:
        return cls(key=row.key, starts_at=row.starts_at, ends_at=row.ends_at, state=row.state)


@strawberry.type(description="What a competitor may see of a partner.")
class StandingPartner:
    code: str
    name: str
    region: Region


@strawberry.type(description="A partner's place in one group of a season.")
class Standing:
    partner: StandingPartner
    group: str = strawberry.field(description='"" for the whole board, else the region or tier ranked in.')
    rank: BigInt = strawberry.field(description="Equal scores share a rank: 1, 2, 2, 4.")
    position: BigInt = strawberry.field(description="The total order: score, then who got there first.")
    score: Decimal
    reached_at: datetime
    percentile: float = strawberry.field(description="0–100: the share of the group at or below.")

    @classmethod
    def of(cls, row: StandingRow, context: Context) -> Standing:
        region = context.catalog.regions_by_code[row.partner.region]
        return cls(
            partner=StandingPartner(code=row.partner.code, name=row.partner.name, region=Region.of(region)),
            group=row.group,
            rank=BigInt(row.rank),
            position=BigInt(row.position),
            score=row.score,
            reached_at=row.reached_at,
            percentile=row.percentile,
        )


def standings_of(rows: Iterable[StandingRow], context: Context) -> list[Standing]:
    """The standings of rows."""
    return [Standing.of(row, context) for row in rows]


@strawberry.type(description="A ranking by a metric.")
class Leaderboard(Node):
    view: strawberry.Private[BoardView]
    key: str
    name: str
    season: Season

    @strawberry.field(description="How many partners stand on it.")
    async def size(self) -> BigInt:
        async with reading() as connection:
            return BigInt(await size(connection, self.view))

    @strawberry.field(description="The best, of the whole board or of one group.")
    async def top(
        self, info: Info, first: int | None = TOP, after: str | None = None, group: str | None = ""
    ) -> Connection[Standing]:
        async with reading() as connection:
            page = await top(
                connection, self.view, first=page_size(first, TOP), after=after, group=group or ""
            )
        edges = [Edge(cursor=row.cursor, node=Standing.of(row, info.context)) for row in page.standings]
        start, end = (edges[0].cursor, edges[-1].cursor) if edges else (None, None)
        return Connection(
            edges=edges,
            page_info=PageInfo(
                has_next_page=page.has_next,
                has_previous_page=page.has_previous,
                start_cursor=start,
                end_cursor=end,
            ),
        )

    @strawberry.field(
        description="A partner that the caller may see, with its neighbours; nothing where it does not stand there."
    )
    async def around(
        self, info: Info, partner: str, span: int | None = 3, group: str | None = ""
    ) -> list[Standing]:
        wide = 3 if span is None else span
        if not 0 <= wide <= WIDEST:
            raise Invalid(f"span must be 0 to {WIDEST}", code="SPAN_OUT_OF_RANGE", field=("span",))
        if await info.context.loaders.partners.load(partner) is None:
            return []
        async with reading() as connection:
            page = await around(connection, self.view, partner=partner, span=wide, group=group or "")
        return standings_of(page.standings, info.context)

    @classmethod
    def of(cls, view: BoardView, context: Context) -> Leaderboard:
        return cls(
            view=view,
            id=strawberry.ID(global_id("Leaderboard", context.caller.program.key, view.board.key)),
            key=view.board.key,
            name=view.board.name,
            season=Season.of(view.season),
        )


@strawberry.type(description="The top of a board as it is now.")
class LeaderboardChange:
    snapshot: bool = strawberry.field(
        description="The first one, and any after which changes may have been missed."
    )
    provisional: bool = strawberry.field(
        description="Not out of a complete projection: Redis is away, or still fills."
    )
    top: list[Standing]


@strawberry.input
class LeaderboardCreateInput:
    key: str
    name: str
    metric: str
    period: Period
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    time_zone: str | None = None
    audience: AudienceInput | None = None
    group_by: Grouping | None = Grouping.NONE

    def taken(self) -> LeaderboardInput:
        return LeaderboardInput(
            key=self.key,
            name=self.name,
            metric=self.metric,
            period=WindowPeriod(self.period.value),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            time_zone=self.time_zone,
            audience=self.audience.taken() if self.audience else None,
            group_by=self.group_by or Grouping.NONE,
        )


@strawberry.type
class LeaderboardCreatePayload:
    leaderboard: Leaderboard


LeaderboardCreateResult: TypeAlias = Annotated[
    LeaderboardCreatePayload | UserError, strawberry.union("LeaderboardCreateResult")
]


@strawberry.type
class LeaderboardMutation:
    @strawberry.field(description="Create a leaderboard with its present season.")
    async def leaderboard_create(
        self, info: Info, given: Given[LeaderboardCreateInput]
    ) -> LeaderboardCreateResult:
        context = info.context
        view = await create_leaderboard(
            program_id=context.program_id, leaderboard=given.taken(), now=context.now()
        )
        await context.renew()
        return LeaderboardCreatePayload(leaderboard=Leaderboard.of(view, context))
