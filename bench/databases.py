"""Databases of a run, beside each other on one server."""

import asyncpg

from base.settings import Settings
from ops.migrate import migrate


async def create(url: str, name: str, *, template: str | None = None) -> str:
    """A database of that name beside the one at `url`, empty or a copy of `template`; its URL."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(
            f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")
        )
    finally:
        await connection.close()
    return swap(url, name)


async def create_migrated(url: str, name: str) -> str:
    """A database with Mitra's tables, open to the role of the service; its URL."""
    created = await create(url, name)
    await migrate(created, role=Settings().role)
    return created


def swap(url: str, name: str) -> str:
    """The same server, another database."""
    head, _, query = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


async def drop(url: str, *names: str) -> None:
    """Give their disk back."""
    connection = await asyncpg.connect(url)
    try:
        for name in names:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()
