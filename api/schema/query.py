"""What can be asked."""

from __future__ import annotations

import strawberry

from api.context import Info
from api.ids import decode_id, read_cursor
from api.schema.activity import ActivityQuery
from api.schema.adjustment import AdjustmentQuery
from api.schema.badge import BadgeQuery
from api.schema.explanation import ExplanationQuery
from api.schema.hold import HoldQuery
from api.schema.imports import ImportQuery
from api.schema.leaderboard import Leaderboard
from api.schema.liability import LiabilityQuery
from api.schema.metric import MetricQuery
from api.schema.mission import Mission
from api.schema.node import Node
from api.schema.paging import Connection, connect, page_size
from api.schema.partner import PartnerQuery
from api.schema.policy import PolicyQuery
from api.schema.preview import PreviewQuery
from api.schema.rule import EarningRuleQuery
from api.schema.search import find_node
from api.schema.segment import SegmentQuery
from api.schema.sight import boards_seen, missions_seen
from api.schema.statement import StatementQuery
from api.schema.tier import TierQuery
from api.schema.tier_change import TierChangeQuery
from api.schema.unit import UnitQuery
from api.schema.viewer import ViewerQuery
from game.missions.states import MissionState, state_of


@strawberry.type
class MissionQuery:
    @strawberry.field(description="Those that the caller may see, newest first.")
    async def missions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        states: list[MissionState] | None = None,
    ) -> Connection[Mission]:
        context, size, below = info.context, page_size(first), read_cursor(after, int)
        now = context.now()
        rows = [
            row
            for row in await missions_seen(context)
            if (below is None or row.id < below) and (not states or state_of(row, now) in states)
        ]
        return connect(
            rows, size=size, after=after, key=lambda row: row.id, node=lambda row: Mission.of(row, context)
        )

    @strawberry.field(description="Null where there is none that the caller may see.")
    async def mission(self, info: Info, key: str) -> Mission | None:
        rows = await missions_seen(info.context)
        return next((Mission.of(row, info.context) for row in rows if row.key == key), None)


@strawberry.type
class LeaderboardQuery:
    @strawberry.field(description="Those that the caller may see, by key.")
    async def leaderboards(self, info: Info) -> list[Leaderboard]:
        boards = await boards_seen(info.context)
        return [Leaderboard.of(view, info.context) for view in boards.values()]

    @strawberry.field(description="Null where there is none that the caller may see.")
    async def leaderboard(self, info: Info, key: str) -> Leaderboard | None:
        view = (await boards_seen(info.context)).get(key)
        return None if view is None else Leaderboard.of(view, info.context)


@strawberry.type
class NodeQuery:
    @strawberry.field(description="What has this id, where the caller may see it.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 (the argument's name)
        named = decode_id(id, info.context.caller.program.key)
        return None if named is None else await find_node(info.context, *named)


@strawberry.type(description="What can be asked.")
class Query(
    ViewerQuery,
    NodeQuery,
    PartnerQuery,
    SegmentQuery,
    MissionQuery,
    BadgeQuery,
    TierQuery,
    TierChangeQuery,
    LeaderboardQuery,
    MetricQuery,
    EarningRuleQuery,
    ActivityQuery,
    ExplanationQuery,
    PreviewQuery,
    ImportQuery,
    StatementQuery,
    UnitQuery,
    PolicyQuery,
    AdjustmentQuery,
    HoldQuery,
    LiabilityQuery,
):
    pass
