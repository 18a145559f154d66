"""SIGKILL in the middle of the demo's load: a second start completes it, and nothing is lost or counted twice."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import pytest

from ops.embedded import EmbeddedServers
from tests.command import Mitra, Running
from tests.servers import ROLE, migrated_database
from tests.world import EVERYTHING

SECONDS: Final = 180.0
WEEKS: Final = ("--weeks", "1")

CONFIGURED: Final = "SELECT EXISTS (SELECT FROM mission)"
RECORDED: Final = "SELECT EXISTS (SELECT FROM activity)"


@pytest.fixture
async def databases(servers: EmbeddedServers) -> AsyncIterator[list[str]]:
    """Two migrated databases with nothing in them, by their URLs."""
    async with migrated_database(servers.database_url) as one, migrated_database(servers.database_url) as two:
        yield [one, two]


async def kill_when(condition: str, url: str, running: Running) -> None:
    """SIGKILL the process as soon as the condition holds in the database."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(SECONDS):
            while not await connection.fetchval(condition):
                assert running.process.poll() is None, running.output
                await asyncio.sleep(0.005)
    finally:
        await connection.close()
    assert running.stop(signal.SIGKILL) == -signal.SIGKILL


async def everything(url: str) -> dict[str, list[str]]:
    """All that came of the load, without ids."""
    connection = await asyncpg.connect(url)
    try:
        program_id = await connection.fetchval("SELECT id FROM program")
        found = {}
        for name, query in EVERYTHING.items():
            rows = await connection.fetch(query, program_id)
            found[name] = sorted(repr(tuple(row)) for row in rows)
        return found
    finally:
        await connection.close()


async def test_a_killed_load_is_completed_and_equals_an_undisturbed_one(
    mitra: Mitra, databases: list[str], redis_url: str
) -> None:
    killed, undisturbed = (
        {"MITRA_DATABASE_URL": url, "MITRA_DATABASE_ROLE": ROLE, "MITRA_REDIS_URL": redis_url}
        for url in databases
    )

    def run(*arguments: str, **environment: str) -> Any:
        return asyncio.to_thread(mitra.run, *arguments, **environment)

    whole = asyncio.create_task(run("demo", *WEEKS, **undisturbed))
    for condition in (CONFIGURED, RECORDED):
        await kill_when(condition, databases[0], mitra.start("demo", *WEEKS, **killed))
    halfway = await everything(databases[0])
    assert len(halfway["activities"]) == 1_000, "one batch is there, whole"

    completed = await run("demo", *WEEKS, **killed)
    assert completed.returncode == 0, completed.stderr
    assert "lines recorded" in completed.stdout
    assert (await whole).returncode == 0, whole.result().stderr
    assert await everything(databases[0]) == await everything(databases[1])

    audited = await run("audit", "--replay", **killed)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "invariants hold" in audited.stdout
