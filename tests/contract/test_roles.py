"""What the role of the service may: read and write, but neither change what is append-only nor any table's shape."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ops.migrate import known, migrate
from tests.servers import ROLE

APPEND_ONLY = (
    "activity",
    "activity_line",
    "ledger_entry",
    "ledger_transaction",
    "hold_lot",
    "lot_movement",
    "partner_calendar",
    "past_review",
    "tier_change",
    "tier_mark",
    "tier_review",
)
RIGHTS = """
SELECT c.relname AS name, array_agg(p ORDER BY p) FILTER (WHERE has_table_privilege($1, c.oid, p)) AS may
FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) p
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY c.relname
"""
SHAPES = ("CREATE TABLE mine (id int)", "ALTER TABLE wallet ADD COLUMN more int", "DROP TABLE wallet",
          "ALTER TABLE ledger_entry DISABLE TRIGGER append_only", "CREATE FUNCTION f() RETURNS int RETURN 1",
          "CREATE ROLE another")  # fmt: skip


@asynccontextmanager
async def as_role(url: str, role: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the service."""
    connection = await asyncpg.connect(url, server_settings={"role": role})
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def new_role(url: str) -> AsyncIterator[str]:
    """The name of a role that is gone afterwards; a quote in it does no harm."""
    role = f'service "{secrets.token_hex(3)}"'
    yield role
    quoted = '"' + role.replace('"', '""') + '"'
    async with connected(url) as connection:
        if await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")


async def rights_of(url: str, role: str) -> dict[str, set[str]]:
    """What a role may with each table."""
    async with connected(url) as connection:
        return {row["name"]: set(row["may"] or ()) for row in await connection.fetch(RIGHTS, role)}


def expected(table: str) -> set[str]:
    """What the service may with a table."""
    if table == "tortoise_migrations":
        return {"SELECT"}
    return {"SELECT", "INSERT"} | (set() if table in APPEND_ONLY else {"UPDATE", "DELETE"})


async def test_the_service_may_read_and_write_and_change_nothing_that_is_append_only(
    database_url: str,
) -> None:
    found = await rights_of(database_url, ROLE)
    assert set(APPEND_ONLY) < set(found)
    assert found == {table: expected(table) for table in found}


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "change", ["UPDATE {0} SET program_id = 1", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"]
)
async def test_the_server_refuses_the_service_such_a_change(
    database_url: str, table: str, change: str
) -> None:
    async with as_role(database_url, ROLE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(change.format(table))


@pytest.mark.parametrize("statement", SHAPES)
async def test_the_service_changes_no_shape(database_url: str, statement: str) -> None:
    async with as_role(database_url, ROLE) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_a_role_that_comes_later_may_the_same(empty_database_url: str) -> None:
    async with new_role(empty_database_url) as role:
        assert await migrate(empty_database_url, role=None) == known()
        assert await migrate(empty_database_url, role=role) == []
        found = await rights_of(empty_database_url, role)
        assert found == {table: expected(table) for table in found}
        async with as_role(empty_database_url, role) as connection:
            assert await connection.fetchval("SELECT nextval('hot_id')")


async def test_what_an_earlier_version_gave_too_much_is_taken_back(empty_database_url: str) -> None:
    async with new_role(empty_database_url) as role:
        await migrate(empty_database_url, role=role)
        quoted = '"' + role.replace('"', '""') + '"'
        async with connected(empty_database_url) as connection:
            await connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {quoted}")
        await migrate(empty_database_url, role=role)
        found = await rights_of(empty_database_url, role)
        assert all(not {"UPDATE", "DELETE", "TRUNCATE"} & found[table] for table in APPEND_ONLY)


async def test_nothing_is_granted_where_nothing_differs(empty_database_url: str) -> None:
    """Every start with embedded servers migrates, perhaps beside a running service."""
    async with new_role(empty_database_url) as role, connected(empty_database_url) as connection:
        await migrate(empty_database_url, role=role)
        versions = "SELECT xmin::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
        before = await connection.fetch(versions)
        await migrate(empty_database_url, role=role)
        assert await connection.fetch(versions) == before


async def test_the_owner_as_the_service_keeps_its_rights(empty_database_url: str) -> None:
    """References are checked with the owner's rights, so none may be taken away; the triggers refuse all the same."""
    async with connected(empty_database_url) as connection:
        owner = await connection.fetchval("SELECT current_user")
        await migrate(empty_database_url, role=owner)
        assert await connection.fetchval("SELECT has_table_privilege('ledger_entry', 'UPDATE')")
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("DELETE FROM ledger_entry")


async def test_without_a_role_the_triggers_refuse(empty_database_url: str) -> None:
    await migrate(empty_database_url, role=None)
    async with connected(empty_database_url) as connection:
        for table in APPEND_ONLY:
            with pytest.raises(asyncpg.RestrictViolationError):
                await connection.execute(f"UPDATE {table} SET program_id = 1")
