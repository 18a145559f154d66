"""Ingest: activities a second through the pipeline, against the very rows of that run written again without Mitra."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

import base.database
from base.clock import SystemClock
from base.memory import relax_collector
from bench.door import Door
from bench.recording import RecordingConnection, recorder
from bench.world import World, build, now, sales
from game.pipeline import record
from ops.migrate import migrate

KEY: Final = "bench"
BATCH: Final = 1_000
WARM_UP: Final = 3
BATCHES: Final = 12
SINGLES: Final = 400
SINGLES_WARM_UP: Final = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the report: Mitra's rate and the floor's, in activities a second."""

    name: str
    mitra: float
    floor: float
    target: float
    remark: str


async def create(url: str, name: str, *, template: str | None = None) -> str:
    """A database of that name beside the one at `url`; its URL."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(
            f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")
        )
    finally:
        await connection.close()
    return swap(url, name)


def swap(url: str, name: str) -> str:
    """The same server, another database."""
    head, _, query = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


async def measure(url: str) -> list[Row]:
    """Both ingest rows."""
    mitra_url = await create(url, "bench")
    await migrate(mitra_url)
    AsyncpgDBClient.connection_class = RecordingConnection
    relax_collector()  # as every process does that works
    await base.database.connect(mitra_url)
    world = await build(KEY, now=now())
    await base.database.close()
    floor_url = await create(url, "bench_floor", template="bench")
    await base.database.connect(mitra_url)
    try:
        return [await _batches(world, floor_url), await _singles(floor_url, world)]
    finally:
        await base.database.close()


async def _batches(world: World, floor_url: str) -> Row:
    feed = [sales(world, BATCH, seed=n) for n in range(WARM_UP + BATCHES)]
    recorder.start()
    for batch in feed[:WARM_UP]:
        await _record(world, batch)
    started = time.perf_counter()
    for batch in feed[WARM_UP:]:
        await _record(world, batch)
    mitra = BATCHES * BATCH / (time.perf_counter() - started)
    rows = recorder.rows() / (BATCH * len(feed))
    floor = await _replay(floor_url, warm_up=WARM_UP)
    remark = f"{rows:.1f} rows per activity, batches of {BATCH:,}, one process"
    return Row("ingest", mitra, floor * BATCH, 0.5, remark)


async def _singles(floor_url: str, world: World) -> Row:
    feed = sales(world, SINGLES_WARM_UP + SINGLES, seed=1_000_000)
    door = Door(KEY)
    recorder.start()
    for one in feed[:SINGLES_WARM_UP]:
        assert await door.record([one]) == ["RECORDED"]
    times = []
    for one in feed[SINGLES_WARM_UP:]:
        started = time.perf_counter()
        assert await door.record([one]) == ["RECORDED"]
        times.append(time.perf_counter() - started)
    floor = await _replay(floor_url, warm_up=SINGLES_WARM_UP)
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    remark = f"p50 {p50 * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms ({p99 / p50:.1f} ×)"
    return Row("one activity through GraphQL", SINGLES / sum(times), floor, 0.35, remark)


async def _record(world: World, activities: Sequence[Any]) -> None:
    outcomes = await record(program_id=world.program_id, activities=activities, clock=SystemClock())
    assert all(one.status == "RECORDED" for one in outcomes), outcomes


async def _replay(url: str, *, warm_up: int) -> float:
    """Write what was recorded again, a transaction each, on one connection; transactions a second after the warm-up."""
    recorder.on = False
    transactions = [one for one in recorder.transactions if one]
    connection = await asyncpg.connect(url)
    try:
        for writes in transactions[:warm_up]:
            await _write(connection, writes)
        started = time.perf_counter()
        for writes in transactions[warm_up:]:
            await _write(connection, writes)
        return (len(transactions) - warm_up) / (time.perf_counter() - started)
    finally:
        await connection.close()


async def _write(connection: Any, writes: Sequence[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
    async with connection.transaction():
        for method, args, kwargs in writes:
            await getattr(connection, method)(*args, **kwargs)


if __name__ == "__main__":
    import sys

    for row in asyncio.run(measure(sys.argv[1])):
        print(row, row.mitra / row.floor)
