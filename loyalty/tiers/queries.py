"""Reads of tiers: which ones there are, and on which a partner stands."""

from collections.abc import Sequence
from typing import Final

from base.database import Connection

KEYS: Final = "SELECT key FROM tier WHERE program_id = $1"
# A partner without a standing is on the step that everyone starts on.
TIERS_OF: Final = """
SELECT g.id, t.key FROM unnest($2::bigint[]) AS g (id)
LEFT JOIN tier_standing s ON s.program_id = $1 AND s.partner_id = g.id
LEFT JOIN tier t ON t.program_id = $1 AND t.level = coalesce(s.level, 0)
"""


async def known_tiers(connection: Connection, *, program_id: int) -> frozenset[str]:
    """The keys of the program's tiers."""
    return frozenset([row["key"] for row in await connection.fetch(KEYS, program_id)])


async def tier_keys(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int]
) -> dict[int, str | None]:
    """The key of each partner's tier; None where the program has no ladder. One statement."""
    return {row["id"]: row["key"] for row in await connection.fetch(TIERS_OF, program_id, partner_ids)}
