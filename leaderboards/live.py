"""The live feed of boards: a snapshot first, then each change, coalesced.

Whoever changes what a board shows announces it after the write; the word itself carries nothing, so that hearing it
twice, late or not at all is harmless. Per process and (board, group) one task listens, reads the top once per change
and shares it with all who watch: 2,000 subscribers cost one read. A watcher that is slow skips to the newest.

After a loss of Redis, and every few seconds whatever was heard, the top is read again: a change that nobody heard of,
and one that only the database knows because Redis is away, is shown that much later.
"""

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import base.feed
from base.database import reading
from base.errors import NotFound
from leaderboards.queries import BoardView, Standing, find_leaderboard, top

COALESCED_SECONDS: Final = 0.25
"""What changes within this time after a reading is shown by one next reading."""

REFRESHED_SECONDS: Final = 5.0
"""How long a change that nobody heard of stays unseen."""

MOST_WATCHED: Final = 100
"""Rows of a board that can be watched; all are read together."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BoardChange:
    """The top of a board as it is now. `snapshot` where changes before it may have been missed."""

    snapshot: bool
    provisional: bool
    top: tuple[Standing, ...]
    view: BoardView


def announce(leaderboard_ids: Iterable[int]) -> None:
    """Tell all processes that these boards show something else now."""
    feed = base.feed.connected()
    for leaderboard_id in leaderboard_ids:
        feed.publish(_channel(leaderboard_id), b"changed")


async def changes(
    *, program_id: int, key: str, first: int = 10, group: str = ""
) -> AsyncGenerator[BoardChange, None]:
    """The top `first` of a board: a snapshot, then each change of it, for as long as it is iterated.

    It follows the board into its next season. NotFound where there is no such board; at most 100 rows.
    """
    async with reading() as connection:
        view = await find_leaderboard(connection, program_id=program_id, key=key)
    if view is None:
        raise NotFound(f"there is no leaderboard {key!r}", field=("key",))
    watch = _join(_Key(program_id, view.board.id, key, group))
    seen, told = 0, None
    try:
        while True:
            state = await watch.after(seen)
            snapshot = told is None or state.gaps > told[1]
            content = (state.top[:first], state.provisional, state.view.season.id)
            seen = state.number
            if snapshot or told is None or content != told[0]:
                told = (content, state.gaps)
                yield BoardChange(snapshot, state.provisional, state.top[:first], state.view)
    finally:
        _leave(watch)


@dataclass(frozen=True, slots=True)
class _Key:
    program_id: int
    leaderboard_id: int
    key: str
    group: str


@dataclass(frozen=True, slots=True)
class _State:
    """One reading: the `number`-th, after so many losses of the connection."""

    number: int
    gaps: int
    provisional: bool
    top: tuple[Standing, ...]
    view: BoardView


class _Watch:
    """One board and group, read once for all who watch it."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.watchers = 0
        self._state: _State | None = None
        self._gaps = 0
        self._changed = asyncio.Event()
        self._heard = asyncio.Event()
        # A context of its own: the caller's may hold a transaction's connection.
        self.task = asyncio.create_task(self._run(), context=contextvars.Context())

    async def after(self, seen: int) -> _State:
        """The newest reading, once there is one after the `seen`-th."""
        while self._state is None or self._state.number <= seen:
            await self._changed.wait()
        return self._state

    async def _run(self) -> None:
        async with base.feed.connected().listening(_channel(self.key.leaderboard_id)) as heard:
            listening = asyncio.create_task(self._listen(heard))
            try:
                # Not for ever: redis-py may swallow the cancellation that ends this task.
                while self.watchers:
                    self._heard.clear()
                    await self._read()
                    await asyncio.sleep(COALESCED_SECONDS)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(REFRESHED_SECONDS - COALESCED_SECONDS):
                            await self._heard.wait()
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, heard: AsyncIterator[bytes]) -> None:
        async for word in heard:
            if word == base.feed.GAP:
                self._gaps += 1
            self._heard.set()

    async def _read(self) -> None:
        """Read the top, and wake all who watch. Where the database is away, the next reading tries again."""
        try:
            async with reading() as connection:
                view = await find_leaderboard(connection, program_id=self.key.program_id, key=self.key.key)
                assert view is not None, "boards are not deleted"
                gaps = self._gaps
                page = await top(connection, view, first=MOST_WATCHED, group=self.key.group)
        except Exception:
            log.exception("the board %s could not be read", self.key.key)
            return
        number = 1 if self._state is None else self._state.number + 1
        self._state = _State(number, gaps, page.provisional, page.standings, view)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


_watches: dict[_Key, _Watch] = {}


def _join(key: _Key) -> _Watch:
    watch = _watches.get(key)
    if watch is None or watch.task.done():
        watch = _watches[key] = _Watch(key)
    watch.watchers += 1
    return watch


def _leave(watch: _Watch) -> None:
    watch.watchers -= 1
    if watch.watchers == 0:
        if _watches.get(watch.key) is watch:
            del _watches[watch.key]
        watch.task.cancel()


def _channel(leaderboard_id: int) -> str:
    return f"mitra:board:{leaderboard_id}"
