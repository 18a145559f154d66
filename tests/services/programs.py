"""Programs to test the configuration on, and what to say of a refusal."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import pytest
from tortoise import Tortoise

from base.database import reading
from base.errors import DomainError
from partners.queries import ProgramRow
from partners.service import ProgramInput, create_program

NOW: Final = datetime(2026, 11, 20, 8, tzinfo=UTC)

# In an order in which a row comes after what it refers to; each can be ordered by its id.
CONFIGURATION: Final = (
    "region",
    "partner",
    "segment",
    "product",
    "metric",
    "meter_series",
    "earning_rule",
    "tier_ladder",
    "tier",
    "mission",
    "objective",
    "badge",
    "outbox",
)

Refusal = tuple[str, tuple[str, ...]]


async def make_program(key: str | None = None) -> ProgramRow:
    """A program of its own, with the kinds of activities that every program has."""
    return await create_program(
        program=ProgramInput(key=key or f"program-{uuid.uuid4()}", name="Harbour Foods"), now=NOW
    )


async def rows(query: str, *arguments: object) -> list[asyncpg.Record]:
    """What a query answers."""
    async with reading() as connection:
        found: list[asyncpg.Record] = await connection.fetch(query, *arguments)
        return found


async def value(query: str, *arguments: object) -> object:
    """The first value that a query answers."""
    return (await rows(query, *arguments))[0][0]


async def config_version(program_id: int) -> object:
    """The version of the program's configuration."""
    return await value("SELECT config_version FROM program WHERE id = $1", program_id)


async def configuration(program_id: int) -> list[Sequence[object]]:
    """All that a program is configured with, to tell whether anything changed."""
    found: list[Sequence[object]] = [(await config_version(program_id),)]
    for table in CONFIGURATION:
        query = f"SELECT '{table}', t.* FROM {table} t WHERE program_id = $1 ORDER BY id"
        found += [tuple(row) for row in await rows(query, program_id)]
    return found


async def refused(call: Awaitable[object], *, program_id: int) -> Refusal:
    """The code and path with which `call` is refused. Nothing may have changed."""
    before = await configuration(program_id)
    with pytest.raises(DomainError) as caught:
        await call
    assert await configuration(program_id) == before
    return caught.value.code, caught.value.field


@asynccontextmanager
async def counted_statements() -> AsyncIterator[list[str]]:
    """The statements that the block sends, over all open connections of the pool."""
    sent: list[str] = []
    pool = Tortoise.get_connection("default")._pool
    async with AsyncExitStack() as stack:
        for holder in pool._holders:
            if holder._con is not None:
                stack.enter_context(holder._con.query_logger(lambda logged: sent.append(logged.query)))
        yield sent
    sent[:] = [query for query in sent if "pg_catalog" not in query]


# Whether some connection to this database waits for a row while it runs a statement like this one.
WAITING: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1
"""


@asynccontextmanager
async def another_transaction(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction on a connection of its own, committed where the block ends well."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def wait_for_lock(database_url: str, waiting: asyncio.Task[Any], statement: str) -> None:
    """Wait until `waiting` waits for a row in a statement like this one.

    Asked outside any transaction: inside one, the first answer would be the last.
    """
    connection = await asyncpg.connect(database_url)
    try:
        while not await connection.fetchval(WAITING, statement):
            assert not waiting.done()
    finally:
        await connection.close()
