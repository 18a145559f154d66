"""That the test database is what `mitra migrate` makes, and that the service runs in it as its own role."""

import asyncio
import os

import asyncpg
import pytest
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector

import base.database
from base.redis import Client
from ops.errors import OperatorError
from ops.migrate import CONFIG, known, migrate, pending
from tests.servers import ROLE


async def test_nothing_is_pending_after_migrating(database_url: str) -> None:
    assert known()
    assert await pending(database_url) == []
    assert await migrate(database_url, role=ROLE) == []


async def test_the_migrations_make_what_the_models_say() -> None:
    async with TortoiseContext() as context:
        await context.init(config=CONFIG, init_connections=False)
        assert context.apps is not None
        changes = await MigrationAutodetector(context.apps, CONFIG["apps"]).changes()
        assert [operation for writer in changes for operation in writer.operations] == []


async def test_two_that_migrate_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    first, second = await asyncio.gather(*(migrate(empty_database_url, role=ROLE) for _ in range(2)))
    assert sorted([first, second]) == [[], known()]
    assert await pending(empty_database_url) == []


async def test_an_empty_database_lacks_everything(empty_database_url: str) -> None:
    assert await pending(empty_database_url) == known()


async def test_a_migration_that_fails_leaves_nothing_of_itself(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute("CREATE VIEW tier AS SELECT 1")  # in the way of the first migration
        with pytest.raises(Exception, match="already exists"):
            await migrate(empty_database_url, role=ROLE)
        left = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert [row["tablename"] for row in left] == ["tortoise_migrations"]
        assert await pending(empty_database_url) == known()
    finally:
        await connection.close()


async def test_a_user_who_may_not_make_roles_is_told_what_to_do(
    database_url: str, empty_database_url: str
) -> None:
    user = f"plain_{os.getpid()}"  # roles are the whole server's
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"CREATE ROLE {user} LOGIN")
        try:
            plain = empty_database_url.replace("//mitra@", f"//{user}@")
            with pytest.raises(OperatorError, match='CREATE ROLE "another_service"') as caught:
                await migrate(plain, role="another_service")
            assert "\n" not in str(caught.value)
        finally:
            await connection.execute(f"DROP ROLE {user}")
    finally:
        await connection.close()


async def test_the_service_runs_as_its_own_role(database: None) -> None:
    async with base.database.reading() as connection:
        assert await connection.fetchval("SELECT current_user") == ROLE


async def test_redis_is_empty_at_the_start_of_a_test(redis: Client) -> None:
    assert await redis.execute_command("DBSIZE") == 0
    await redis.set("left", 1)


async def test_redis_is_empty_at_the_start_of_the_next_test(redis: Client) -> None:
    assert await redis.execute_command("DBSIZE") == 0
