"""Connections that die under a transaction: one unit of work fails, and the next one in the same task goes on."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from base.database import reading, transaction
from base.outages import outage_of

pytestmark = pytest.mark.usefixtures("database")

DEAD = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

TURNS = 25
"""More than the pool holds: a connection that leaked each time would be missed."""

OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'mitra'
"""


async def end_all(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(OTHERS)
    finally:
        await connection.close()


async def one() -> int:
    async with transaction() as connection:
        return int(await connection.fetchval("SELECT 1"))


async def die(url: str) -> None:
    async with transaction() as connection:
        await connection.fetchval("SELECT 1")
        await end_all(url)
        await connection.fetchval("SELECT 1")


async def fail(url: str) -> None:
    async with transaction():
        await end_all(url)
        raise LookupError


async def goes_on() -> None:
    """The same task works again, as soon as the pool has dropped what died."""
    for _ in range(12):
        with suppress(*DEAD):
            assert await one() == 1
            async with reading() as connection:
                assert await connection.fetchval("SELECT 1") == 1
            return
    raise AssertionError("the pool holds on to dead connections")


async def test_a_pooled_connection_that_died_costs_one_transaction(database_url: str) -> None:
    await one()
    for _ in range(TURNS):
        await end_all(database_url)
        await goes_on()


async def test_a_connection_that_dies_inside_costs_its_transaction(database_url: str) -> None:
    for _ in range(TURNS):
        with pytest.raises(DEAD) as caught:
            await die(database_url)
        assert outage_of(caught.value) is not None, repr(caught.value)
        await goes_on()


async def test_an_error_of_the_work_is_the_error(database_url: str) -> None:
    """Also where the rollback fails because the connection is gone."""
    with pytest.raises(LookupError):
        await fail(database_url)
    await goes_on()


async def test_a_transaction_may_be_canceled_at_any_moment() -> None:
    """Its connection is given back, and nothing is left behind that complains."""
    loop, said = asyncio.get_running_loop(), list[dict[str, Any]]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: said.append(context))
    try:
        for turns in range(0, 900, 3):
            task = asyncio.create_task(one())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for _ in range(TURNS):
            assert await one() == 1
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    assert said == []
