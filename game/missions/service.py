"""Missions are created as drafts, published, and ended.

A mission's objectives count in one window, the mission's own. What it pays must never move what it counts, so no
objective is over a metric that counts rewards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from base.database import Connection
from base.errors import Invalid, NotFound
from game.missions.states import MissionState, state_of
from loyalty.tiers.queries import known_tiers
from metrics.rules import Measure
from metrics.service import MetricReference, ensure_series, find_metrics, revisit_series
from metrics.windows import Period, WindowSpec
from partners.audiences import AudienceInput, check_audience
from partners.checks import (
    check_code,
    check_count,
    check_dates,
    check_decimal,
    check_name,
    check_points,
    check_text,
    check_unique,
    item_path,
    unknown,
)
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key

MOST_OBJECTIVES: Final = 50
MOST_REWARDS: Final = 50

FIND: Final = """
SELECT id, key, version, title, description, starts_at, ends_at, published_at, ended_at, audience, rewards
FROM mission WHERE program_id = $1 AND key = $2
"""
FIND_OBJECTIVES: Final = """
SELECT key, label, metric_id, target FROM objective WHERE program_id = $1 AND mission_id = $2 ORDER BY position
"""
BADGES: Final = "SELECT id, key, metric_id FROM badge WHERE program_id = $1 AND key = ANY($2::text[])"
ADD: Final = """
INSERT INTO mission (program_id, key, title, description, starts_at, ends_at, audience, rewards, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb, $9)
"""
ADD_OBJECTIVES: Final = """
INSERT INTO objective (program_id, mission_id, position, key, label, metric_id, series_id, target)
SELECT $1, $2, g.position, g.key, g.label, g.metric_id, g.series_id, g.target
FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::numeric[]) WITH ORDINALITY
     AS g (key, label, metric_id, series_id, target, position)
"""
SERIES: Final = "SELECT series_id FROM objective WHERE program_id = $1 AND mission_id = $2"
PUBLISH: Final = (
    "UPDATE mission SET published_at = $3, published_version = $4 WHERE program_id = $1 AND id = $2"
)
END: Final = "UPDATE mission SET ended_at = $3, ended_version = $4 WHERE program_id = $1 AND id = $2"


@dataclass(frozen=True, slots=True)
class ObjectiveInput:
    """A target on a metric, by key: to be reached in the mission's window."""

    key: str
    label: str
    metric: str
    target: Decimal


@dataclass(frozen=True, slots=True)
class MissionRewardInput:
    """What a completion pays: exactly one of points and a badge, by key."""

    points: int | None = None
    badge: str | None = None


@dataclass(frozen=True, slots=True)
class MissionInput:
    """A mission to create. It runs over `[starts_at, ends_at)`; all objectives must be reached."""

    key: str
    title: str
    starts_at: datetime
    ends_at: datetime | None
    objectives: Sequence[ObjectiveInput]
    rewards: Sequence[MissionRewardInput] = ()
    description: str = ""
    audience: AudienceInput | None = None


@dataclass(frozen=True, slots=True)
class StoredMission:
    """A mission's own row."""

    id: int
    key: str
    version: int
    title: str
    description: str
    starts_at: datetime
    ends_at: datetime | None
    published_at: datetime | None
    ended_at: datetime | None


async def create_mission(*, program_id: int, mission: MissionInput, now: datetime) -> StoredMission:
    """Create a draft; the same again answers the mission that stands, whatever became of it.

    KEY_TAKEN where it has another content; REQUIRED, DUPLICATE, UNKNOWN_METRIC, CIRCULAR_METRIC, NOT_POSITIVE,
    EXACTLY_ONE, UNKNOWN_BADGE, NOT_SUPPORTED, ENDS_BEFORE_START, and what the audience refuses.
    """
    check_mission(mission)
    return await configure(program_id, lambda connection, program: _create(connection, program, mission, now))


async def publish_mission(*, program_id: int, key: str, now: datetime) -> StoredMission:
    """Let a draft run, or wait for its start. A published one stays as it is. NOT_FOUND; MISSION_ENDED."""

    async def publish(connection: Connection, program: LockedProgram) -> StoredMission:
        mission = await _find(connection, program, key)
        if state_of(replace(mission, published_at=now), now) is MissionState.ENDED:
            raise Invalid(f"the mission {key!r} has ended", code="MISSION_ENDED", field=["key"])
        if mission.published_at is not None:
            return mission
        version = await raise_config_version(connection, program.id)
        await connection.execute(PUBLISH, program.id, mission.id, now, version)
        series = await connection.fetch(SERIES, program.id, mission.id)
        await revisit_series(
            connection, program_id=program.id, series_ids=[row["series_id"] for row in series]
        )
        return replace(mission, published_at=now)

    return await configure(program_id, publish)


async def end_mission(*, program_id: int, key: str, now: datetime) -> StoredMission:
    """End a live or scheduled mission now. An ended one stays as it is. NOT_FOUND; MISSION_NOT_PUBLISHED."""

    async def end(connection: Connection, program: LockedProgram) -> StoredMission:
        mission = await _find(connection, program, key)
        match state_of(mission, now):
            case MissionState.DRAFT:
                raise Invalid(f"the mission {key!r} is a draft", code="MISSION_NOT_PUBLISHED", field=["key"])
            case MissionState.ENDED:
                return mission
        version = await raise_config_version(connection, program.id)
        await connection.execute(END, program.id, mission.id, now, version)
        return replace(mission, ended_at=now)

    return await configure(program_id, end)


async def _find(connection: Connection, program: LockedProgram, key: str) -> StoredMission:
    row = await connection.fetchrow(FIND, program.id, key)
    if row is None:
        raise NotFound(f"there is no mission {key!r}", field=["key"])
    return _stored(row)


def _stored(row: Mapping[str, Any]) -> StoredMission:
    return StoredMission(**{name: row[name] for name in StoredMission.__slots__})


def check_mission(mission: MissionInput) -> None:
    """What is wrong with a mission by itself."""
    check_code(mission.key, ["key"])
    check_name(mission.title, ["title"])
    check_text(mission.description, ["description"])
    check_dates(mission.starts_at, mission.ends_at)
    check_count(mission.objectives, ["objectives"], least=1, most=MOST_OBJECTIVES)
    for index, objective in enumerate(mission.objectives):
        check_code(objective.key, item_path(["objectives"], index, "key"))
        check_name(objective.label, item_path(["objectives"], index, "label"))
        check_decimal(
            objective.target, (*item_path(["objectives"], index, "target"), "fixed"), above=Decimal(0)
        )
    check_unique((objective.key for objective in mission.objectives), ["objectives"], name="key")
    check_count(mission.rewards, ["rewards"], most=MOST_REWARDS)
    for index, reward in enumerate(mission.rewards):
        if (reward.points is None) == (reward.badge is None):
            path = item_path(["rewards"], index)
            raise Invalid("give exactly one of points and badge", code="EXACTLY_ONE", field=path)
        if reward.points is not None:
            check_points(reward.points, item_path(["rewards"], index, "points"))


async def _create(
    connection: Connection, program: LockedProgram, mission: MissionInput, now: datetime
) -> StoredMission:
    metrics = await _metrics(connection, program, mission.objectives)
    rewards = await _rewards(connection, program, mission.rewards)
    tiers = await known_tiers(connection, program_id=program.id)
    audience = await check_audience(connection, program_id=program.id, given=mission.audience, tiers=tiers)
    asked = {
        "title": mission.title,
        "description": mission.description,
        "starts_at": mission.starts_at,
        "ends_at": mission.ends_at,
        "audience": audience.to_json(),
        "rewards": rewards,
        "objectives": [
            (one.key, one.label, metrics[one.metric].id, one.target) for one in mission.objectives
        ],
    }
    found = await connection.fetchrow(FIND, program.id, mission.key)
    if found is not None:
        rows = await connection.fetch(FIND_OBJECTIVES, program.id, found["id"])
        documents = {name: orjson.loads(found[name]) for name in ("audience", "rewards")}
        settle_key(
            mission.key,
            stored={**found, **documents, "objectives": [tuple(row) for row in rows]},
            asked=asked,
        )
        return _stored(found)
    await connection.execute(
        ADD,
        program.id,
        mission.key,
        mission.title,
        mission.description,
        mission.starts_at,
        mission.ends_at,
        orjson.dumps(audience.to_json()).decode(),
        orjson.dumps(rewards).decode(),
        now,
    )
    stored = await _find(connection, program, mission.key)
    await _add_objectives(connection, program, stored.id, mission, metrics)
    await raise_config_version(connection, program.id)
    return stored


async def _metrics(
    connection: Connection, program: LockedProgram, objectives: Sequence[ObjectiveInput]
) -> dict[str, MetricReference]:
    """The metrics of the objectives, by key."""
    paths = {item_path(["objectives"], index, "metric"): one.metric for index, one in enumerate(objectives)}
    metrics = await find_metrics(connection, program_id=program.id, references=paths)
    for path, key in paths.items():
        if metrics[key].measure is Measure.POINTS_ALL:
            message = f"{key!r} counts rewards, so the mission's own would move it"
            raise Invalid(message, code="CIRCULAR_METRIC", field=path)
    return metrics


async def _rewards(
    connection: Connection, program: LockedProgram, rewards: Sequence[MissionRewardInput]
) -> list[dict[str, int]]:
    """The rewards as they are stored: badges by their ids. A badge over a metric is not a mission's to give."""
    keys = [reward.badge for reward in rewards if reward.badge is not None]
    badges = {row["key"]: row for row in await connection.fetch(BADGES, program.id, keys)}
    stored: list[dict[str, int]] = []
    for index, reward in enumerate(rewards):
        if reward.points is not None:
            stored.append({"points": reward.points})
        elif reward.badge is not None:
            path = item_path(["rewards"], index, "badge")
            badge = badges.get(reward.badge)
            if badge is None:
                raise unknown("badge", reward.badge, path)
            if badge["metric_id"] is not None:
                raise Invalid(f"{reward.badge!r} is awarded by its metric", code="NOT_SUPPORTED", field=path)
            if {"badge": badge["id"]} in stored:
                raise Invalid(f"{reward.badge!r} stands here twice", code="DUPLICATE", field=path)
            stored.append({"badge": badge["id"]})
    return stored


async def _add_objectives(
    connection: Connection,
    program: LockedProgram,
    mission_id: int,
    mission: MissionInput,
    metrics: Mapping[str, MetricReference],
) -> None:
    """Write the objectives, each over the meters of its metric in the mission's window."""
    spec = WindowSpec(Period.FIXED, starts_at=mission.starts_at, ends_at=mission.ends_at)
    series = {
        key: await ensure_series(connection, program_id=program.id, metric_id=metric.id, spec=spec)
        for key, metric in metrics.items()
    }
    await connection.execute(
        ADD_OBJECTIVES,
        program.id,
        mission_id,
        [one.key for one in mission.objectives],
        [one.label for one in mission.objectives],
        [metrics[one.metric].id for one in mission.objectives],
        [series[one.metric] for one in mission.objectives],
        [one.target for one in mission.objectives],
    )
