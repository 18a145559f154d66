"""A program's configuration, compiled for deciding: what to count, what earns, and who watches which meters.

Compiled once per `program.config_version` and kept. A batch checks the version again once it holds its partners'
locks, and starts over where it has moved: so nothing is ever decided, or left uncounted, by an older plan.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeVar

import orjson

from activity.journal import load_products
from activity.rules import Product
from base.database import Connection, snapshot
from base.errors import NotFound
from game.badges.rules import Badge
from game.missions.rules import Mission, Objective
from loyalty.earning.queries import load_earning
from loyalty.earning.rules import Earning
from loyalty.ledger.policies import Policies
from loyalty.tiers.queries import load_rules
from loyalty.tiers.rules import Ladder
from metrics.counting import Counting
from metrics.rules import LineFilter, Measure, Metric, Series
from metrics.windows import Period, WindowSpec
from partners.queries import Regions, load_regions
from partners.rules import Audience, Segments
from partners.segments import load_segments

PROGRAM: Final = """
SELECT id, currency, activity_kinds, settings, config_version FROM program WHERE id = $1
"""
SERIES: Final = """
SELECT s.id, s.period, s.time_zone, s.starts_at, s.ends_at, s.filled_at IS NOT NULL AS is_filled,
       s.reviewed_through IS NOT NULL AS is_due,
       m.id AS metric_id, m.key, m.activity_kinds, m.measure, m.line_filter
FROM meter_series s JOIN metric m ON m.program_id = s.program_id AND m.id = s.metric_id
WHERE s.program_id = $1 ORDER BY s.id
"""
MISSIONS: Final = """
SELECT id, key, version, audience, rewards, published_at, ended_at
FROM mission WHERE program_id = $1 AND published_at IS NOT NULL ORDER BY id
"""
OBJECTIVES: Final = """
SELECT mission_id, key, series_id, target FROM objective WHERE program_id = $1 ORDER BY mission_id, position
"""
BADGES: Final = "SELECT id, key, series_id, levels FROM badge WHERE program_id = $1 ORDER BY id"
PARTNERS: Final = """
SELECT p.code, p.id, coalesce(p.time_zone, g.time_zone) AS time_zone
FROM partner p JOIN program g ON g.id = p.program_id WHERE p.program_id = $1 AND p.code = ANY($2::text[])
"""

Watcher = TypeVar("Watcher")


@dataclass(frozen=True, slots=True)
class Plan:
    """A program's configuration at one version. Products and the partners' ids never change while it stands."""

    program_id: int
    version: int
    currency: str
    kinds: frozenset[str]
    policies: Policies
    regions: Regions
    segments: Segments
    counting: Counting
    earning: Earning
    ladder: Ladder | None
    missions: Mapping[int, Mission]
    missions_by_series: Mapping[int, Sequence[Mission]]
    companions: Mapping[int, Sequence[Objective]]
    """By series, the objectives of the missions that watch it together with other series."""
    badges: Mapping[int, Badge]
    badges_by_series: Mapping[int, Sequence[Badge]]
    unfilled: frozenset[int]
    """The series whose meters still lack a part of the past."""
    due: frozenset[int]
    """The series whose past is being gone through again."""
    products: dict[str, Product] = field(default_factory=dict)
    partner_ids: dict[str, int] = field(default_factory=dict)
    zones: dict[int, str] = field(default_factory=dict)
    """Of these partners, as they were last seen: a zone may change while the version stands."""

    @property
    def counts_rewards(self) -> bool:
        """Whether missions pay points, and anything watches a metric that these move."""
        return any(one.points for one in self.missions.values()) and any(
            one.measure is Measure.POINTS_ALL for one in self.counting.by_metric
        )

    async def learn(self, connection: Connection, *, skus: Iterable[str], partners: Iterable[str]) -> None:
        """Look up the products and partners that are not known yet."""
        unknown = list(set(skus) - self.products.keys())
        if unknown:
            self.products.update(await load_products(connection, program_id=self.program_id, skus=unknown))
        codes = list(set(partners) - self.partner_ids.keys())
        if codes:
            rows = await connection.fetch(PARTNERS, self.program_id, codes)
            self.partner_ids.update({row["code"]: row["id"] for row in rows})
            self.zones.update({row["id"]: row["time_zone"] for row in rows})


async def load_plan(connection: Connection, program_id: int) -> Plan:
    """Compile the plan, on a connection that sees one moment, or holds the program's lock."""
    program = await connection.fetchrow(PROGRAM, program_id)
    if program is None:
        raise NotFound("there is no such program")
    rows = await connection.fetch(SERIES, program_id)
    metrics = {row["metric_id"]: _metric(row) for row in rows}
    series = {row["id"]: _series(row, metrics[row["metric_id"]]) for row in rows}
    objectives: dict[int, list[Objective]] = {}
    for row in await connection.fetch(OBJECTIVES, program_id):
        objective = Objective(row["key"], series[row["series_id"]], row["target"])
        objectives.setdefault(row["mission_id"], []).append(objective)
    missions = [_mission(row, objectives[row["id"]]) for row in await connection.fetch(MISSIONS, program_id)]
    badges = [_badge(row, series) for row in await connection.fetch(BADGES, program_id)]
    return Plan(
        program_id=program_id,
        version=program["config_version"],
        currency=program["currency"],
        kinds=frozenset(orjson.loads(program["activity_kinds"])),
        policies=Policies.from_settings(orjson.loads(program["settings"])),
        regions=await load_regions(connection, program_id),
        segments=await load_segments(connection, program_id=program_id),
        counting=Counting(series.values()),
        earning=await load_earning(connection, program_id=program_id),
        ladder=await load_rules(connection, program_id=program_id),
        missions={one.id: one for one in missions},
        missions_by_series=_by_series(
            (objective.series, one) for one in missions for objective in one.objectives
        ),
        companions=_by_series(
            (watched.series, other)
            for one in missions
            if len(one.objectives) > 1
            for watched in one.objectives
            for other in one.objectives
        ),
        badges={one.id: one for one in badges},
        badges_by_series=_by_series((one.series, one) for one in badges),
        unfilled=frozenset(row["id"] for row in rows if not row["is_filled"]),
        due=frozenset(row["id"] for row in rows if row["is_due"]),
    )


def _by_series(watching: Iterable[tuple[Series | None, Watcher]]) -> dict[int, list[Watcher]]:
    found: dict[int, list[Watcher]] = {}
    for series, watcher in watching:
        if series is not None and watcher not in found.setdefault(series.id, []):
            found[series.id].append(watcher)
    return found


def _metric(row: Mapping[str, Any]) -> Metric:
    return Metric(
        id=row["metric_id"],
        key=row["key"],
        kinds=frozenset(orjson.loads(row["activity_kinds"])),
        measure=Measure(row["measure"]),
        filter=LineFilter.from_json(orjson.loads(row["line_filter"])),
    )


def _series(row: Mapping[str, Any], metric: Metric) -> Series:
    return Series(
        row["id"],
        metric,
        WindowSpec(Period(row["period"]), row["time_zone"], row["starts_at"], row["ends_at"]),
    )


def _mission(row: Mapping[str, Any], objectives: Sequence[Objective]) -> Mission:
    rewards = orjson.loads(row["rewards"])
    return Mission(
        id=row["id"],
        key=row["key"],
        version=row["version"],
        audience=Audience.from_json(orjson.loads(row["audience"])),
        objectives=tuple(objectives),
        points=sum(reward.get("points") or 0 for reward in rewards),
        badges=tuple(reward["badge"] for reward in rewards if reward.get("badge")),
        published_at=row["published_at"],
        ended_at=row["ended_at"],
    )


def _badge(row: Mapping[str, Any], series: Mapping[int, Series]) -> Badge:
    watched = None if row["series_id"] is None else series[row["series_id"]]
    return Badge(
        row["id"], row["key"], watched, tuple(Decimal(level) for level in orjson.loads(row["levels"]))
    )


class Plans:
    """The plans of this process, by program."""

    def __init__(self) -> None:
        self._plans: dict[int, Plan] = {}

    async def get(self, program_id: int) -> Plan:
        """The plan that is kept, or a new one. It may be behind: whoever decides by it checks its version."""
        plan = self._plans.get(program_id)
        if plan is None:
            async with snapshot() as connection:
                plan = self._plans[program_id] = await load_plan(connection, program_id)
        return plan

    def forget(self, program_id: int) -> None:
        """Have the plan compiled anew when it is next asked for."""
        self._plans.pop(program_id, None)


plans: Final = Plans()
"""Those of this process."""
