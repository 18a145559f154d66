"""Ids of hot rows, taken from one sequence in blocks, so that a batch pays one statement for all of them.

Unused ids of a block are lost: the sequence has room for 10^17 blocks.
"""

from typing import Final

from base.database import Connection

BLOCK: Final = 64  # the sequence's increment
TAKE: Final = "SELECT nextval('hot_id') FROM generate_series(1, $1)"


class IdsExhausted(Exception):
    """More ids were asked for than were taken. The batch is rolled back and runs again with more."""


class Ids:
    """Ids that are this batch's own."""

    def __init__(self, starts: list[int]) -> None:
        self._ids = iter([first + offset for first in starts for offset in range(BLOCK)])

    def take(self) -> int:
        """The next id."""
        try:
            return next(self._ids)
        except StopIteration:
            raise IdsExhausted from None


async def take_ids(connection: Connection, count: int) -> Ids:
    """At least `count` ids."""
    blocks = -(-count // BLOCK)
    return Ids([row[0] for row in await connection.fetch(TAKE, blocks)])
