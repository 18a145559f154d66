"""A process that writes: batches through the pipeline, and what they wrote again on a connection of its own, the floor.

In this process (`Writer`), or in one of its own (`WriterProcess`), which does what it is told over a pipe.
"""

import asyncio
import multiprocessing
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

import base.database
from activity.rules import ActivityInput
from base.clock import SystemClock
from base.memory import relax_collector
from bench.recording import RecordingConnection, Write, recorder
from bench.world import World, sales
from game.pipeline import record


@dataclass(frozen=True, slots=True)
class Feed:
    """Some batches of sales: how many of what size, drawn from which seed, over which share of the partners."""

    batches: int
    size: int
    seed: int
    share: tuple[int, int] = (0, 1)

    def draw(self, world: World) -> list[Sequence[ActivityInput]]:
        """The batches."""
        return [
            sales(world, self.size, seed=self.seed + place, share=self.share) for place in range(self.batches)
        ]


class Writer:
    """The pipeline on one database and, where there is one, its floor on a copy of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._drawn: list[Sequence[ActivityInput]] = []
        self._floor: Any = None

    async def open(self, url: str, floor_url: str | None = None, locks: bool = False) -> None:
        """Connect. With a floor, what is written is recorded; with `locks`, how its partners were locked too."""
        if floor_url is not None:
            AsyncpgDBClient.connection_class = RecordingConnection
            recorder.locks = locks
            self._floor = await asyncpg.connect(floor_url)
        relax_collector()  # as every process does that works
        await base.database.connect(url)

    async def close(self) -> None:
        """Disconnect."""
        await base.database.close()
        if self._floor is not None:
            await self._floor.close()

    async def draw(self, feed: Feed) -> None:
        """Have the next batches ready."""
        self._drawn = feed.draw(self._world)

    async def write(self) -> float:
        """Record what was drawn; the seconds it took."""
        if self._floor is not None:
            recorder.start()
        started = time.perf_counter()
        for activities in self._drawn:
            outcomes = await record(
                program_id=self._world.program_id, activities=activities, clock=SystemClock()
            )
            assert all(one.status == "RECORDED" for one in outcomes), outcomes
        seconds = time.perf_counter() - started
        recorder.on = False
        return seconds

    async def replay(self) -> float:
        """Write what the last `write` wrote again on the floor; the seconds it took."""
        return await replay(self._floor)


async def replay(connection: Any) -> float:
    """Write what is recorded again, a transaction each; the seconds it took."""
    transactions = [one for one in recorder.transactions if one]
    started = time.perf_counter()
    for writes in transactions:
        async with connection.transaction():
            for write in writes:
                await _again(connection, write)
    return time.perf_counter() - started


async def _again(connection: Any, write: Write) -> None:
    method, args, kwargs = write
    await getattr(connection, method)(*args, **kwargs)


class WriterProcess:
    """A `Writer` in a process of its own. Its calls answer when the other process has."""

    def __init__(self, world: World, url: str, floor_url: str | None = None, *, locks: bool = False) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, world, (url, floor_url, locks))
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    async def call(self, name: str, *args: Any) -> Any:
        """Have the writer's method called there; its answer. RuntimeError with its traceback where it failed."""
        self._pipe.send((name, args))
        failed, answer = await asyncio.to_thread(self._pipe.recv)
        if failed:
            raise RuntimeError(answer)
        return answer

    async def close(self) -> None:
        """End the process."""
        await self.call("close")
        self._pipe.close()
        await asyncio.to_thread(self._process.join)


def _serve(pipe: Pipe, world: World, opened: tuple[str, str | None, bool]) -> None:
    asyncio.run(_answer(pipe, Writer(world), opened))


async def _answer(pipe: Pipe, writer: Writer, opened: tuple[str, str | None, bool]) -> None:
    """Call what is asked for, until the other side is gone."""
    await writer.open(*opened)
    while True:
        try:
            name, args = await asyncio.to_thread(pipe.recv)
        except EOFError:
            return
        try:
            pipe.send((False, await getattr(writer, name)(*args)))
        except Exception:
            pipe.send((True, traceback.format_exc()))
