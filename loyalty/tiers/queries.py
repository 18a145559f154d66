"""Reads of tiers: the ladder, and on which tier a partner stands."""

from collections.abc import Sequence
from typing import Final

import orjson

from base.database import Connection
from loyalty.ledger.expiry import Expiry
from loyalty.tiers.periods import Qualification
from loyalty.tiers.rules import Downgrade, Ladder, Tier
from metrics.windows import Period

KEYS: Final = "SELECT key FROM tier WHERE program_id = $1"
# A partner without a standing is on the step that everyone starts on.
TIERS_OF: Final = """
SELECT g.id, t.key FROM unnest($2::bigint[]) AS g (id)
LEFT JOIN tier_standing s ON s.program_id = $1 AND s.partner_id = g.id
LEFT JOIN tier t ON t.program_id = $1 AND t.level = coalesce(s.level, 0)
"""
LADDER: Final = """
SELECT t.key, t.name, t.level, t.threshold, t.multiplier, t.expiry::text, t.access::text,
       l.series_id, l.period, l.rolling_months, l.from_joining, l.downgrade, l.grace_days, l.returns_take
FROM tier t JOIN tier_ladder l ON l.program_id = t.program_id AND l.id = t.ladder_id
WHERE t.program_id = $1 ORDER BY t.level
"""


async def load_rules(connection: Connection, *, program_id: int) -> Ladder | None:
    """The program's ladder, for deciding by it; None where it has none."""
    rows = await connection.fetch(LADDER, program_id)
    if not rows:
        return None
    tiers = tuple(
        Tier(
            row["key"],
            row["name"],
            row["level"],
            row["threshold"].normalize(),
            row["multiplier"].normalize(),
            read_expiry(row["expiry"]),
            tuple(orjson.loads(row["access"])),
        )
        for row in rows
    )
    row = rows[0]
    return Ladder(
        series_id=row["series_id"],
        tiers=tiers,
        qualification=Qualification(Period(row["period"]), row["rolling_months"], row["from_joining"]),
        downgrade=Downgrade(row["downgrade"]),
        grace_days=row["grace_days"],
        returns_take=row["returns_take"],
    )


def read_expiry(stored: str | None) -> Expiry | None:
    """A tier's policy; None where it has none of its own."""
    return None if stored is None else Expiry.from_json(orjson.loads(stored))


async def known_tiers(connection: Connection, *, program_id: int) -> frozenset[str]:
    """The keys of the program's tiers."""
    return frozenset([row["key"] for row in await connection.fetch(KEYS, program_id)])


async def tier_keys(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int]
) -> dict[int, str | None]:
    """The key of each partner's tier; None where the program has no ladder. One statement."""
    return {row["id"]: row["key"] for row in await connection.fetch(TIERS_OF, program_id, partner_ids)}
