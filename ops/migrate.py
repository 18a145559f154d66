"""Bringing a database up to date, and telling whether it is.

Tortoise runs migrations without a lock and records each one after its transaction; so here one process at a time
migrates, under an advisory lock, and a migration and its record are one transaction: a kill leaves no half of either.
The role of the service is made first, with default privileges, so that each table a migration creates is open to it;
what it may not change is settled when all migrations are applied (`ops.roles`).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pkgutil import iter_modules
from typing import Any, Final

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import State
from tortoise.transactions import in_transaction

import ops.migrations
from base.database import tortoise_config
from ops.errors import OperatorError, ServerUnreachable, one_line
from ops.roles import prepare_role, settle_rights

APP: Final = "mitra"
LOCK: Final = 0x4D495452
"""The advisory lock of whoever migrates: "MITR"."""
CONNECT_SECONDS: Final = 10.0
LOCK_TIMEOUT: Final = "10s"
"""How long a migration waits for a table under load before it gives way; then it can be run again."""

CONFIG: Final = tortoise_config("postgresql:///mitra")
"""For Tortoise's own command, which writes migrations by comparing the models with them; it never connects."""


def known() -> list[str]:
    """The migrations of this version, in order."""
    return sorted(name for _, name, is_package in iter_modules(ops.migrations.__path__) if not is_package)


async def pending(url: str) -> list[str]:
    """The migrations that the database at `url` lacks. One from a newer Mitra does not count: it only expanded."""
    async with _connected(url) as connection:
        try:
            rows = await connection.fetch("SELECT name FROM tortoise_migrations WHERE app = $1", APP)
        except asyncpg.UndefinedTableError:
            rows = []
    applied = {row["name"] for row in rows}
    return [name for name in known() if name not in applied]


async def require_migrated(url: str) -> None:
    """OperatorError where the database at `url` lacks migrations."""
    missing = await pending(url)
    if missing:
        names = f"{missing[0]}{f' and {len(missing) - 1} more' if missing[1:] else ''}"
        raise OperatorError(f"The database is not fully migrated ({names} missing): run `mitra migrate`")


async def migrate(
    url: str, *, role: str | None = None, progress: Callable[[str], None] = lambda name: None
) -> list[str]:
    """Apply what is pending at `url` and answer its names; `role` is the service's, made where it is missing."""
    async with _alone(url) as connection:
        if role is not None:
            await prepare_role(connection, role)
        missing = await pending(url)
        if missing:
            await _apply(url, missing, progress)
        if role is not None:
            await settle_rights(connection, role)
    return missing


async def _apply(url: str, missing: list[str], progress: Callable[[str], None]) -> None:
    """Apply these migrations, each in a transaction of its own."""
    config = tortoise_config(url)
    config["connections"]["default"]["credentials"]["server_settings"]["lock_timeout"] = LOCK_TIMEOUT
    async with TortoiseContext() as context:
        await context.init(config=config, init_connections=False)
        apps = {APP: config["apps"][APP]}
        # Applies nothing, but makes the table of records, whose absence would break the first transaction.
        await MigrationExecutor(context.connections.get("default"), apps).migrate([])
        states: list[State] = []
        for name in missing:
            progress(name)
            async with in_transaction("default") as transaction:
                executor = _Executor(transaction, apps, states)
                await executor.migrate([MigrationTarget(APP, name)], direction="forward")


class _Executor(MigrationExecutor):
    """Takes over the models' state that the migrations before it made; Tortoise works it out anew for each."""

    def __init__(
        self, connection: BaseDBAsyncClient, apps: dict[str, dict[str, Any]], states: list[State]
    ) -> None:
        super().__init__(connection, apps)
        self._states = states

    async def _project_state(self, applied: set[MigrationKey], *, upto: MigrationKey | None = None) -> State:
        if not self._states:
            self._states.append(await super()._project_state(applied, upto=upto))
        return self._states[0]


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds the lock of whoever migrates; others wait for it here."""
    async with _connected(url) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        yield connection


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the URL's own user. This is the first use of a URL, so all that is wrong with it shows here."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ServerUnreachable(
            f"The database cannot be used: check MITRA_DATABASE_URL ({one_line(error)})"
        ) from error
    try:
        yield connection
    finally:
        await connection.close()
