"""Seasons come, go and are closed. What is due is read from the database, so that a missed tick is caught up.

    SCHEDULED → LIVE → GRACE → FINALIZING → CLOSED

A season is closed in one transaction: its final standings are written, and the state with them. What is counted later
moves the meters, and no closed season.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from typing import Final

import base.redis
from base import failpoints
from base.database import Connection, reading, retrying, transaction
from base.rounds import go_round
from leaderboards.live import announce
from leaderboards.queries import BoardView, list_boards, seasons_in
from leaderboards.rebuild import drop_closed
from leaderboards.rules import BoardRow, SeasonState, SeasonWindow, due_state, due_windows
from leaderboards.standings import freeze
from partners.history import NO_HISTORY

# Programs with boards. Where a history is loaded, seasons wait for its end.
PROGRAMS: Final = f"""
SELECT id FROM program p
WHERE EXISTS (SELECT FROM leaderboard b WHERE b.program_id = p.id) AND {NO_HISTORY} ORDER BY id
"""  # noqa: S608  # a constant

# Of each board the seasons it has, and the first window in which its series has a meter.
KNOWN_WINDOWS: Final = """
SELECT b.id, ARRAY(SELECT s.window_start FROM season s WHERE s.program_id = $1 AND s.leaderboard_id = b.id) AS known,
       (SELECT min(m.window_start) FROM meter m WHERE m.program_id = $1 AND m.series_id = b.series_id) AS first
FROM leaderboard b WHERE b.program_id = $1
"""
ADD_SEASONS: Final = """
INSERT INTO season (program_id, leaderboard_id, key, window_start, starts_at, ends_at, state)
SELECT $1, $2, w.key, w.window_start, w.starts_at, w.ends_at, 'SCHEDULED'
FROM unnest($3::text[], $4::date[], $5::timestamptz[], $6::timestamptz[]) AS w (key, window_start, starts_at, ends_at)
ON CONFLICT (program_id, leaderboard_id, window_start) DO NOTHING
"""
# Each from the state that was decided on: another process may have been first.
MOVE: Final = """
UPDATE season s SET state = m.target FROM unnest($2::bigint[], $3::text[], $4::text[]) AS m (id, state, target)
WHERE s.program_id = $1 AND s.id = m.id AND s.state = m.state RETURNING s.leaderboard_id
"""
LOCK: Final = """
SELECT id FROM season WHERE program_id = $1 AND id = $2 AND state = 'FINALIZING' FOR NO KEY UPDATE SKIP LOCKED
"""
CLOSE: Final = "UPDATE season SET state = 'CLOSED', closed_at = $3 WHERE program_id = $1 AND id = $2"

UNFINISHED: Final = tuple(state for state in SeasonState if state is not SeasonState.CLOSED)


async def advance_seasons(now: datetime) -> None:
    """Create the seasons of all boards that are due at `now`, move each to its state, and close what is over.

    Idempotent; may run in several processes at once.
    """
    async with reading() as connection:
        programs = [row["id"] for row in await connection.fetch(PROGRAMS, now)]
    await go_round(programs, lambda program_id: advance_program(program_id, now))


async def advance_program(program_id: int, now: datetime) -> None:
    """The same for one program."""
    touched = await retrying(lambda: _advance(program_id, now))
    async with reading() as connection:
        over = await seasons_in(connection, program_id=program_id, states=(SeasonState.FINALIZING,))
    for view in over:
        if await retrying(partial(_close, view, now)):
            touched.add(view.board.id)
            failpoints.reach("seasons.closed")
    with suppress(*base.redis.UNAVAILABLE):  # the next tick drops them
        await drop_closed(program_id)
    announce(touched)


async def ensure_seasons(connection: Connection, *, program_id: int, key: str, now: datetime) -> None:
    """Create a board's present season, or its first to come, in the transaction that creates the board."""
    (board,) = await list_boards(connection, program_id=program_id, key=key)
    await _add(connection, board, due_windows(board, first=None, now=now))
    await _move(connection, program_id, now)


async def _advance(program_id: int, now: datetime) -> set[int]:
    """Create and move; returns the boards of which a season moved."""
    async with transaction() as connection:
        windows = {row["id"]: row for row in await connection.fetch(KNOWN_WINDOWS, program_id)}
        for board in await list_boards(connection, program_id=program_id):
            if board.id in windows:
                known: frozenset[date] = frozenset(windows[board.id]["known"])
                due = due_windows(board, first=windows[board.id]["first"], now=now)
                await _add(connection, board, [window for window in due if window.window_start not in known])
        return await _move(connection, program_id, now)


async def _add(connection: Connection, board: BoardRow, windows: Sequence[SeasonWindow]) -> None:
    if windows:
        keys = [window.key for window in windows]
        starts = [window.window_start for window in windows]
        bounds = [window.starts_at for window in windows], [window.ends_at for window in windows]
        await connection.execute(ADD_SEASONS, board.program_id, board.id, keys, starts, *bounds)


async def _move(connection: Connection, program_id: int, now: datetime) -> set[int]:
    moves = []
    for view in await seasons_in(connection, program_id=program_id, states=UNFINISHED):
        target = due_state(view.season, filled=view.board.filled, now=now)
        if target is not view.season.state:
            moves.append((view.season.id, view.season.state.value, target.value))
    if not moves:
        return set()
    rows = await connection.fetch(MOVE, program_id, *map(list, zip(*moves, strict=True)))
    failpoints.reach("seasons.moved")
    return {row["leaderboard_id"] for row in rows}


async def _close(view: BoardView, now: datetime) -> bool:
    """Freeze and close one season; False where another process is at it or was first."""
    async with transaction() as connection:
        if await connection.fetchval(LOCK, view.board.program_id, view.season.id) is None:
            return False
        await freeze(connection, board=view.board, season=view.season)
        failpoints.reach("seasons.frozen")
        await connection.execute(CLOSE, view.board.program_id, view.season.id, now)
        return True
