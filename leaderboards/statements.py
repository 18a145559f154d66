"""SQL of the standings: the one place that says who stands on a board, with what and in which groups.

The projector, the rebuild, the freezing of a season and the reads without Redis all select from `standing`, so they
cannot disagree. `partners.membership` decides in SQL who is of an audience; a property test holds it and the rules in
Python together. Live scores have no index (it would defeat HOT updates): what reads a whole season scans its meters.
"""
# ruff: noqa: S608  # statements are put together from these constants, never from what comes in

from typing import Final

from leaderboards.board import GROUP_SEPARATOR, INSTANT_WIDTH, PARTNER_WIDTH
from leaderboards.rules import DECIMALS, LARGEST, SCALES
from partners.membership import LINEAGE, is_in_audience

# A board's standings: the meters of its series in the season's window, with all that decides about a place. The
# meter's version and the partner's both only rise, so their sum orders all states of a row.
STANDING: Final = (
    LINEAGE
    + """, standing AS (
    SELECT {season} m.partner_id, m.version + p.version AS version, m.reached_at,
           greatest(0, least(trunc(m.value * {scale}), {largest}))::bigint AS points,
           m.value * {scale} >= 1 AND p.status = 'ACTIVE'
               AND {admitted} AS stands,
           ARRAY[''] || CASE {group_by} WHEN 'REGION' THEN l.codes
                                        WHEN 'TIER' THEN CASE WHEN t.key IS NOT NULL THEN ARRAY[t.key] END
                        END AS groups
    FROM {source}
    JOIN partner p ON p.program_id = $1 AND p.id = m.partner_id
    JOIN lineage l ON l.region_id = p.region_id
    LEFT JOIN tier_standing ts ON ts.program_id = $1 AND ts.partner_id = p.id
    LEFT JOIN tier t ON t.program_id = $1 AND t.level = coalesce(ts.level, 0)
)
"""
)

# Of one season, by constants, so that the planner reads the meters in the order of their key.
OF_SEASON: Final = STANDING.format(
    season="",
    scale="$4::numeric",
    largest=LARGEST,
    admitted=is_in_audience("($5::text::jsonb)", tier="t.key"),
    group_by="$6::text",
    source="(SELECT * FROM meter WHERE program_id = $1 AND series_id = $2 AND window_start = $3) m",
)

# Of all open seasons of a program.
OF_PROGRAM: Final = STANDING.format(
    season="s.id AS season_id, b.id AS leaderboard_id,",
    scale=f"CASE WHEN x.measure IN ('QUANTITY', 'AMOUNT') THEN {10**DECIMALS} ELSE 1 END",
    largest=LARGEST,
    admitted=is_in_audience("b.audience", tier="t.key"),
    group_by="b.group_by",
    source="""season s JOIN leaderboard b ON b.program_id = $1 AND b.id = s.leaderboard_id
    JOIN metric x ON x.program_id = $1 AND x.id = b.metric_id
    JOIN meter m ON m.program_id = $1 AND m.series_id = b.series_id AND m.window_start = s.window_start
        AND s.program_id = $1 AND s.state IN ('LIVE', 'GRACE')""",
)

# A row as the board's write script takes it. The member is that of `leaderboards.board`.
PACKED: Final = f"""
partner_id, version, '-' || points AS score,
CASE WHEN stands THEN lpad(to_hex((extract(epoch FROM reached_at) * 1000000)::bigint + 62135596800000000),
                           {INSTANT_WIDTH}, '0') || lpad(to_hex(partner_id), {PARTNER_WIDTH}, '0')
     ELSE '' END AS member,
CASE WHEN stands THEN array_to_string(groups, chr({ord(GROUP_SEPARATOR)})) ELSE '' END AS groups
"""

# What partners show on all open boards of their program.
PROJECT: Final = (
    f"{OF_PROGRAM} SELECT season_id, leaderboard_id, {PACKED} FROM standing WHERE partner_id = ANY($2)"
)

# The next partners on one board.
PAGE: Final = (
    f"{OF_SEASON} SELECT {PACKED} FROM standing WHERE stands AND partner_id > $7 ORDER BY partner_id LIMIT $8"
)

# One group of one board.
GROUP: Final = (
    OF_SEASON
    + """, ranked AS MATERIALIZED (
    SELECT partner_id, points, reached_at FROM standing WHERE stands AND ($7::text = '' OR $7 = ANY(groups))
)
"""
)
# Neighbouring rows, the group's size, and the rank of the first of them.
PART: Final = f"""{GROUP}, page AS (
    SELECT * FROM ranked ORDER BY points DESC, reached_at, partner_id OFFSET $8 LIMIT $9
)
SELECT (SELECT count(*) FROM ranked) AS size,
       (SELECT count(*) FROM ranked WHERE points > (SELECT max(points) FROM page)) + 1 AS rank, page.*
FROM (VALUES (1)) one LEFT JOIN page ON true ORDER BY points DESC, reached_at, partner_id
"""
# How many of the group stand before a partner.
BEFORE: Final = f"""{GROUP}
SELECT (SELECT count(*) FROM ranked o
        WHERE (-o.points, o.reached_at, o.partner_id) < (-r.points, r.reached_at, r.partner_id))
FROM ranked r WHERE r.partner_id = $8
"""
# Every group's ranking, with window functions.
RANKED: Final = """
SELECT g.key, partner_id, points, reached_at,
       rank() OVER (PARTITION BY g.key ORDER BY points DESC) AS rank,
       row_number() OVER (PARTITION BY g.key ORDER BY points DESC, reached_at, partner_id) AS position,
       count(*) OVER (PARTITION BY g.key) AS size
FROM standing CROSS JOIN unnest(groups) AS g (key) WHERE stands
"""
PLACES: Final = f"{OF_SEASON} SELECT * FROM ({RANKED}) r WHERE partner_id = $7 ORDER BY key"

# The final standings of a season, every group of it.
FREEZE: Final = f"""
INSERT INTO season_standing (program_id, season_id, group_key, position, partner_id, rank, score, reached_at)
{OF_SEASON}
SELECT $1, $7, key, position, partner_id, rank, round(points / $4::numeric, {DECIMALS}), reached_at FROM ({RANKED}) r
"""

FROZEN_PART: Final = """
SELECT partner_id, rank, score, reached_at FROM season_standing
WHERE program_id = $1 AND season_id = $2 AND group_key = $3 AND position > $4 ORDER BY position LIMIT $5
"""
FROZEN_SIZE: Final = """
SELECT position FROM season_standing WHERE program_id = $1 AND season_id = $2 AND group_key = $3
ORDER BY position DESC LIMIT 1
"""
FROZEN_PLACES: Final = """
SELECT group_key, position, rank, score, reached_at,
       (SELECT max(o.position) FROM season_standing o
        WHERE o.program_id = $1 AND o.season_id = $2 AND o.group_key = f.group_key) AS size
FROM season_standing f WHERE program_id = $1 AND season_id = $2 AND partner_id = $3 ORDER BY group_key
"""

assert all(scale in (1, 10**DECIMALS) for scale in SCALES.values())
