"""Building projections: a new generation is filled beside the one that readers use, and then takes its place.

From the moment it begins, the projector writes to it too, and writes are absolute and versioned; so whatever changes
while the pages are read is in it when it is full, and no catching up follows. Several rebuilds of one season at once
do no harm: each has a generation of its own, and the highest stays.

`heal` finds what has no projection that can be trusted: a new season, a Redis that lost its data or came back from
an older snapshot or as a replica, and meters that were still being filled when it was built.
"""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import base.redis
from base import failpoints
from base.database import Connection, reading
from leaderboards.board import (
    Generation,
    GenerationLost,
    begin_generation,
    check_generation,
    drop_generations,
    fill,
)
from leaderboards.live import announce
from leaderboards.queries import BoardView, seasons_in
from leaderboards.rules import OPEN
from leaderboards.standings import load_page

PAGE: Final = 10_000
ATTEMPTS: Final = 3

# Programs with seasons to look at: open ones, and closed ones whose projection has not been dropped yet.
PROGRAMS: Final = """
SELECT id FROM program p
WHERE ($1::bigint IS NULL OR id = $1)
  AND EXISTS (SELECT FROM season s WHERE s.program_id = p.id AND (s.state <> 'CLOSED' OR s.generation > 0))
ORDER BY id
"""

# Readers see the generation that is full; never an older one again, and none of a season that was closed meanwhile.
SWAP: Final = """
UPDATE season SET generation = $3 WHERE program_id = $1 AND id = $2 AND generation < $3 AND state <> 'CLOSED'
RETURNING generation
"""
FORGET: Final = "UPDATE season SET generation = 0 WHERE program_id = $1 AND id = $2 AND state = 'CLOSED'"

# Closed seasons whose projection has not been dropped yet.
LEFT_OVER: Final = "SELECT id FROM season WHERE program_id = $1 AND state = 'CLOSED' AND generation > 0"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: `standings` partners stand in the season's new generation."""

    board: str
    season: str
    generation: int
    standings: int
    seconds: float


async def rebuild(view: BoardView) -> Rebuilt:
    """Build the season's projection anew. Raises where Redis is away; readers keep what they have."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _rebuild(view)
        except GenerationLost:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def rebuild_all(program_id: int | None = None) -> list[Rebuilt]:
    """Build the projections of all open seasons of a program, or of all programs."""
    return [await rebuild(view) for program in await _programs(program_id) for view in await _open(program)]


async def heal() -> list[Rebuilt]:
    """Build what lacks a projection, and drop those of closed seasons. For a tick: nothing due costs little.

    Where a node of a cluster is away, its boards wait and the others' do not.
    """
    healed: list[Rebuilt] = []
    try:
        for program in await _programs(None):
            for view in await _open(program):
                healed += await _heal(view)
            with suppress(*base.redis.UNAVAILABLE):  # the next tick drops them
                await drop_closed(program)
    except base.redis.UNAVAILABLE as error:
        log.warning("boards wait for Redis: %s", error)
    return healed


async def _heal(view: BoardView) -> list[Rebuilt]:
    """Build one, if it is due. Raises where all of Redis is away."""
    try:
        if await _is_sound(view):
            return []
        built = await rebuild(view)
    except base.redis.UNAVAILABLE as error:
        await base.redis.ping()
        log.warning("board %s waits for its part of Redis: %s", view.board.key, error)
        return []
    log.info("built board %s, season %s: %d standings", built.board, built.season, built.standings)
    return [built]


async def drop_closed(program_id: int) -> None:
    """Drop the projections of closed seasons: their final standings are in the database."""
    async with reading() as connection:
        for row in await connection.fetch(LEFT_OVER, program_id):
            await drop_generations(base.redis.connected(), row["id"], below=2**53)
            await connection.execute(FORGET, program_id, row["id"])


async def _programs(program_id: int | None) -> list[int]:
    async with reading() as connection:
        return [row["id"] for row in await connection.fetch(PROGRAMS, program_id)]


async def _open(program_id: int) -> list[BoardView]:
    async with reading() as connection:
        return await seasons_in(connection, program_id=program_id, states=OPEN)


async def _is_sound(view: BoardView) -> bool:
    client = base.redis.connected()
    return view.season.generation > 0 and await check_generation(client, view.season, kind=_kind(view))


def _kind(view: BoardView) -> str:
    """What a projection is built of: one of meters that are being filled is built again when they are."""
    return "filled" if view.board.filled else "filling"


async def _rebuild(view: BoardView) -> Rebuilt:
    started = time.monotonic()
    client, season = base.redis.connected(), view.season
    generation = await begin_generation(client, season, built_as=f"{_kind(view)} {secrets.token_hex(8)}")
    try:
        failpoints.reach("rebuild.begun")
        async with reading() as connection:
            standings = await _fill(connection, view, generation)
            failpoints.reach("rebuild.filled")
            swapped = await connection.fetchval(SWAP, season.program_id, season.id, generation.number)
    except BaseException:
        await _abandon(generation)
        raise
    failpoints.reach("rebuild.swapped")
    below, token = (generation.number, "") if swapped else (0, generation.token)
    await drop_generations(client, season.id, below=below, token=token)
    announce({season.leaderboard_id})
    seconds = time.monotonic() - started
    return Rebuilt(view.board.key, season.key, generation.number, standings, seconds)


async def _fill(connection: Connection, view: BoardView, generation: Generation) -> int:
    """Read page after page, each while Redis takes the one before it. Returns how many rows there were."""
    client, count = base.redis.connected(), 0
    rows = await load_page(connection, board=view.board, season=view.season, after=0, limit=PAGE)
    while rows:
        count += len(rows)
        coming = asyncio.create_task(
            load_page(
                connection, board=view.board, season=view.season, after=rows[-1]["partner_id"], limit=PAGE
            )
        )
        try:
            await fill(client, rows, generation)
        finally:
            rows = await coming
    return count


async def _abandon(generation: Generation) -> None:
    """Drop what was filled so far, if Redis is there; else a later rebuild does."""
    try:
        await drop_generations(base.redis.connected(), generation.season_id, below=0, token=generation.token)
    except base.redis.UNAVAILABLE:
        log.info("an unfinished generation of season %d is left for the next rebuild", generation.season_id)
