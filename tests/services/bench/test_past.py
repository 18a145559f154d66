"""The past that the benchmark fills by SQL is one that the pipeline could have written."""

from dataclasses import replace

import pytest

import bench.world
from base.clock import SystemClock
from base.database import reading
from bench.past import DAYS, GAP, fill
from bench.world import LINES, build, now, sales
from game.pipeline import record
from tests.invariants import check_audit

PARTNERS = 400
ROWS = 6_000
GUARDS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text !~ '^pg_' ORDER BY 1, 2, 3
"""


async def test_a_filled_past_is_true_and_goes_on(
    database: None, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.world, "PARTNERS", PARTNERS)
    world = replace(await build("past", now=now()), partners=PARTNERS + 50)
    async with reading() as connection:
        guards = await connection.fetch(GUARDS)

    await fill(database_url, world, lines=ROWS)

    async with reading() as connection:
        assert await connection.fetch(GUARDS) == guards
        row = await connection.fetchrow(
            "SELECT count(*), min(occurred_at), max(occurred_at) FROM activity WHERE program_id = $1",
            world.program_id,
        )
        levels = await connection.fetchval(
            "SELECT count(*) FROM tier_standing WHERE program_id = $1", world.program_id
        )
    assert row is not None
    count, first, last = row
    assert count == ROWS // LINES
    assert (last - first).days == DAYS - 1
    assert last <= world.began_at - GAP
    assert levels > 0
    await check_audit(world.program_id)

    outcomes = await record(
        program_id=world.program_id, activities=sales(world, 200, seed=1), clock=SystemClock()
    )
    assert {one.status for one in outcomes} == {"RECORDED"}
    await check_audit(world.program_id)
