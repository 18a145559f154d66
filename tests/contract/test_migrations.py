"""That the test database is what `mitra migrate` makes, and that the service runs in it as its own role."""

import base.database
from base.redis import Client
from ops.migrate import known, migrate, pending
from tests.servers import ROLE


async def test_nothing_is_pending_after_migrating(database_url: str) -> None:
    assert known()
    assert await pending(database_url) == []
    assert await migrate(database_url, role=ROLE) == []


async def test_the_service_runs_as_its_own_role(database: None) -> None:
    async with base.database.reading() as connection:
        assert await connection.fetchval("SELECT current_user") == ROLE


async def test_redis_is_empty_at_the_start_of_a_test(redis: Client) -> None:
    assert await redis.execute_command("DBSIZE") == 0
    await redis.set("left", 1)


async def test_redis_is_empty_at_the_start_of_the_next_test(redis: Client) -> None:
    assert await redis.execute_command("DBSIZE") == 0
