"""Reads of partners and regions for whoever looks at them: within a scope, by code, or page by page.

A scope says which partners a caller may see. What lies outside it answers like what does not exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from base.database import Connection

# A partner's row as it is shown; `time_zone` and `locale` are the program's where it has none of its own.
COLUMNS: Final = """
SELECT p.id, p.code, p.name, p.kind, p.region_id, p.status, p.created_at, p.joined_on,
       coalesce(p.time_zone, g.time_zone) AS time_zone, coalesce(p.locale, g.locale) AS locale,
       p.attributes::text
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND ($2::bigint[] IS NULL OR p.region_id = ANY($2)) AND ($3::bigint IS NULL OR p.id = $3)
"""
BY_CODE: Final = f"{COLUMNS} AND p.code = ANY($4::text[])"
BY_ID: Final = f"{COLUMNS} AND p.id = ANY($4::bigint[])"
# By code, after the one that the page before ended with; $5 is a pattern for code and name.
PAGE: Final = f"""
{COLUMNS} AND ($4::bigint[] IS NULL OR p.region_id = ANY($4))
AND ($5::text IS NULL OR p.code ILIKE $5 OR p.name ILIKE $5) AND ($6::text IS NULL OR p.code > $6)
ORDER BY p.code LIMIT $7
"""
REGIONS: Final = "SELECT id, code, name, parent_id FROM region WHERE program_id = $1 ORDER BY code"


@dataclass(frozen=True, slots=True)
class Scope:
    """The partners of a program that a caller may see: all, those of some regions, or one."""

    program_id: int
    region_ids: tuple[int, ...] | None = None
    partner_id: int | None = None


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """A partner as it is shown."""

    id: int
    code: str
    name: str
    kind: str
    region_id: int
    status: str
    created_at: datetime
    joined_on: date | None
    time_zone: str
    locale: str
    attributes: str
    """As they are stored: JSON."""


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A region of the tree."""

    id: int
    code: str
    name: str
    parent_id: int | None


async def load_region_rows(connection: Connection, *, program_id: int) -> list[RegionRow]:
    """All regions of the program."""
    return [RegionRow(*row) for row in await connection.fetch(REGIONS, program_id)]


async def find_partners(
    connection: Connection, *, scope: Scope, codes: Sequence[str]
) -> dict[str, PartnerRow]:
    """The partners of these codes that lie in the scope, by code."""
    rows = await connection.fetch(BY_CODE, scope.program_id, scope.region_ids, scope.partner_id, codes)
    return {row["code"]: PartnerRow(*row) for row in rows}


async def load_partners(connection: Connection, *, scope: Scope, ids: Sequence[int]) -> dict[int, PartnerRow]:
    """The partners of these ids that lie in the scope, by id."""
    rows = await connection.fetch(BY_ID, scope.program_id, scope.region_ids, scope.partner_id, ids)
    return {row["id"]: PartnerRow(*row) for row in rows}


async def list_partners(
    connection: Connection,
    *,
    scope: Scope,
    region_ids: Sequence[int] | None,
    search: str | None,
    after: str | None,
    limit: int,
) -> list[PartnerRow]:
    """The next partners of the scope by code, of these regions (all, where None), with `search` in code or name."""
    pattern = None if search is None else f"%{_escape(search)}%"
    rows = await connection.fetch(
        PAGE, scope.program_id, scope.region_ids, scope.partner_id, region_ids, pattern, after, limit
    )
    return [PartnerRow(*row) for row in rows]


def subtree(regions: Sequence[RegionRow], root: int) -> tuple[int, ...]:
    """The ids of a region and of all that lie under it."""
    children: dict[int | None, list[int]] = {}
    for region in regions:
        children.setdefault(region.parent_id, []).append(region.id)
    found = [root]
    for id_ in found:
        found.extend(children.get(id_, ()))
    return tuple(found)


def _escape(text: str) -> str:
    """`text` with LIKE's wildcards taken literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
