"""Facts: what came of an activity. Past tense, frozen, and each says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import strawberry

from api.context import Context, Info
from api.ids import global_id
from api.schema.badge import Badge
from api.schema.because import AS_CONFIGURED, Because, told
from api.schema.mission import Mission
from api.schema.scalars import BigInt
from api.schema.tier import Tier
from game.facts import Fact as FactRow
from loyalty.words.speech import Names


@strawberry.interface(description="What came of an activity.")
class Fact:
    row: strawberry.Private[FactRow]
    called: strawberry.Private[Names] = field(default_factory=dict)
    id: strawberry.ID
    occurred_at: datetime
    posted_at: datetime

    @strawberry.field(description="Why, step by step: from the activity to this.")
    def because(self, info: Info) -> list[Because]:
        return told(self.row.because, info, called=self.called)


@strawberry.type
class PointsPosted(Fact):
    unit: str
    amount: BigInt


@strawberry.type(description="Points that were pending are available.")
class PointsMatured(Fact):
    unit: str
    amount: BigInt


@strawberry.type
class ObjectiveAdvanced(Fact):
    mission: Mission
    window: str
    objective: str
    current: Decimal
    target: Decimal


@strawberry.type
class ObjectiveReceded(Fact):
    mission: Mission
    window: str
    objective: str
    current: Decimal
    target: Decimal


@strawberry.type
class MissionCompleted(Fact):
    mission: Mission
    window: str


@strawberry.type
class MissionRevoked(Fact):
    mission: Mission
    window: str


@strawberry.type
class BadgeAwarded(Fact):
    badge: Badge
    level: int


@strawberry.type
class BadgeRevoked(Fact):
    badge: Badge
    level: int


@strawberry.type
class TierChanged(Fact):
    from_: Tier | None = strawberry.field(name="from")
    to: Tier | None


FACTS: Final = (
    PointsPosted,
    PointsMatured,
    ObjectiveAdvanced,
    ObjectiveReceded,
    MissionCompleted,
    MissionRevoked,
    BadgeAwarded,
    BadgeRevoked,
    TierChanged,
)


async def recognize(rows: Iterable[FactRow], context: Context) -> None:
    """Renew the context where the facts name what was configured after it was made."""
    catalog = context.catalog
    for row in rows:
        mission, badge = row.data.get("mission"), row.data.get("badge")
        is_known = (mission is None or mission in catalog.missions_by_key) and (
            badge is None or badge in catalog.badges_by_key
        )
        if not is_known:
            await context.renew()
            return


def fact_of(row: FactRow, context: Context, *, called: Names = AS_CONFIGURED) -> Fact:
    """The fact of a row. `called`: names of what is not configured so."""
    name: str = row.data["type"]
    kind, carried = _KINDS[name]
    return kind(
        row=row,
        called=called,
        id=strawberry.ID(global_id(name, context.caller.program.key, row.transaction_id, row.place)),
        occurred_at=row.occurred_at,
        posted_at=row.posted_at,
        **carried(row.data, context),
    )


def _points(data: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {"unit": data["unit"], "amount": BigInt(data["amount"])}


def _mission(data: Mapping[str, Any], context: Context) -> dict[str, Any]:
    row = context.catalog.missions_by_key[data["mission"]]
    return {"mission": Mission.of(row, context), "window": data["window"]}


def _objective(data: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {
        **_mission(data, context),
        "objective": data["objective"],
        "current": Decimal(data["current"]),
        "target": Decimal(data["target"]),
    }


def _badge(data: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {"badge": Badge.of(context.catalog.badges_by_key[data["badge"]]), "level": data["level"]}


def _tier(data: Mapping[str, Any], context: Context) -> dict[str, Any]:
    tiers = context.catalog.tiers_by_key
    before, after = tiers.get(data["from"] or ""), tiers.get(data["to"] or "")
    return {"from_": Tier.of(before) if before else None, "to": Tier.of(after) if after else None}


_KINDS: Final[Mapping[str, tuple[type[Fact], Callable[[Mapping[str, Any], Context], dict[str, Any]]]]] = {
    "PointsPosted": (PointsPosted, _points),
    "PointsMatured": (PointsMatured, _points),
    "ObjectiveAdvanced": (ObjectiveAdvanced, _objective),
    "ObjectiveReceded": (ObjectiveReceded, _objective),
    "MissionCompleted": (MissionCompleted, _mission),
    "MissionRevoked": (MissionRevoked, _mission),
    "BadgeAwarded": (BadgeAwarded, _badge),
    "BadgeRevoked": (BadgeRevoked, _badge),
    "TierChanged": (TierChanged, _tier),
}
