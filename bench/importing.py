"""The peak memory of an import, of a file and of one ten times as long: `mitra import sales` in its own process."""

import asyncio
import csv
import os
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from bench.databases import create_migrated
from bench.ingest import build_at
from bench.report import Row
from bench.world import LINES, PRODUCTS, World

SHORT: Final = 20_000
"""Rows of the short file."""
TIMES: Final = 10

MAPPING: Final = """\
source = "bench"

[columns]
document = "Document"
date = "Date"
partner = "Customer"
sku = "Item"
quantity = "Pieces"
amount = "Amount"
"""


class ImportFailed(Exception):
    """The command did not take the file in."""


async def measure(url: str, *, redis_url: str, folder: Path) -> Row:
    """Peak resident memory of both imports, in MiB; the ratio should be near 1. Raises `ImportFailed`."""
    created = await create_migrated(url, "bench_import")
    world = await build_at(created)
    mapping = folder / "bench.toml"
    mapping.write_text(MAPPING)
    environment = {
        **os.environ,
        "MITRA_DATABASE_URL": created,
        "MITRA_REDIS_URL": redis_url,
        "MITRA_DATA_DIR": str(folder / "import"),
    }
    peaks = []
    for times in (1, TIMES):
        file = write_sales(folder / f"sales-{times}.csv", world, rows=SHORT * times, seed=times)
        peaks.append(await asyncio.to_thread(_import, file, mapping, environment))
        size = file.stat().st_size / 2**20
    remark = f"peak memory of a file of {SHORT * TIMES:,} rows, {size:.0f} MiB, against one of {SHORT:,} rows"
    return Row("memory of an import", peaks[1], peaks[0], "MiB", "near 1", remark)


def write_sales(file: Path, world: World, *, rows: int, seed: int) -> Path:
    """A CSV of `rows` lines of sales, five a document, in the order of time."""
    draw = random.Random(seed)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["Document", "Date", "Customer", "Item", "Pieces", "Amount"])
        for document in range(rows // LINES):
            at = world.began_at - timedelta(seconds=rows - document)
            partner = f"p{draw.randrange(world.partners)}"
            for _ in range(LINES):
                amount = f"{draw.randrange(100, 20_000) / 100:.2f}"
                item = f"s{draw.randrange(PRODUCTS)}"
                writer.writerow(
                    [f"{seed}-{document}", at.isoformat(), partner, item, draw.randrange(1, 12), amount]
                )
    return file


def _import(file: Path, mapping: Path, environment: dict[str, str]) -> float:
    """Run the command; the most memory that it held, in MiB."""
    command: list[str | Path] = [Path(sys.executable).with_name("mitra"), "import", "sales", file]
    command += ["--mapping", mapping]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        told = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ImportFailed(f"mitra import sales ended with {process.returncode}: {told.strip()[-2_000:]}")
    return usage.ru_maxrss / 1024
