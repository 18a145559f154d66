"""Partners page by page, for checks that hold what belongs to a page in memory."""

from typing import Final

from base.database import Connection

PARTNERS_AT_ONCE: Final = 200
ACTIVITIES_AT_ONCE: Final = 10_000
"""A page ends where it would hold more; what belongs to one partner is never split."""

SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
NEXT_PARTNERS: Final = """
SELECT id, activities FROM partner WHERE program_id = $1 AND id > $2 ORDER BY id LIMIT $3
"""


async def next_partners(connection: Connection, program_id: int, after: int) -> list[int]:
    """The partners of the next page, by id; none after the last."""
    rows = await connection.fetch(NEXT_PARTNERS, program_id, after, PARTNERS_AT_ONCE)
    found: list[int] = []
    activities = 0
    for row in rows:
        activities += row["activities"]
        if found and activities > ACTIVITIES_AT_ONCE:
            break
        found.append(row["id"])
    return found
