"""What the pipeline, the relay and the ticks count, and what stands on their lines."""

import asyncio
from collections.abc import Sequence

import pytest

from base.database import Connection, transaction
from base.outbox import OutboxRow, register
from base.settings import Settings
from base.telemetry import registry
from game.timing import STAGES
from ops import scheduler, worker
from ops.scheduler import Tick
from tests.lines import captured
from tests.world import line, make_world, sale


def value(name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def outcomes() -> dict[str, float]:
    return {
        one: value("mitra_activities_total", outcome=one) for one in ("recorded", "duplicate", "rejected")
    }


async def test_activities_are_counted_by_what_became_of_them(database: None) -> None:
    world = await make_world()
    before, lines = outcomes(), value("mitra_activity_lines_total")
    first = sale("x1", "shop", [line("tea"), line("tea")])
    await world.record(first, sale("x2", "nobody"))
    await world.record(first)
    after = outcomes()
    assert {name: after[name] - before[name] for name in after} == {
        "recorded": 1.0,
        "duplicate": 1.0,
        "rejected": 1.0,
    }
    assert value("mitra_activity_lines_total") == lines + 2


async def test_a_batch_is_timed_in_all_its_stages(database: None) -> None:
    world = await make_world()
    counts = {stage: value("mitra_batch_seconds_count", stage=stage) for stage in STAGES}
    sums = {stage: value("mitra_batch_seconds_sum", stage=stage) for stage in STAGES}
    await world.record(sale("x1", "shop"))
    for stage in STAGES:
        assert value("mitra_batch_seconds_count", stage=stage) == counts[stage] + 1, stage
    spent = {stage: value("mitra_batch_seconds_sum", stage=stage) - sums[stage] for stage in STAGES}
    assert all(seconds > 0 for seconds in spent.values())
    assert spent.pop("total") == pytest.approx(sum(spent.values()))


async def test_what_is_undone_is_not_counted(database: None) -> None:
    world = await make_world()
    before = outcomes()

    async def refuse(_: Connection, __: object) -> None:
        raise ZeroDivisionError

    from game.pipeline import record

    with pytest.raises(ZeroDivisionError):
        await record(
            program_id=world.program_id, activities=[sale("x1", "shop")], clock=world.clock, settle=refuse
        )
    assert outcomes() == before


async def test_the_relays_lines_name_their_consumer(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = "of-a-test-that-fails"
    stop = asyncio.Event()
    world = await make_world()

    async def fail(_: Connection, rows: Sequence[OutboxRow]) -> None:
        stop.set()
        raise ZeroDivisionError

    await register(consumer)
    failures = value("mitra_relay_failures_total", consumer=consumer)
    try:
        await world.record(sale("x1", "shop"))
        monkeypatch.setattr(worker, "consumers", lambda *_: {consumer: fail})
        running = worker.Worker(Settings(), world.clock)
        with captured() as lines:
            async with asyncio.timeout(20):
                await running.run(stop)
    finally:
        async with transaction() as connection:
            await connection.execute("DELETE FROM outbox_cursor WHERE consumer = $1", consumer)
    said = [one for one in lines.all() if one["logger"] == "ops.worker"]
    assert {one["consumer"] for one in said} == {consumer}
    assert all("request_id" not in one for one in said)
    assert value("mitra_relay_failures_total", consumer=consumer) == failures + 1


async def test_a_ticks_lines_name_it() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    failures = value("mitra_tick_failures_total", tick="of-a-test")
    with captured() as lines:
        await scheduler._run(Tick("of-a-test", 1, fail), set())
    (said,) = lines.all()
    assert (said["tick"], said["level"]) == ("of-a-test", "error")
    assert said["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert value("mitra_tick_failures_total", tick="of-a-test") == failures + 1
    assert value("mitra_tick_seconds_count", tick="of-a-test") >= 1
