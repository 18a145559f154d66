"""Filters over partners in SQL: what `partners.rules` decides over a view, decided over rows.

Boards select by these, and so does whoever must know which partners a change of a segment touches. A property test
holds the two together. `p` is the partner and `l` the lineage of its region; filters are jsonb, written as the rules
write them.
"""
# ruff: noqa: S608  # statements are put together from these constants, never from what comes in

from typing import Final

# Of each region the codes from it up to the root.
LINEAGE: Final = """
WITH RECURSIVE ancestor AS (
    SELECT id AS region_id, code, parent_id FROM region WHERE program_id = $1
    UNION ALL
    SELECT a.region_id, r.code, r.parent_id FROM ancestor a JOIN region r ON r.program_id = $1 AND r.id = a.parent_id
), lineage AS MATERIALIZED (
    SELECT region_id, array_agg(code) AS codes FROM ancestor GROUP BY region_id
)"""


def meets(stored: str) -> str:
    """That a partner meets all of a filter but its tiers and segments. `a @> b` finds a scalar in a list, but a list in
    a list as well: no condition is met by one."""
    return f"""(NOT {stored} ? 'kinds' OR {stored}->'kinds' ? p.kind)
               AND (NOT {stored} ? 'regions' OR {stored}->'regions' ?| l.codes)
               AND (NOT {stored} ? 'partners' OR {stored}->'partners' ? p.code)
               AND (NOT {stored} ? 'attributes' OR NOT EXISTS (
                   SELECT FROM jsonb_each({stored}->'attributes') AS a (name, asked)
                   WHERE (a.asked @> (p.attributes->a.name) AND jsonb_typeof(p.attributes->a.name) <> 'array')
                         IS NOT TRUE))"""


def is_on_tier(stored: str, tier: str) -> str:
    """That a filter admits partners on the tier of this key."""
    return f"(NOT {stored} ? 'tiers' OR {stored}->'tiers' ? coalesce({tier}, ''))"


def is_in_audience(stored: str, tier: str) -> str:
    """That a partner on the tier of this key is of an audience."""
    return f"""{meets(stored)}
               AND {is_on_tier(stored, tier)}
               AND (NOT {stored} ? 'segments' OR EXISTS (
                   SELECT FROM segment g WHERE g.program_id = $1 AND {stored}->'segments' ? g.key
                   AND {meets("g.filter")} AND {is_on_tier("g.filter", tier)}))"""


# The partners that may enter or leave a segment as its filter changes, locked in the order that everyone locks them in.
# Who stands on which tier is not this room's: where the tiers change, it is everyone that meets the rest.
LOCK_MOVED: Final = f"""
{LINEAGE}, moved AS (
    SELECT p.id FROM partner p JOIN lineage l ON l.region_id = p.region_id
    WHERE p.program_id = $1 AND EXISTS (
        SELECT FROM unnest($2::text[]::jsonb[], $3::text[]::jsonb[]) AS c (before, after)
        WHERE CASE WHEN c.before->'tiers' IS DISTINCT FROM c.after->'tiers'
                   THEN ({meets("c.before")}) OR ({meets("c.after")})
                   ELSE ({meets("c.before")}) <> ({meets("c.after")}) END)
)
SELECT id FROM partner WHERE program_id = $1 AND id IN (SELECT id FROM moved) ORDER BY id FOR NO KEY UPDATE
"""
