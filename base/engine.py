"""Tortoise's engine for PostgreSQL, with a pool that nobody waits at for ever.

asyncpg waits for a free connection without end, and Tortoise passes no limit on: a database that hangs would hold every
request that comes after the first ten.
"""

from typing import Any, Final

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from base.outages import NoConnection

ACQUIRE_SECONDS: Final = 15.0
"""How long to wait for a connection: longer than it takes to open one."""


class BoundedPool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg is not typed
    """A pool whose `acquire` ends in time, and whose connections are given back in time too."""

    async def acquire(self, *, timeout: float | None = None) -> Any:
        """A connection. Raises `NoConnection` where there is none in time."""
        seconds = timeout or ACQUIRE_SECONDS
        try:
            return await super().acquire(timeout=seconds)
        except TimeoutError as error:
            raise NoConnection(f"no connection to the database within {seconds:.0f} s") from error


class Client(AsyncpgDBClient):
    """Tortoise's client over that pool."""

    async def create_pool(self, **parts: Any) -> asyncpg.Pool:
        defaults = {"max_queries": 50_000, "max_inactive_connection_lifetime": 300.0, "loop": None}
        pool: asyncpg.Pool = await BoundedPool(**defaults | parts, record_class=asyncpg.Record)
        return pool


client_class = Client
"""Where Tortoise looks for it."""
