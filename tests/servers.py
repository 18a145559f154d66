"""The servers that all tests share: real PostgreSQL and Valkey, one pair per checkout, started by whoever comes first.

A run migrates one template database and each xdist worker clones it, so a worker has a database of its own in some
fifty milliseconds. Templates are named after the migrations that made them; a database is named after the process
that uses it, and removed when that is gone. Nothing here survives a power cut, and nothing has to.
"""

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import asyncpg

import ops.migrations
import ops.roles
from ops.embedded.valkey import DATABASES
from ops.migrate import migrate

ROLE: Final = "mitra_service"
LOCK: Final = 0x54455354
"""The advisory lock of whoever makes databases: "TEST"."""


async def create_database(server_url: str) -> str:
    """A migrated database for this process; answers its URL."""
    name = f"test_{os.getpid()}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        for old in await _databases(connection):
            if old == name or _is_orphan(old):
                await connection.execute(f'DROP DATABASE "{old}" WITH (FORCE)')
        await _clone_template(connection, server_url, name)
    finally:
        await connection.close()
    return _url_of(server_url, name)


async def drop_database(server_url: str) -> None:
    """Remove this process's database."""
    await _administer(server_url, f'DROP DATABASE IF EXISTS "test_{os.getpid()}" WITH (FORCE)')


@asynccontextmanager
async def empty_database(server_url: str) -> AsyncIterator[str]:
    """A database with nothing in it, for the length of the block; its URL."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    await _administer(server_url, f'CREATE DATABASE "{name}"')
    try:
        yield _url_of(server_url, name)
    finally:
        await _administer(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def migrated_database(server_url: str) -> AsyncIterator[str]:
    """A migrated database that a test has to itself, for the length of the block; its URL."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await _clone_template(connection, server_url, name)
    finally:
        await connection.close()
    try:
        yield _url_of(server_url, name)
    finally:
        await _administer(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _databases(connection: asyncpg.Connection) -> set[str]:
    return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}


async def _clone_template(connection: asyncpg.Connection, server_url: str, name: str) -> None:
    """Make a migrated database, and its template where that is missing. The caller holds the lock."""
    template = f"template_{_digest()}"
    if template not in await _databases(connection):
        await _create_template(connection, server_url, template)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')


async def _administer(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _create_template(connection: asyncpg.Connection, server_url: str, template: str) -> None:
    """Make it under another name first: a template that stands is a template that is whole."""
    await connection.execute('DROP DATABASE IF EXISTS "template_draft" WITH (FORCE)')
    await connection.execute('CREATE DATABASE "template_draft"')
    await migrate(_url_of(server_url, "template_draft"), role=ROLE)
    await connection.execute(f'ALTER DATABASE "template_draft" RENAME TO "{template}"')


@contextmanager
def redis_database(folder: Path) -> Iterator[int]:
    """The number of a Valkey database that no other process uses, held by a lock on a file of that number."""
    for number in range(1, DATABASES):
        with open(folder / f"redis-{number}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    raise AssertionError("more test processes than Valkey databases")


def _digest() -> str:
    """What the template depends on: the migrations, and how they are run."""
    digest = hashlib.sha256(ROLE.encode() + Path(ops.roles.__file__).read_bytes())
    for folder in ops.migrations.__path__:
        for path in sorted(Path(folder).glob("*.[ps][yq]*")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _is_orphan(database: str) -> bool:
    """Whether it belongs to a test process that is gone."""
    match = re.fullmatch(r"test_(\d+)(_[0-9a-f]+)?", database)
    return match is not None and not Path(f"/proc/{match[1]}").exists()


def _url_of(server_url: str, database: str) -> str:
    return server_url.replace("/mitra?", f"/{database}?")
