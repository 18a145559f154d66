"""`make bench`: prints each row of the targets that exists so far, floor and Mitra in one run."""

import asyncio
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from base.settings import Settings
from bench import ingest, world
from ops.embedded import embedded_servers


async def main() -> None:
    """Run every benchmark on servers of its own, with durable settings."""
    console = Console(highlight=False)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    console.print(
        f"{os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}, Python {platform.python_version()}; "
        f"embedded PostgreSQL 18, fsync and synchronous_commit on; `make bench`"
    )
    console.print(
        f"{world.PARTNERS:,} partners, {world.LINES} lines an activity, {world.RULES} earning rules, "
        f"{world.MISSIONS} live missions, {world.BOARDS} leaderboards, a ladder, 2 badges"
    )
    with tempfile.TemporaryDirectory(prefix="mitra-bench-") as folder:
        async with embedded_servers(Settings(data_dir=Path(folder))) as servers:
            rows = await servers.guard(ingest.measure(servers.database_url))
    table = Table("row", "Mitra /s", "floor /s", "ratio", "target", "remark")
    for row in rows:
        ratio = row.mitra / row.floor
        table.add_row(
            row.name,
            f"{row.mitra:,.0f}",
            f"{row.floor:,.0f}",
            f"{ratio:.2f}",
            f"≥ {row.target}",
            row.remark,
        )
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
