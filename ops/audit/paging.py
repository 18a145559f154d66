"""Partners page by page, for checks that hold what belongs to a page in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from base.database import Connection, snapshot
from game.loading import PlanMoved
from ops.audit.check import Finding

PARTNERS_AT_ONCE: Final = 200
ACTIVITIES_AT_ONCE: Final = 10_000
"""A page ends where it would hold more; what belongs to one partner is never split."""

NEXT_PARTNERS: Final = """
SELECT id, activities FROM partner WHERE program_id = $1 AND id > $2 ORDER BY id LIMIT $3
"""

Page = TypeVar("Page")


async def read_pages(
    program_id: int, read: Callable[[Connection, list[int]], Awaitable[Page]]
) -> AsyncIterator[Page]:
    """What `read` makes of each page of partners, by id. Each is read in a snapshot, which has ended then."""
    after = 0
    while True:
        async with snapshot() as connection:
            partner_ids = await next_partners(connection, program_id, after)
            if not partner_ids:
                return
            page = await read(connection, partner_ids)
        yield page
        after = partner_ids[-1]


def begun_anew(look: Callable[[int], Awaitable[Finding]]) -> Callable[[int], Awaitable[Finding]]:
    """A look that begins anew where the configuration by which it decides was changed under it."""

    async def whole(program_id: int) -> Finding:
        while True:
            try:
                return await look(program_id)
            except PlanMoved:
                continue

    return whole


async def next_partners(connection: Connection, program_id: int, after: int) -> list[int]:
    """The partners of the next page; none after the last."""
    rows = await connection.fetch(NEXT_PARTNERS, program_id, after, PARTNERS_AT_ONCE)
    found: list[int] = []
    activities = 0
    for row in rows:
        activities += row["activities"]
        if found and activities > ACTIVITIES_AT_ONCE:
            break
        found.append(row["id"])
    return found
