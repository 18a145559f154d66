"""`make bench`: prints each row of the targets that exists so far, floor and Mitra in one run.

`python -m bench [ROW …]`: rows are ingest, single, two, import, audit, growth and growth-full; without one, all but
the last two, which fill a long past first.
"""

import argparse
import asyncio
import os
import platform
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from base.settings import Settings
from bench import auditing, growth, importing, ingest, world
from bench.report import Row, show
from ops.embedded import Servers, embedded_servers
from ops.embedded.holding import remove_local_data

ROWS: Final = ("ingest", "single", "two", "import", "audit", "growth", "growth-full")
BY_ITSELF: Final = frozenset({"growth", "growth-full"})
"""What takes so long that it is only done when it is named."""


async def main(names: list[str]) -> None:
    """Run the benchmarks on servers of their own, with durable settings."""
    console = Console(highlight=False)
    introduce(console)
    with tempfile.TemporaryDirectory(prefix="mitra-bench-") as folder:
        data_dir = Path(folder) / ".mitra"
        try:
            async with embedded_servers(Settings(data_dir=data_dir)) as servers:
                for name in names:
                    show(console, await servers.guard(measure(name, servers, Path(folder), console)))
        finally:
            remove_local_data(data_dir)  # as root its servers stand elsewhere


def introduce(console: Console) -> None:
    """Print what the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    console.print(
        f"{os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}, Python {platform.python_version()}; "
        f"embedded PostgreSQL 18, fsync and synchronous_commit on; load {os.getloadavg()[0]:.1f} at the start"
    )
    console.print(
        f"{world.PARTNERS:,} partners, {world.LINES} lines an activity, {world.RULES} earning rules, "
        f"{world.MISSIONS} live missions, {world.BOARDS} leaderboards, a ladder, 2 badges"
    )
    console.print("Mitra and its floor take turns in one run: others on this machine disturb both alike.")


async def measure(name: str, servers: Servers, folder: Path, console: Console) -> list[Row]:
    """The rows of that name."""
    url = servers.database_url
    match name:
        case "ingest":
            return [await ingest.measure_one(url)]
        case "single":
            return [await ingest.measure_single(url)]
        case "two":
            return await ingest.measure_two(url)
        case "import":
            return [await importing.measure(url, redis_url=servers.redis_url, folder=folder)]
        case "audit":
            return [await auditing.measure(url)]
        case "growth":
            return [await growth.measure(url, folder=folder, size=growth.GROWN, tell=console.print)]
        case _:
            return [await growth.measure(url, folder=folder, size=growth.FULL, tell=console.print)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Mitra against its floors.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    asked = parser.parse_args().rows
    unknown = sorted(set(asked) - set(ROWS))
    if unknown:
        parser.error(f"there is no row {unknown[0]}: rows are {', '.join(ROWS)}")
    asyncio.run(main(asked or [name for name in ROWS if name not in BY_ITSELF]))
