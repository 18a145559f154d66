"""Mission: objectives over metrics, for an audience, with rewards."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeAlias

import strawberry

from api.context import Context, Info
from api.ids import global_id
from api.schema.audience import AudienceInput
from api.schema.badge import Badge
from api.schema.faults import Given, UserError, stated
from api.schema.metric import Metric
from api.schema.node import Node
from api.schema.scalars import BigInt
from game.missions.queries import MissionRow, ObjectiveRow
from game.missions.service import MissionInput, create_mission, end_mission, publish_mission
from game.missions.service import MissionRewardInput as GivenReward
from game.missions.service import ObjectiveInput as GivenObjective
from game.missions.states import MissionState, state_of

strawberry.enum(MissionState, description="Where a mission stands in its life.")


@strawberry.type(description="What is to be reached.")
class Target:
    fixed: Decimal | None


@strawberry.type(description="A target on a metric in the mission's window.")
class Objective:
    row: strawberry.Private[ObjectiveRow]
    key: str
    label: str
    target: Target

    @strawberry.field
    def metric(self, info: Info) -> Metric:
        return Metric.of(info.context.catalog.metrics[self.row.metric_id])

    @classmethod
    def of(cls, row: ObjectiveRow) -> Objective:
        return cls(row=row, key=row.key, label=row.label, target=Target(fixed=row.target))


@strawberry.type(description="What a completion pays: points, or a badge.")
class MissionReward:
    points: BigInt | None
    badge: Badge | None


@strawberry.type(description="Objectives over metrics, for an audience, with rewards.")
class Mission(Node):
    row: strawberry.Private[MissionRow]
    key: str
    title: str
    description: str
    state: MissionState
    version: int
    starts_at: datetime
    ends_at: datetime | None

    @strawberry.field
    def objectives(self) -> list[Objective]:
        return [Objective.of(row) for row in self.row.objectives]

    @strawberry.field
    def rewards(self, info: Info) -> list[MissionReward]:
        badges = info.context.catalog.badges
        return [
            MissionReward(
                points=BigInt(reward["points"]) if "points" in reward else None,
                badge=Badge.of(badges[reward["badge"]]) if "badge" in reward else None,
            )
            for reward in self.row.rewards
        ]

    @classmethod
    def of(cls, row: MissionRow, context: Context) -> Mission:
        return cls(
            row=row,
            id=strawberry.ID(global_id("Mission", context.caller.program.key, row.key)),
            key=row.key,
            title=row.title,
            description=row.description,
            state=state_of(row, context.now()),
            version=row.version,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
        )


@strawberry.input(one_of=True)
class TargetInput:
    fixed: Decimal | None = strawberry.UNSET


@strawberry.input
class ObjectiveInput:
    key: str
    label: str
    metric: str
    target: TargetInput


@strawberry.input(one_of=True)
class MissionRewardInput:
    points: BigInt | None = strawberry.UNSET
    badge: str | None = strawberry.UNSET


@strawberry.input
class MissionCreateInput:
    key: str
    title: str
    description: str | None = None
    starts_at: datetime
    ends_at: datetime | None = None
    audience: AudienceInput | None = None
    objectives: list[ObjectiveInput]
    rewards: list[MissionRewardInput]

    def taken(self) -> MissionInput:
        return MissionInput(
            key=self.key,
            title=self.title,
            description=self.description or "",
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            audience=self.audience.taken() if self.audience else None,
            objectives=[
                GivenObjective(one.key, one.label, one.metric, one.target.fixed or Decimal(0))
                for one in self.objectives
            ],
            rewards=[GivenReward(stated(one.points), stated(one.badge)) for one in self.rewards],
        )


@strawberry.input
class MissionPublishInput:
    key: str


@strawberry.input
class MissionEndInput:
    key: str


@strawberry.type
class MissionCreatePayload:
    mission: Mission


@strawberry.type
class MissionPublishPayload:
    mission: Mission


@strawberry.type
class MissionEndPayload:
    mission: Mission


MissionCreateResult: TypeAlias = Annotated[
    MissionCreatePayload | UserError, strawberry.union("MissionCreateResult")
]
MissionPublishResult: TypeAlias = Annotated[
    MissionPublishPayload | UserError, strawberry.union("MissionPublishResult")
]
MissionEndResult: TypeAlias = Annotated[MissionEndPayload | UserError, strawberry.union("MissionEndResult")]


@strawberry.type
class MissionMutation:
    @strawberry.field(description="Create a mission as a draft.")
    async def mission_create(self, info: Info, given: Given[MissionCreateInput]) -> MissionCreateResult:
        context = info.context
        row = await create_mission(program_id=context.program_id, mission=given.taken(), now=context.now())
        return MissionCreatePayload(mission=await _renewed(context, row.id))

    @strawberry.field(description="Let a draft run, or wait for its start.")
    async def mission_publish(self, info: Info, given: Given[MissionPublishInput]) -> MissionPublishResult:
        context = info.context
        row = await publish_mission(program_id=context.program_id, key=given.key, now=context.now())
        return MissionPublishPayload(mission=await _renewed(context, row.id))

    @strawberry.field(description="End a mission now.")
    async def mission_end(self, info: Info, given: Given[MissionEndInput]) -> MissionEndResult:
        context = info.context
        row = await end_mission(program_id=context.program_id, key=given.key, now=context.now())
        return MissionEndPayload(mission=await _renewed(context, row.id))


async def _renewed(context: Context, mission_id: int) -> Mission:
    """A mission as it stands after a change."""
    await context.renew()
    return Mission.of(context.catalog.missions[mission_id], context)
