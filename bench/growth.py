"""Growth: the ingest rate beside a long past, against the rate beside a short one.

Two databases of one server, the same configuration in both, a process each. They take turns, a batch each; whatever the
machine does meanwhile meets both.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.databases import create_migrated
from bench.ingest import BATCH, UNIT, build_at
from bench.past import BYTES_PER_LINE, LOG_BYTES, fill
from bench.report import Row
from bench.world import PARTNERS, World
from bench.writer import Feed, WriterProcess

WARM_UP: Final = 3
BATCHES: Final = 12


@dataclass(frozen=True, slots=True)
class Size:
    """How much is there already."""

    partners: int
    lines: int

    def __str__(self) -> str:
        return f"{self.partners:,} partners and {self.lines:,} lines"


SMALL: Final = Size(PARTNERS, 500_000)
GROWN: Final = Size(200_000, 5_000_000)
FULL: Final = Size(1_000_000, 20_000_000)


class DiskFull(Exception):
    """There is not enough room for the past."""


async def measure(url: str, *, folder: Path, size: Size, tell: Callable[[str], None]) -> Row:
    """The rate at `size` against the rate at `SMALL`. Raises `DiskFull` before anything is written."""
    needed = BYTES_PER_LINE * (size.lines + SMALL.lines) + LOG_BYTES
    free = shutil.disk_usage(folder).free
    tell(
        f"{size}: needs {needed / 2**30:.0f} GiB of disk while it is filled, {free / 2**30:.0f} GiB are free"
    )
    if free < needed:
        raise DiskFull(f"{folder} has {free / 2**30:.0f} GiB free, and {needed / 2**30:.0f} GiB are needed")
    worlds = [await _prepare(url, one, tell) for one in (SMALL, size)]
    processes = [WriterProcess(*one) for one in worlds]
    spent = [0.0, 0.0]
    try:
        for turn in range(WARM_UP + BATCHES):
            for place, process in enumerate(processes):
                await process.call("draw", Feed(1, BATCH, seed=turn))
                seconds = await process.call("write")
                spent[place] += seconds if turn >= WARM_UP else 0
    finally:
        for process in processes:
            await process.close()
    small, grown = (BATCH * BATCHES / seconds for seconds in spent)
    remark = f"{size}, against {SMALL}; a batch each in turns"
    return Row("growth of ingest", grown, small, UNIT, "≥ 0.8", remark)


async def _prepare(url: str, size: Size, tell: Callable[[str], None]) -> tuple[World, str]:
    """A world of that size in a database of its own."""
    created = await create_migrated(url, f"bench_{size.partners}")
    world = replace(await build_at(created), partners=size.partners)
    started = time.perf_counter()
    await fill(created, world, lines=size.lines)
    tell(f"{size} filled in {time.perf_counter() - started:,.0f} s")
    return world, created
