"""Reads of the tier ladder, and of where partners stand on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from base.database import Connection

LADDER: Final = "SELECT metric_id, series_id, period FROM tier_ladder WHERE program_id = $1"
TIERS: Final = """
SELECT key, name, level, threshold, multiplier FROM tier WHERE program_id = $1 ORDER BY level
"""
# The partners' places, each with the ladder's meter in the window that is named for it.
STANDINGS: Final = """
SELECT k.partner_id, coalesce(s.level, 0) AS level, s.since, coalesce(m.value, 0) AS value
FROM unnest($3::bigint[], $4::date[]) AS k (partner_id, window_start)
LEFT JOIN tier_standing s ON s.program_id = $1 AND s.partner_id = k.partner_id
LEFT JOIN meter m ON m.program_id = $1 AND m.series_id = $2 AND m.window_start = k.window_start
                 AND m.partner_id = k.partner_id
"""


@dataclass(frozen=True, slots=True)
class TierRow:
    """A step of the ladder."""

    key: str
    name: str
    level: int
    threshold: Decimal
    multiplier: Decimal


@dataclass(frozen=True, slots=True)
class LadderRow:
    """The program's tiers by rising level, and what earns them over which period of the partner's own calendar."""

    metric_id: int
    series_id: int
    period: str
    tiers: tuple[TierRow, ...]


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A partner's place. `since` is None for one that never moved; `qualifying` is the ladder's meter."""

    level: int
    since: datetime | None
    qualifying: Decimal


async def load_ladder(connection: Connection, *, program_id: int) -> LadderRow | None:
    """The program's ladder, where it has one."""
    row = await connection.fetchrow(LADDER, program_id)
    if row is None:
        return None
    tiers = tuple(TierRow(*tier) for tier in await connection.fetch(TIERS, program_id))
    return LadderRow(row["metric_id"], row["series_id"], row["period"], tiers)


async def load_standings(
    connection: Connection, *, program_id: int, series_id: int, windows: Mapping[int, date]
) -> dict[int, StandingRow]:
    """Where these partners stand. `windows` names, by partner id, the qualification period that each is in."""
    partner_ids: Sequence[int] = list(windows)
    rows = await connection.fetch(STANDINGS, program_id, series_id, partner_ids, list(windows.values()))
    return {row["partner_id"]: StandingRow(row["level"], row["since"], row["value"]) for row in rows}
