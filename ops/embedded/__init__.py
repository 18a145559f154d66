"""The real PostgreSQL and Valkey, started by Mitra itself where no URL is configured.

    async with embedded_servers(settings) as servers:
        await servers.guard(work(servers.database_url, servers.redis_url))

All processes of one data folder share one pair of servers: whoever comes first starts them, whoever leaves last stops
them, and each of them starts a dead one again. See `holding` for how they agree.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from base.settings import Settings
from ops.embedded.holding import EmbeddedServers
from ops.errors import ServerFailed

__all__ = ["EmbeddedServers", "Servers", "embedded_servers"]

WATCH_SECONDS: Final = 0.25
RESTARTS: Final = 5
RESTART_SECONDS: Final = 60.0

Result = TypeVar("Result")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Servers:
    """Where the servers are, configured or embedded; `failure` is set when an embedded one cannot be kept up."""

    database_url: str
    redis_url: str
    failure: asyncio.Future[None]

    async def guard(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do `work`; where a server fails meanwhile, cancel it and raise ServerFailed."""
        task = asyncio.ensure_future(work)
        try:
            both: set[asyncio.Future[Any]] = {task, self.failure}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self.failure.done():
                self.failure.result()
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def embedded_servers(settings: Settings, *, durable: bool = True) -> AsyncIterator[Servers]:
    """The servers of `settings`: configured URLs as they are, an embedded server for each that is missing."""
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    if settings.database_url and settings.redis_url:
        yield Servers(settings.database_url, settings.redis_url, failure)
        return
    held = EmbeddedServers(
        settings.data_dir,
        postgres=settings.database_url is None,
        valkey=settings.redis_url is None,
        durable=durable,
    )
    try:
        await _to_the_end(held.start)
        watch = asyncio.create_task(_watch(held, failure))
        try:
            yield Servers(
                settings.database_url or held.database_url, settings.redis_url or held.redis_url, failure
            )
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
    finally:
        await _to_the_end(held.stop)


async def _watch(held: EmbeddedServers, failure: asyncio.Future[None]) -> None:
    """Start dead servers again. Valkey for ever; PostgreSQL a few times, then the process had better end."""
    restarts: list[float] = []
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        dead = held.dead()
        if not dead:
            continue
        if "PostgreSQL" in dead:
            restarts = [at for at in restarts if at > time.monotonic() - RESTART_SECONDS] + [time.monotonic()]
        try:
            if len(restarts) > RESTARTS:
                raise ServerFailed(
                    "The embedded PostgreSQL does not stay up: see postgres.log in the data folder"
                )
            log.warning("%s died and is started again", " and ".join(dead))
            await _to_the_end(held.revive)
        except ServerFailed as error:
            if held.dead() == ["Valkey"]:
                continue
            failure.set_exception(error)
            return


async def _to_the_end(work: Any) -> None:
    """Run blocking `work` in a thread and see it through, even where we are cancelled meanwhile."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
