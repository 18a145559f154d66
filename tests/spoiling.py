"""Rows that are spoiled behind the service's back, and what `mitra audit` finds of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from ops.audit.check import Finding
from ops.audit.checks import CHECKS
from tests.world import World

BY_NAME: Final = {check.name: check for check in CHECKS}

GUARDED_TABLES: Final = (
    "activity", "activity_line", "ledger_transaction", "ledger_entry", "lot_movement", "lot", "tier_change",
)  # fmt: skip
CONSTRAINTS: Final = """
SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = $1::text::regclass AND contype IN ('c', 'u') ORDER BY contype, conname
"""


async def look(world: World, name: str) -> Finding:
    """What one check finds."""
    return await BY_NAME[name].look(world.program_id)


@asynccontextmanager
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The tables' owner, for whom what is append-only is not."""
    connection = await asyncpg.connect(database_url)
    try:
        for table in GUARDED_TABLES:
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield connection
    finally:
        for table in GUARDED_TABLES:
            await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        await connection.close()


@asynccontextmanager
async def unguarded(connection: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """The table without its checks and uniques. The block leaves nothing that they would refuse."""
    found = await connection.fetch(CONSTRAINTS, table)
    for row in found:
        await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{row["conname"]}"')
    yield
    for row in found:
        await connection.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{row["conname"]}" {row["definition"]}')
