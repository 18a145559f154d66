"""Reads of the missions, and of how far partners are in them.

What is under way has no row of its own: it is the meters of the objectives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from base.database import Connection
from metrics.windows import Period, WindowSpec, fixed_start
from partners.rules import Audience

MISSIONS: Final = """
SELECT id, key, version, title, description, starts_at, ends_at, published_at, ended_at, audience, rewards
FROM mission WHERE program_id = $1 ORDER BY id
"""
OBJECTIVES: Final = """
SELECT o.mission_id, o.key, o.label, o.metric_id, o.series_id, o.target,
       s.period, s.time_zone, s.starts_at, s.ends_at
FROM objective o JOIN meter_series s ON s.program_id = o.program_id AND s.id = o.series_id
WHERE o.program_id = $1 ORDER BY o.mission_id, o.position
"""
# The partners' meters in the named windows of the named series.
METERS: Final = """
SELECT m.partner_id, m.series_id, m.value
FROM unnest($2::bigint[], $3::date[]) AS k (series_id, window_start)
CROSS JOIN unnest($4::bigint[]) AS p (partner_id)
JOIN meter m ON m.program_id = $1 AND m.series_id = k.series_id AND m.window_start = k.window_start
            AND m.partner_id = p.partner_id
"""
COMPLETIONS: Final = """
SELECT partner_id, mission_id, occurrence, n, completed_at, revoked_at
FROM mission_completion WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    """A fixed target on the meter of `series_id` in the mission's window, which starts on `window_start`."""

    key: str
    label: str
    metric_id: int
    series_id: int
    target: Decimal
    window_start: date


@dataclass(frozen=True, slots=True)
class MissionRow:
    """A mission with its objectives in their order. Its state is `game.missions.states.state_of` it."""

    id: int
    key: str
    version: int
    title: str
    description: str
    starts_at: datetime
    ends_at: datetime | None
    published_at: datetime | None
    ended_at: datetime | None
    audience: Audience
    rewards: tuple[dict[str, Any], ...]
    objectives: tuple[ObjectiveRow, ...]


@dataclass(frozen=True, slots=True)
class CompletionRow:
    """A partner's completion of an occurrence; revoked where what completed it came back."""

    partner_id: int
    mission_id: int
    occurrence: str
    n: int
    completed_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """One partner's meters by series id, and completions by mission id."""

    meters: Mapping[int, Decimal]
    completions: Mapping[int, CompletionRow]


async def load_missions(connection: Connection, *, program_id: int) -> list[MissionRow]:
    """All missions of the program, in the order in which they were created."""
    objectives: dict[int, list[ObjectiveRow]] = {}
    for row in await connection.fetch(OBJECTIVES, program_id):
        spec = WindowSpec(Period(row["period"]), row["time_zone"], row["starts_at"], row["ends_at"])
        objectives.setdefault(row["mission_id"], []).append(
            ObjectiveRow(
                key=row["key"],
                label=row["label"],
                metric_id=row["metric_id"],
                series_id=row["series_id"],
                target=row["target"],
                window_start=fixed_start(spec),
            )
        )
    return [
        MissionRow(
            id=row["id"],
            key=row["key"],
            version=row["version"],
            title=row["title"],
            description=row["description"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            published_at=row["published_at"],
            ended_at=row["ended_at"],
            audience=Audience.from_json(orjson.loads(row["audience"])),
            rewards=tuple(orjson.loads(row["rewards"])),
            objectives=tuple(objectives.get(row["id"], ())),
        )
        for row in await connection.fetch(MISSIONS, program_id)
    ]


async def load_progress(
    connection: Connection, *, program_id: int, missions: Sequence[MissionRow], partner_ids: Sequence[int]
) -> dict[int, Progress]:
    """How far these partners are in these missions, by partner id, in two statements."""
    windows = {(one.series_id, one.window_start) for mission in missions for one in mission.objectives}
    meters: dict[int, dict[int, Decimal]] = {id_: {} for id_ in partner_ids}
    completions: dict[int, dict[int, CompletionRow]] = {id_: {} for id_ in partner_ids}
    series, starts = [series for series, _ in windows], [start for _, start in windows]
    for row in await connection.fetch(METERS, program_id, series, starts, partner_ids):
        meters[row["partner_id"]][row["series_id"]] = row["value"]
    for row in await connection.fetch(COMPLETIONS, program_id, partner_ids):
        completions[row["partner_id"]][row["mission_id"]] = CompletionRow(*row)
    return {id_: Progress(meters[id_], completions[id_]) for id_ in partner_ids}
