"""The gauges that are read from the database, and a database that does not answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client.metrics_core import Metric

import ops.watch.readings
from base import outbox
from base.database import reading, transaction
from ops.watch.readings import NAME, UP, Readings
from tests.servers import ROLE
from tests.world import make_world, sale

SECONDS = 20.0


async def wait_for(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110  # another process's state has no event
            await asyncio.sleep(0.02)


def value(families: list[Metric], name: str, **labels: str) -> float | None:
    for family in families:
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


@asynccontextmanager
async def kept(url: str, *, address: str = "") -> AsyncIterator[Readings]:
    """Readings with their connection held, and read anew each time."""
    stop = asyncio.Event()
    readings = Readings(url, role=ROLE, address=address)
    keeping = asyncio.create_task(readings.keep(stop))
    try:
        yield readings
    finally:
        stop.set()
        await keeping


@pytest.fixture
def unheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is asked anew."""
    monkeypatch.setattr(ops.watch.readings, "HELD_SECONDS", -1.0)


async def is_up(readings: Readings) -> bool:
    return value(await readings.families(), UP[0]) == 1.0


async def test_how_far_a_consumer_is_behind(database: None, database_url: str, unheld: None) -> None:
    consumer = f"of-a-test-{uuid4().hex[:8]}"
    world = await make_world()
    async with kept(database_url) as readings:
        await wait_for(lambda: is_up(readings))
        await outbox.register(consumer)
        try:
            async with transaction() as connection:
                await connection.execute(
                    "UPDATE outbox_cursor SET xid = pg_current_xact_id(), id = 0 WHERE consumer = $1",
                    consumer,
                )
            before = await readings.families()
            assert value(before, "mitra_relay_rows_behind", consumer=consumer) == 0
            assert value(before, "mitra_relay_lag_seconds", consumer=consumer) == 0
            await world.record(sale("x1", "shop"))
            await world.record(sale("x2", "shop"))
            behind = await readings.families()
            assert value(behind, "mitra_relay_rows_behind", consumer=consumer) == 2
            first = value(behind, "mitra_relay_lag_seconds", consumer=consumer)
            assert first is not None
            assert first > 0
            later = value(await readings.families(), "mitra_relay_lag_seconds", consumer=consumer)
            assert later is not None
            assert later > first
            assert value(behind, "mitra_relay_rows_parked", consumer=consumer) == 0
            assert (value(behind, "mitra_outbox_rows") or 0) >= 2
        finally:
            async with transaction() as connection:
                await connection.execute("DELETE FROM outbox_cursor WHERE consumer = $1", consumer)


async def test_every_gauge_can_be_read(database: None, database_url: str, unheld: None) -> None:
    """No statement among them fails, and none of them asks for a table that is not there."""
    async with kept(database_url) as readings:
        await wait_for(lambda: is_up(readings))
        names = {family.name for family in await readings.families()}
    assert names == {UP[0]} | {name for one in ops.watch.readings.READINGS for name, _ in one.gauges}


async def test_a_database_without_the_tables_is_up_all_the_same(
    empty_database_url: str, unheld: None
) -> None:
    stop = asyncio.Event()
    readings = Readings(empty_database_url, role=None, address="")
    keeping = asyncio.create_task(readings.keep(stop))
    await wait_for(lambda: is_up(readings))
    assert [family.name for family in await readings.families()] == [UP[0]]
    stop.set()
    await keeping


async def test_whoever_asks_within_a_second_gets_the_same(database: None, database_url: str) -> None:
    async with kept(database_url) as readings:
        await wait_for(lambda: is_up(readings))
        first, second = await asyncio.gather(readings.families(), readings.families())
        assert first is second


async def test_a_database_that_is_away_costs_its_gauges_only() -> None:
    began = monotonic()
    async with kept("postgresql://nobody@127.0.0.1:1/nothing") as readings:
        families = await readings.families()
    assert value(families, UP[0]) == 0.0
    assert len(families) == 1
    assert monotonic() - began < SECONDS


async def test_a_database_that_hangs_does_not_hold_the_page(
    database: None, database_url: str, unheld: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops.watch.readings, "ANSWER_SECONDS", 0.5)
    async with kept(database_url) as readings:
        await wait_for(lambda: is_up(readings))
        async with transaction() as connection:
            await connection.execute("LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE")
            began = monotonic()
            assert value(await readings.families(), UP[0]) == 0.0
            assert monotonic() - began < SECONDS
        await wait_for(lambda: is_up(readings))


async def test_a_lost_connection_is_opened_again(database: None, database_url: str, unheld: None) -> None:
    address = f"127.0.0.1:{uuid4().int % 50_000}"
    async with kept(database_url, address=address) as readings:
        await wait_for(lambda: is_up(readings))
        connection = await asyncpg.connect(database_url)
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
        assert await connection.fetchval(ended, f"{NAME} {address}")
        await connection.close()
        await wait_for(lambda: is_up(readings))


async def test_a_long_address_is_not_cut_off() -> None:
    readings = Readings("", role=None, address=f"{'a' * 60}:9464")
    assert readings._name == NAME


async def test_the_readings_are_bound_to_no_program(database: None) -> None:
    """They are the operator's; a program's name or id stands on none."""
    async with reading() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    labels = {label for one in ops.watch.readings.READINGS for label in one.labels}
    assert labels == {"consumer", "entrypoint", "state"}
