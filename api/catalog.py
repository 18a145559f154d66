"""A program's configuration as the API shows it, read once per version and process.

The version comes with the caller (`api.auth`), so a request knows without a question whether what it holds is still
true; every change of configuration raises it.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from base.database import Connection
from game.badges.queries import BadgeRow, load_badges
from game.missions.queries import MissionRow, load_missions
from loyalty.earning.queries import RuleRow, load_rules
from loyalty.ledger.units import Unit, load_units
from loyalty.tiers.rules import Tier
from loyalty.tiers.standing_queries import LadderRow, load_ladder
from loyalty.words.speech import Names
from metrics.queries import MetricRow, load_metrics
from partners.attributes import read_attributes
from partners.checks import unknown
from partners.listing import PartnerRow, RegionRow, load_region_rows
from partners.rules import PartnerView, Segments
from partners.segments import SegmentRow, compile_segments, load_segment_rows

MOST_PROGRAMS: Final = 256

VERSION: Final = "SELECT config_version FROM program WHERE id = $1"


@dataclass(frozen=True)
class Catalog:
    """What a program is configured with, at one version."""

    version: int
    regions: Mapping[int, RegionRow]
    units: Mapping[str, Unit]
    metrics: Mapping[int, MetricRow]
    rules: Mapping[str, RuleRow]
    ladder: LadderRow | None
    badges: Mapping[int, BadgeRow]
    missions: Mapping[int, MissionRow]
    segments: Mapping[str, SegmentRow]

    @cached_property
    def missions_by_key(self) -> Mapping[str, MissionRow]:
        return {row.key: row for row in self.missions.values()}

    @cached_property
    def newest_missions(self) -> Sequence[MissionRow]:
        return sorted(self.missions.values(), key=lambda row: -row.id)

    @cached_property
    def badges_by_key(self) -> Mapping[str, BadgeRow]:
        return {row.key: row for row in self.badges.values()}

    @cached_property
    def metrics_by_key(self) -> Mapping[str, MetricRow]:
        return {row.key: row for row in self.metrics.values()}

    @cached_property
    def regions_by_code(self) -> Mapping[str, RegionRow]:
        return {row.code: row for row in self.regions.values()}

    @cached_property
    def tiers_by_key(self) -> Mapping[str, Tier]:
        return {} if self.ladder is None else {row.key: row for row in self.ladder.tiers}

    @cached_property
    def compiled_segments(self) -> Segments:
        return compile_segments(self.segments.values())

    @cached_property
    def names(self) -> Names:
        """What things are called, for `loyalty.words`."""
        objectives = {
            ("objective", f"{mission.key}/{objective.key}"): objective.label
            for mission in self.missions.values()
            for objective in mission.objectives
        }
        return (
            {("rule", key): row.name for key, row in self.rules.items()}
            | {("segment", key): row.name for key, row in self.segments.items()}
            | {("tier", key): row.name for key, row in self.tiers_by_key.items()}
            | {("badge", row.key): row.name for row in self.badges.values()}
            | {("mission", row.key): row.title for row in self.missions.values()}
            | objectives
        )

    def unit(self, code: str, *, field: tuple[str, ...] = ("unit",)) -> Unit:
        """The unit of that code. UNKNOWN_UNIT."""
        found = self.units.get(code)
        if found is None:
            raise unknown("unit", code, field)
        return found

    def lineage(self, region_id: int) -> frozenset[str]:
        """The codes of a region and of all that it lies in."""
        codes = set()
        current: int | None = region_id
        while current is not None:
            codes.add(self.regions[current].code)
            current = self.regions[current].parent_id
        return frozenset(codes)

    def view_of(self, partner: PartnerRow, *, tier: str | None) -> PartnerView:
        """The partner on this tier, as an audience sees it."""
        segments = self.compiled_segments
        view = PartnerView(
            id=partner.id,
            code=partner.code,
            name=partner.name,
            kind=partner.kind,
            region=self.regions[partner.region_id].code,
            regions=self.lineage(partner.region_id),
            tier=tier,
            status=partner.status,
            time_zone=partner.time_zone,
            locale=partner.locale,
            attributes=read_attributes(partner.attributes, segments.attributes),
        )
        return segments.place(view)


_held: OrderedDict[int, Catalog] = OrderedDict()


def held_catalog(program_id: int, version: int) -> Catalog | None:
    """The program's catalog, where this process holds one of that version or a newer one."""
    found = _held.get(program_id)
    return found if found is not None and found.version >= version else None


async def load_catalog(connection: Connection, program_id: int) -> Catalog:
    """The program's catalog as it is now, all of one moment, held from now on."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        catalog = Catalog(
            version=await connection.fetchval(VERSION, program_id),
            regions={row.id: row for row in await load_region_rows(connection, program_id=program_id)},
            units=await load_units(connection, program_id=program_id),
            metrics={row.id: row for row in await load_metrics(connection, program_id=program_id)},
            rules={row.key: row for row in await load_rules(connection, program_id=program_id)},
            ladder=await load_ladder(connection, program_id=program_id),
            badges={row.id: row for row in await load_badges(connection, program_id=program_id)},
            missions={row.id: row for row in await load_missions(connection, program_id=program_id)},
            segments={row.key: row for row in await load_segment_rows(connection, program_id=program_id)},
        )
    _held[program_id] = catalog
    _held.move_to_end(program_id)
    while len(_held) > MOST_PROGRAMS:
        _held.popitem(last=False)
    return catalog
