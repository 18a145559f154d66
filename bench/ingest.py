"""Ingest: activities a second through the pipeline, against the very rows of that run written again without Mitra.

Mitra and the floor take turns, a batch or an activity each, so that what else the machine does meets both.
"""

import asyncio
import statistics
import time
from typing import Final

import asyncpg

import base.database
from bench.databases import create, create_migrated
from bench.door import Door
from bench.recording import recorder
from bench.report import Row
from bench.world import World, build, now, sales
from bench.writer import Feed, Writer, WriterProcess, replay

KEY: Final = "bench"
UNIT: Final = "activities/s"
BATCH: Final = 1_000
WARM_UP: Final = 3
BATCHES: Final = 12
SINGLES: Final = 400
SINGLES_WARM_UP: Final = 50
ROUNDS: Final = 4
BATCHES_AT_ONCE: Final = 2


async def measure_one(url: str) -> Row:
    """Batches of 1,000 by one process."""
    world, mitra_url, floor_url = await prepare(url, "one")
    writer = Writer(world)
    await writer.open(mitra_url, floor_url)
    mitra, floor, rows = 0.0, 0.0, 0
    try:
        for turn in range(WARM_UP + BATCHES):
            await writer.draw(Feed(1, BATCH, seed=turn))
            times = (await writer.write(), await writer.replay())
            if turn >= WARM_UP:
                mitra, floor, rows = mitra + times[0], floor + times[1], rows + recorder.rows()
    finally:
        await writer.close()
    count = BATCH * BATCHES
    remark = f"{rows / count:.1f} rows an activity, batches of {BATCH:,}, one process; floor in turns with it"
    return Row("ingest", count / mitra, count / floor, UNIT, "≥ 0.5", remark)


async def measure_single(url: str) -> Row:
    """One activity at a time, through GraphQL."""
    world, mitra_url, floor_url = await prepare(url, "single")
    writer = Writer(world)
    await writer.open(mitra_url, floor_url)
    connection = await asyncpg.connect(floor_url)
    door = Door(KEY)
    times, floor = [], 0.0
    try:
        for place, one in enumerate(sales(world, SINGLES_WARM_UP + SINGLES, seed=1_000_000)):
            recorder.start()
            started = time.perf_counter()
            assert await door.record([one]) == ["RECORDED"]
            took = time.perf_counter() - started
            recorder.on = False
            again = await replay(connection)
            if place >= SINGLES_WARM_UP:
                times.append(took)
                floor += again
    finally:
        await connection.close()
        await writer.close()
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    spread = f"p50 {p50 * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms ({p99 / p50:.1f} ×, target ≤ 5 ×)"
    return Row(
        "one activity through GraphQL",
        SINGLES / sum(times),
        SINGLES / floor,
        UNIT,
        "≥ 0.35",
        f"{spread}; floor in turns with it",
    )


async def measure_two(url: str) -> list[Row]:
    """Batches of 1,000 by two processes at once: of partners of their own, then of the same partners."""
    world, mitra_url, floor_url = await prepare(url, "two")
    processes = [WriterProcess(world, mitra_url, floor_url, locks=True) for _ in range(2)]
    try:
        disjoint = await _rounds(processes, shares=[(0, 2), (1, 2)], seed=2_000_000)
        shared = await _rounds(processes, shares=[(0, 1), (0, 1)], seed=3_000_000)
    finally:
        for one in processes:
            await one.close()
    floor = "floor: two connections of two processes, with its locks, in turns with it"
    return [
        Row("ingest, two processes", *disjoint, UNIT, "≥ 0.5", f"partners of their own; {floor}"),
        Row("ingest, two processes", *shared, UNIT, "≥ 0.5", f"the same partners; {floor}"),
    ]


async def _rounds(
    processes: list[WriterProcess], *, shares: list[tuple[int, int]], seed: int
) -> tuple[float, float]:
    """Activities a second of all processes together, Mitra's and the floor's; the first round warms up."""
    spent = {"write": 0.0, "replay": 0.0}
    for turn in range(1 + ROUNDS):
        for place, (one, share) in enumerate(zip(processes, shares, strict=True)):
            first = seed + (turn * len(processes) + place) * BATCHES_AT_ONCE
            await one.call("draw", Feed(BATCHES_AT_ONCE, BATCH, first, share))
        for name in spent:
            started = time.perf_counter()
            await asyncio.gather(*(one.call(name) for one in processes))
            if turn:
                spent[name] += time.perf_counter() - started
    count = ROUNDS * BATCHES_AT_ONCE * BATCH * len(processes)
    return count / spent["write"], count / spent["replay"]


async def prepare(url: str, name: str) -> tuple[World, str, str]:
    """A world in a database of its own, and a copy of it for the floor."""
    mitra_url = await create_migrated(url, f"bench_{name}")
    world = await build_at(mitra_url)
    return world, mitra_url, await create(url, f"bench_{name}_floor", template=f"bench_{name}")


async def build_at(url: str) -> World:
    """A world in the database at `url`."""
    await base.database.connect(url)
    try:
        return await build(KEY, now=now())
    finally:
        await base.database.close()
