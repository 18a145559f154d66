"""Reads of the badges, and of who was awarded them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import orjson

from base.database import Connection

BADGES: Final = (
    "SELECT id, key, name, metric_id, levels, hidden FROM badge WHERE program_id = $1 ORDER BY key"
)
AWARDS: Final = """
SELECT partner_id, badge_id, level, awarded_at, revoked_at FROM badge_award
WHERE program_id = $1 AND partner_id = ANY($2::bigint[]) ORDER BY partner_id, awarded_at DESC, badge_id, level DESC
"""


@dataclass(frozen=True, slots=True)
class BadgeRow:
    """A badge. `levels` are rising thresholds on its metric; one level of 1 where missions award it."""

    id: int
    key: str
    name: str
    metric_id: int | None
    levels: tuple[Decimal, ...]
    hidden: bool


@dataclass(frozen=True, slots=True)
class AwardRow:
    """A level of a badge that a partner was awarded."""

    partner_id: int
    badge_id: int
    level: int
    awarded_at: datetime
    revoked_at: datetime | None


async def load_badges(connection: Connection, *, program_id: int) -> list[BadgeRow]:
    """All badges of the program, by key."""
    return [
        BadgeRow(
            row["id"],
            row["key"],
            row["name"],
            row["metric_id"],
            tuple(Decimal(level) for level in orjson.loads(row["levels"])),
            row["hidden"],
        )
        for row in await connection.fetch(BADGES, program_id)
    ]


async def load_awards(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int]
) -> dict[int, list[AwardRow]]:
    """What these partners were awarded, newest first, by partner id."""
    found: dict[int, list[AwardRow]] = {id_: [] for id_ in partner_ids}
    for row in await connection.fetch(AWARDS, program_id, partner_ids):
        found[row["partner_id"]].append(AwardRow(*row))
    return found
