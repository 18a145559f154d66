"""The consumer "boards" of the outbox: what partners' meters say now goes to the boards.

A row of the outbox only names partners; what they show is read here, so a row that comes twice, late or out of order
writes the same. Where Redis is away the error goes to the relay, which comes again with the same rows.
"""

from collections.abc import Sequence
from typing import Final

import base.redis
from base import failpoints
from base.database import Connection
from base.outbox import OutboxRow
from leaderboards.board import PackedRow, write
from leaderboards.live import announce
from leaderboards.statements import PROJECT

CONSUMER: Final = "boards"
PARTNERS_AT_ONCE: Final = 2_000
"""Partners of one statement: what it answers is held in memory, once for every open season."""


async def project(connection: Connection, rows: Sequence[OutboxRow]) -> None:
    """Write what the named partners show on every open board of their program, and tell who watches those boards."""
    named: dict[int, set[int]] = {}
    for row in rows:
        named.setdefault(row.program_id, set()).update(row.partner_ids)
    for program_id, partner_ids in named.items():
        ordered = sorted(partner_ids)
        for first in range(0, len(ordered), PARTNERS_AT_ONCE):
            await _project(connection, program_id, ordered[first : first + PARTNERS_AT_ONCE])


async def _project(connection: Connection, program_id: int, partner_ids: Sequence[int]) -> None:
    boards: dict[int, int] = {}
    seasons: dict[int, list[PackedRow]] = {}
    for record in await connection.fetch(PROJECT, program_id, partner_ids):
        season_id, leaderboard_id, *packed = record
        boards[season_id] = leaderboard_id
        seasons.setdefault(season_id, []).append(packed)
    failpoints.reach("projector.loaded")
    changed = await write(base.redis.connected(), seasons)
    failpoints.reach("projector.written")
    announce({boards[season_id] for season_id in changed})
