"""`mitra audit`: a table, and exit status 1 where an invariant is broken, 0 where all hold."""

import asyncio
import re

import asyncpg
import pytest

from base.database import reading
from tests.command import Mitra
from tests.world import make_world, sale

pytestmark = pytest.mark.usefixtures("database", "redis")

CORRUPT = "UPDATE wallet SET available = available + 1 WHERE program_id = $1"


async def test_a_broken_book_ends_it_with_1_and_names_the_place(
    mitra: Mitra, database_url: str, redis_url: str
) -> None:
    world = await make_world(("shop",))
    await world.earn(amount=1)
    await world.accept(sale("x1", "shop"))
    async with reading() as connection:
        key = await connection.fetchval("SELECT key FROM program WHERE id = $1", world.program_id)
    urls = {"MITRA_DATABASE_URL": database_url, "MITRA_REDIS_URL": redis_url}

    sound = await asyncio.to_thread(mitra.run, "audit", "--replay", "--program", key, **urls)
    assert (sound.returncode, sound.stderr) == (0, "")
    assert re.match(r"All \d+ invariants hold", sound.stdout.splitlines()[-1])

    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(CORRUPT, world.program_id)
    finally:
        await owner.close()
    broken = await asyncio.to_thread(mitra.run, "audit", "--program", key, **urls)
    assert broken.returncode == 1
    assert "each bucket of a wallet is the sum of its entries" in " ".join(broken.stdout.split())
    assert "invariants are broken" in broken.stdout
