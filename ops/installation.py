"""An installation that is ready for work: servers up, database migrated, pools open.

    async with open_installation(settings) as servers:
        …                              # base.database and base.redis are connected

With embedded servers it migrates by itself. With a configured database it refuses a half-migrated one: who runs a
server decides when it changes.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import base.database
import base.pools
import base.redis
from base.settings import Settings
from ops.embedded import Servers, embedded_servers
from ops.errors import OperatorError, ServerUnreachable, one_line
from ops.migrate import migrate, require_migrated


@asynccontextmanager
async def prepared_servers(settings: Settings) -> AsyncIterator[Servers]:
    """The servers of `settings` with a migrated database, and no connection open yet."""
    async with embedded_servers(settings) as servers:
        if settings.database_url is None:
            await servers.guard(migrate(servers.database_url, role=settings.role))
        else:
            await require_migrated(servers.database_url)
        yield servers


def require_installation(settings: Settings) -> None:
    """Refuse a data folder in which nothing stands yet, for a command that only works on what is there.

    Where it is run from another folder than the installation's it would set up an empty one, and find nothing in it.
    """
    if settings.database_url is None and not (settings.data_dir / "servers").exists():
        raise OperatorError(
            f"There is no installation in {settings.data_dir.absolute()}: change to its folder, or name its data "
            "folder with MITRA_DATA_DIR (`mitra serve`, `mitra demo` and `mitra program create` set up a new one)"
        )


@asynccontextmanager
async def open_installation(
    settings: Settings, *, process: str = "", sets_up: bool = False
) -> AsyncIterator[Servers]:
    """The servers of `settings`, migrated, with this process's pools open.

    A command that works for long states what it is as `process`: then `mitra top` shows what it does. One that may be
    the first of all sets the installation up; others refuse a folder that has none.
    """
    if not sets_up:
        require_installation(settings)
    async with prepared_servers(settings) as servers, open_pools(settings, servers):
        if not process:
            yield servers
            return
        from ops.watch.endpoint import told_metrics

        async with told_metrics(settings, servers.database_url, process=process):
            yield servers


@asynccontextmanager
async def open_pools(settings: Settings, servers: Servers) -> AsyncIterator[None]:
    """Open this process's pools for the length of the block."""
    async with AsyncExitStack() as stack:
        pools = base.pools.open_pools(
            settings, database_url=servers.database_url, redis_url=servers.redis_url
        )
        try:
            await stack.enter_async_context(pools)
        except (base.redis.RedisError, ValueError) as error:
            raise ServerUnreachable(
                f"Redis cannot be used: check MITRA_REDIS_URL ({one_line(error)})"
            ) from error
        async with base.database.reading() as connection:
            await connection.fetchval(
                "SELECT 1"
            )  # the role is taken on, or refused, here and not in a request
        yield
