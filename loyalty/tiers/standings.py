"""The standings' rows: what reads and writes them, in sets. Their partners' locks make a batch the only one to."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import orjson

from base.database import Rows, Statement
from loyalty.tiers.rules import Override, Standing

READ: Final = """
SELECT partner_id, level, since, earned, carried, open_from, review_at, peaks::text, override_level, override_until
FROM tier_standing WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""
# The meters of a reviewed ladder that each of these partners' open windows needs; all of them, where one has none yet.
OPEN_METERS: Final = """
WITH opened AS MATERIALIZED (SELECT partner_id, open_from FROM tier_standing
                             WHERE program_id = $1 AND partner_id = ANY($3::bigint[]) AND open_from IS NOT NULL)
SELECT m.series_id, m.window_start, m.partner_id, m.value, m.reached_at, m.version
FROM meter m JOIN opened o ON o.partner_id = m.partner_id AND o.open_from <= m.window_start
WHERE m.program_id = $1 AND m.series_id = $2 AND m.partner_id = ANY(ARRAY(SELECT partner_id FROM opened))
  AND m.window_start >= (SELECT min(open_from) FROM opened)
UNION ALL
SELECT series_id, window_start, partner_id, value, reached_at, version
FROM meter WHERE program_id = $1 AND series_id = $2
             AND partner_id = ANY(ARRAY(SELECT unnest($3::bigint[]) EXCEPT SELECT partner_id FROM opened))
"""
WRITE: Final = """
INSERT INTO tier_standing (program_id, partner_id, level, since, earned, carried, open_from, review_at, peaks,
                           override_level, override_until)
SELECT $1, k.partner_id, k.level, k.since, k.earned, k.carried, k.open_from, k.review_at, k.peaks::jsonb,
       k.override_level, k.override_until
FROM unnest($2::bigint[], $3::int[], $4::timestamptz[], $5::int[], $6::int[], $7::date[], $8::timestamptz[],
            $9::text[], $10::int[], $11::timestamptz[])
     AS k (partner_id, level, since, earned, carried, open_from, review_at, peaks, override_level, override_until)
ON CONFLICT (program_id, partner_id)
DO UPDATE SET level = excluded.level, since = excluded.since, earned = excluded.earned, carried = excluded.carried,
              open_from = excluded.open_from, review_at = excluded.review_at, peaks = excluded.peaks,
              override_level = excluded.override_level, override_until = excluded.override_until
"""


def read_standings(*, program_id: int, partner_ids: Sequence[int]) -> Statement:
    """The standings of these partners."""
    return Statement(READ, (program_id, partner_ids))


def read_open_meters(*, program_id: int, series_id: int, partner_ids: Sequence[int]) -> Statement:
    """The meters that may still decide about these partners' tiers. Each partner is named once."""
    return Statement(OPEN_METERS, (program_id, series_id, partner_ids))


def build_standings(rows: Rows) -> dict[int, Standing]:
    """The standings of what was read, by partner."""
    return {row[0]: build_standing(*row[1:]) for row in rows}


def build_standing(
    level: int,
    since: Any,
    earned: int,
    carried: int,
    open_from: Any,
    review_at: Any,
    peaks: str,
    override_level: int | None,
    override_until: Any,
) -> Standing:
    """A standing from the columns of its row."""
    return Standing(
        level,
        since,
        earned,
        carried,
        open_from,
        review_at,
        {} if peaks == "{}" else {date.fromisoformat(day): one for day, one in orjson.loads(peaks).items()},
        None if override_level is None else Override(override_level, override_until),
        is_stored=True,
    )


def write_standings(*, program_id: int, standings: Mapping[int, Standing]) -> Statement:
    """The statement that keeps these standings."""
    stored = standings.values()
    overrides = [one.override for one in stored]
    columns = (
        [one.level for one in stored],
        [one.since for one in stored],
        [one.earned for one in stored],
        [one.carried for one in stored],
        [one.open_from for one in stored],
        [one.review_at for one in stored],
        [
            orjson.dumps({day.isoformat(): level for day, level in one.peaks.items()}).decode()
            for one in stored
        ],
        [None if one is None else one.level for one in overrides],
        [None if one is None else one.until for one in overrides],
    )
    return Statement(WRITE, (program_id, list(standings), *columns))
