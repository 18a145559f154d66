"""How long the books take to prove: each invariant of the ledger over a million entries, against bare passes."""

import time
from typing import Final

import base.database
from base.database import reading
from bench.databases import create_migrated
from bench.ingest import build_at
from bench.past import fill
from bench.report import Row
from ops.audit.books import BOOKS

ENTRIES: Final = 1_000_000
"""How many there are at least."""
LINES: Final = 900_000
"""Lines of sales that come to so many, and some."""
COUNT: Final = "SELECT count(*) FROM ledger_entry WHERE program_id = $1"
PASS: Final = "SELECT count(*), sum(amount) FROM ledger_entry WHERE program_id = $1"


class Broken(Exception):
    """The books do not hold, or hold too little: what was measured is worth nothing."""


async def measure(url: str) -> Row:
    """Seconds of all invariants of the books, against as many bare passes over the entries. Raises `Broken`."""
    created = await create_migrated(url, "bench_audit")
    world = await build_at(created)
    await fill(created, world, lines=LINES)
    await base.database.connect(created)
    try:
        async with reading() as connection:
            entries = await connection.fetchval(COUNT, world.program_id)
            if entries < ENTRIES:
                raise Broken(f"{entries:,} entries, and {ENTRIES:,} are wanted")
            await connection.fetchrow(PASS, world.program_id)
            started = time.perf_counter()
            await connection.fetchrow(PASS, world.program_id)
            bare = time.perf_counter() - started
        taken: dict[str, float] = {}
        for check in BOOKS:
            started = time.perf_counter()
            finding = await check.look(world.program_id)
            taken[check.name] = time.perf_counter() - started
            if finding.violations:
                raise Broken(f"{check.name}: {finding.offending}")
    finally:
        await base.database.close()
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in taken.items())
    remark = f"{entries:,} entries; against {len(BOOKS)} bare passes over them; seconds by invariant: {told}"
    return Row("audit of the books", sum(taken.values()), bare * len(BOOKS), "seconds", "—", remark)
