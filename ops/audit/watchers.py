"""What follows from the meters: missions, badges, tiers, and seasons' final standings.

A mission that was ended is settled: what came back later moves its meters and not its completions.
"""

# ruff: noqa: S608  # statements are put together from these constants, never from what comes in

from typing import Final

from ops.audit.check import Check, sql_check

# Where the past is still being gone through for a series, what watches it follows once that is over.
FILLED: Final = """
EXISTS (SELECT FROM meter_series s WHERE s.program_id = $1 AND s.id = {series} AND s.filled_at IS NOT NULL
               AND s.reviewed_through IS NULL)
"""
LEFT_OUT: Final = """
SELECT CASE WHEN count(*) > 0 THEN 'left out: ' || count(*) || ' whose series is still being filled' END
FROM {table} w WHERE w.program_id = $1 AND w.series_id IS NOT NULL AND NOT {filled}
"""
LIFETIME: Final = "'-infinity'::date"
"""The window of a series that has no start: how asyncpg writes the first of all dates."""

ONE_METER: Final = "l.returns_take AND l.rolling_months IS NULL AND NOT l.from_joining"
"""Of ladders whose windows are one meter each, and earn what that one shows."""

COMPLETIONS: Final = sql_check(
    "completions",
    "a completion that stands has its objectives' meters at their targets",
    rows="SELECT count(*) FROM mission_completion WHERE program_id = $1 AND revoked_at IS NULL",
    wrong=f"""
    SELECT DISTINCT 'mission ' || m.key || ' partner ' || c.partner_id
    FROM mission_completion c
    JOIN mission m ON m.program_id = $1 AND m.id = c.mission_id AND m.ended_at IS NULL
    JOIN objective o ON o.program_id = $1 AND o.mission_id = m.id
    JOIN meter_series s ON s.program_id = $1 AND s.id = o.series_id AND s.filled_at IS NOT NULL
    LEFT JOIN meter t ON t.program_id = $1 AND t.series_id = s.id AND t.partner_id = c.partner_id
                     AND t.window_start = coalesce((s.starts_at AT TIME ZONE 'UTC')::date, {LIFETIME})
    WHERE c.program_id = $1 AND c.revoked_at IS NULL AND coalesce(t.value, 0) < o.target
    """,
    note=LEFT_OUT.format(table="objective", filled=FILLED.format(series="w.series_id")),
)

PAID: Final = sql_check(
    "mission rewards",
    "each completion of a mission that pays points has been paid, once",
    rows="SELECT count(*) FROM mission_completion WHERE program_id = $1",
    wrong="""
    SELECT coalesce(c.key, t.key)
    FROM (SELECT 'mission/' || c.mission_id || '/' || c.occurrence || '/' || c.partner_id || '/' || turn.n AS key
          FROM mission_completion c JOIN mission m ON m.program_id = $1 AND m.id = c.mission_id
          CROSS JOIN LATERAL generate_series(1, c.n) AS turn (n)
          WHERE c.program_id = $1
            AND EXISTS (SELECT FROM jsonb_array_elements(m.rewards) r WHERE (r ->> 'points')::bigint > 0)) c
    FULL JOIN (SELECT key FROM ledger_transaction WHERE program_id = $1 AND key LIKE 'mission/%') t ON t.key = c.key
    WHERE c.key IS NULL OR t.key IS NULL
    """,
)

LEVELS: Final = sql_check(
    "badge levels",
    "the levels that stand of a badge with a metric are those that its lifetime meter has reached",
    rows="SELECT count(*) FROM badge_award WHERE program_id = $1 AND revoked_at IS NULL",
    wrong=f"""
    SELECT 'badge ' || b.key || ' level ' || coalesce(r.level, a.level)
           || ' partner ' || coalesce(r.partner_id, a.partner_id)
    FROM (SELECT b.id AS badge_id, l.level::int AS level, t.partner_id
          FROM badge b CROSS JOIN LATERAL jsonb_array_elements_text(b.levels) WITH ORDINALITY AS l (threshold, level)
          JOIN meter t ON t.program_id = $1 AND t.series_id = b.series_id AND t.window_start = {LIFETIME}
                      AND t.value >= l.threshold::numeric
          WHERE b.program_id = $1) r
    FULL JOIN (SELECT a.* FROM badge_award a JOIN badge b ON b.program_id = $1 AND b.id = a.badge_id
               WHERE a.program_id = $1 AND a.revoked_at IS NULL AND b.series_id IS NOT NULL) a
           ON a.badge_id = r.badge_id AND a.level = r.level AND a.partner_id = r.partner_id
    JOIN badge b ON b.program_id = $1 AND b.id = coalesce(r.badge_id, a.badge_id)
    WHERE (r.badge_id IS NULL OR a.badge_id IS NULL) AND {FILLED.format(series="b.series_id")}
    """,
    note=LEFT_OUT.format(table="badge", filled=FILLED.format(series="w.series_id")),
)

MISSION_BADGES: Final = sql_check(
    "badges of missions",
    "a badge without a metric stands where, and only where, a completion that awards it stands",
    rows="""
    SELECT count(*) FROM badge_award a JOIN badge b ON b.program_id = $1 AND b.id = a.badge_id
    WHERE a.program_id = $1 AND a.revoked_at IS NULL AND b.series_id IS NULL
    """,
    wrong="""
    SELECT 'badge ' || coalesce(c.badge_id, a.badge_id) || ' partner ' || coalesce(c.partner_id, a.partner_id)
    FROM (SELECT DISTINCT (r ->> 'badge')::bigint AS badge_id, c.partner_id
          FROM mission_completion c JOIN mission m ON m.program_id = $1 AND m.id = c.mission_id
          CROSS JOIN LATERAL jsonb_array_elements(m.rewards) AS r
          WHERE c.program_id = $1 AND c.revoked_at IS NULL AND r ->> 'badge' IS NOT NULL) c
    FULL JOIN (SELECT a.badge_id, a.partner_id FROM badge_award a
               JOIN badge b ON b.program_id = $1 AND b.id = a.badge_id AND b.series_id IS NULL
               WHERE a.program_id = $1 AND a.revoked_at IS NULL) a
           ON a.badge_id = c.badge_id AND a.partner_id = c.partner_id
    WHERE c.badge_id IS NULL OR a.badge_id IS NULL
    """,
)

TIERS: Final = sql_check(
    "tiers",
    "a partner stands on the tier that a person gave it, else on the highest that it carries or an open period earned",
    rows="SELECT count(*) FROM tier_standing WHERE program_id = $1",
    wrong=f"""
    SELECT 'partner ' || p.code
    FROM partner p
    JOIN tier_ladder l ON l.program_id = $1 AND {FILLED.format(series="l.series_id")} AND {ONE_METER}
    LEFT JOIN tier_standing s ON s.program_id = $1 AND s.partner_id = p.id
    LEFT JOIN (SELECT t.partner_id, max(t.value) AS value
               FROM tier_ladder l JOIN meter t ON t.program_id = $1 AND t.series_id = l.series_id
               LEFT JOIN tier_standing s ON s.program_id = $1 AND s.partner_id = t.partner_id
               WHERE l.program_id = $1 AND t.window_start >= coalesce(s.open_from, '-infinity')
               GROUP BY t.partner_id) e ON e.partner_id = p.id
    CROSS JOIN LATERAL (
        SELECT greatest(coalesce(max(t.level), 0), s.carried) AS earned
        FROM tier t WHERE t.program_id = $1 AND t.threshold <= coalesce(e.value, 0)) best
    WHERE p.program_id = $1 AND coalesce(s.level, 0) <> coalesce(s.override_level, best.earned)
    """,
    note=LEFT_OUT.format(table="tier_ladder", filled=FILLED.format(series="w.series_id")),
)

FINAL_STANDINGS: Final = sql_check(
    "final standings",
    "a closed season's positions are dense, in the order of score and time, and equal scores share their rank",
    rows="SELECT count(*) FROM season_standing WHERE program_id = $1",
    wrong="""
    SELECT 'season ' || season_id || ' group ' || coalesce(nullif(group_key, ''), 'all') || ' position ' || position
    FROM (SELECT *, row_number() OVER (season_group ORDER BY score DESC, reached_at, partner_id) AS true_position,
                    rank() OVER (season_group ORDER BY score DESC) AS true_rank
          FROM season_standing WHERE program_id = $1
          WINDOW season_group AS (PARTITION BY season_id, group_key)) s
    WHERE position <> true_position OR rank <> true_rank
    """,
)

WATCHERS: Final[tuple[Check, ...]] = (
    COMPLETIONS, PAID, LEVELS, MISSION_BADGES, TIERS, FINAL_STANDINGS,
)  # fmt: skip
