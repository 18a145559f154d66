"""What a process holds open while it works: the database, Redis and the live feed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import base.database
import base.feed
import base.redis
from base import failpoints
from base.memory import relax_collector
from base.settings import Settings
from base.telemetry import gauge

CONNECTIONS: Final = gauge("mitra_database_connections", "Connections of this process's pool.", "state")
CONNECTIONS_MOST: Final = gauge("mitra_database_connections_most", "How many this process may open.")


@asynccontextmanager
async def open_pools(settings: Settings, *, database_url: str, redis_url: str) -> AsyncIterator[None]:
    """Open `base.database`, `base.redis` and `base.feed` for the length of the block; this process begins its work."""
    relax_collector()
    failpoints.arm(settings.failpoints or "")
    async with AsyncExitStack() as stack:
        await base.database.connect(
            database_url,
            role=settings.role,
            min_size=settings.database_pool_min,
            max_size=settings.database_pool_max,
        )
        stack.push_async_callback(base.database.close)
        CONNECTIONS.labels("used").set_function(lambda: base.database.pool_use()[0])
        CONNECTIONS.labels("idle").set_function(lambda: base.database.pool_use()[1])
        CONNECTIONS_MOST.set(settings.database_pool_max)
        await base.redis.connect(redis_url)
        stack.push_async_callback(base.redis.close)
        await base.feed.connect(redis_url)
        stack.push_async_callback(base.feed.close)
        yield
