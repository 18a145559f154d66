"""Reads of programs, regions and partners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from base.database import Connection
from base.errors import NotFound
from partners.attributes import NONE, read_attributes
from partners.rules import PartnerView, Segments

REGIONS: Final = "SELECT id, code, parent_id FROM region WHERE program_id = $1"
# A partner as rules see it; its attributes where some segment asks for any.
VIEWS: Final = """
SELECT p.id, p.code, p.name, p.kind, p.region_id, p.status,
       coalesce(p.time_zone, g.time_zone) AS time_zone, coalesce(p.locale, g.locale) AS locale,
       CASE WHEN $3::boolean THEN p.attributes END AS attributes
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND p.id = ANY($2::bigint[])
"""
PROGRAM: Final = "SELECT id, key, name, currency, time_zone, locale FROM program"
PROGRAM_KEYS: Final = "SELECT key FROM program ORDER BY key LIMIT $1"
COUNTED: Final = """
SELECT g.id, g.key, g.name, g.currency, g.time_zone, g.locale, count(p.id) AS partners
FROM program g LEFT JOIN partner p ON p.program_id = g.id
GROUP BY g.id ORDER BY g.key
"""
NAMED: Final = 10
"""Programs that an error names."""


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """A program's settings."""

    id: int
    key: str
    name: str
    currency: str
    time_zone: str
    locale: str


@dataclass(frozen=True, slots=True)
class CountedProgram:
    """A program, and how many partners it has."""

    program: ProgramRow
    partners: int


@dataclass(frozen=True, slots=True)
class Regions:
    """A program's region tree: codes by region id, and of each the codes from it up to the root."""

    codes: Mapping[int, str]
    lineages: Mapping[int, frozenset[str]]


async def list_programs(connection: Connection) -> list[CountedProgram]:
    """All programs of the installation, by key: for its operator alone."""
    rows = await connection.fetch(COUNTED)
    fields = ProgramRow.__dataclass_fields__
    return [
        CountedProgram(ProgramRow(**{name: row[name] for name in fields}), row["partners"]) for row in rows
    ]


async def load_regions(connection: Connection, program_id: int) -> Regions:
    """The program's region tree."""
    rows = {row["id"]: row for row in await connection.fetch(REGIONS, program_id)}

    def lineage(region_id: int) -> frozenset[str]:
        codes = set()
        current: int | None = region_id
        while current is not None:
            codes.add(rows[current]["code"])
            current = rows[current]["parent_id"]
        return frozenset(codes)

    return Regions({id_: row["code"] for id_, row in rows.items()}, {id_: lineage(id_) for id_ in rows})


def view_of(row: Mapping[str, Any], *, regions: Regions, segments: Segments, tier: str | None) -> PartnerView:
    """A partner's view from a row with the columns of `VIEWS`."""
    view = PartnerView(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        kind=row["kind"],
        region=regions.codes[row["region_id"]],
        regions=regions.lineages[row["region_id"]],
        tier=tier,
        status=row["status"],
        time_zone=row["time_zone"],
        locale=row["locale"],
        attributes=read_attributes(row["attributes"] or NONE, segments.attributes),
    )
    return segments.place(view)


async def load_views(
    connection: Connection,
    *,
    program_id: int,
    partner_ids: Sequence[int],
    regions: Regions,
    segments: Segments,
    tiers: Mapping[int, str | None],
) -> dict[int, PartnerView]:
    """Partners by id, in one statement. `tiers` holds the key of each one's tier: the ladder is not this room's."""
    rows = await connection.fetch(VIEWS, program_id, partner_ids, bool(segments.attributes))
    return {
        row["id"]: view_of(row, regions=regions, segments=segments, tier=tiers.get(row["id"])) for row in rows
    }


async def find_program(connection: Connection, key: str | None) -> ProgramRow:
    """The program of that key; without one, the only program there is."""
    rows = await connection.fetch(f"{PROGRAM} WHERE $1::text IS NULL OR key = $1 ORDER BY id LIMIT 2", key)
    if len(rows) == 1:
        return ProgramRow(**dict(rows[0]))
    if not rows:
        message = (
            f"there is no program {key}"
            if key
            else "there is no program yet: `mitra program create` makes one"
        )
        raise NotFound(message)
    keys = [row["key"] for row in await connection.fetch(PROGRAM_KEYS, NAMED + 1)]
    more = ", …" if len(keys) > NAMED else ""
    raise NotFound(f"there are several programs: {', '.join(keys[:NAMED])}{more}; name one with --program")
