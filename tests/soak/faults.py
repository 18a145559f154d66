"""What is done to an installation: each fault breaks something, waits a little, and leaves it mended."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import base.redis
from base.failpoints import POINTS
from tests.soak.site import Site

IN_API: Final = tuple(name for name in POINTS if name.startswith("pipeline."))
IN_WORKER: Final = tuple(name for name in POINTS if not name.startswith("pipeline."))
GENTLE: Final = ("deadlock", "serialization", "disk_full", "disconnect")


@dataclass(frozen=True)
class Fault:
    """One way to break it; `weight` says how often it is chosen, `is_alone` whether it is always the same."""

    name: str
    work: Callable[[Site, random.Random], Awaitable[str | None]]
    weight: int = 2
    is_alone: bool = True


async def kill_api(site: Site, dice: random.Random) -> None:
    dice.choice(site.apis).kill()


async def kill_worker(site: Site, dice: random.Random) -> None:
    dice.choice(site.workers).kill()


async def stop_workers(site: Site, dice: random.Random) -> str:
    """All workers are gone for a while: the outbox grows."""
    for worker in site.workers:
        worker.stop()
    seconds = dice.uniform(3, 12)
    await asyncio.sleep(seconds)
    for worker in site.workers:
        worker.start()
    return f"{seconds:.0f} s"


async def restart_postgres(site: Site, dice: random.Random) -> str:
    """As `pg_ctl restart -m fast`."""
    await site.end("postgres", signal.SIGINT)
    seconds = dice.uniform(0, 3)
    await asyncio.sleep(seconds)
    await site.revive()
    return f"down {seconds:.1f} s"


async def kill_postgres(site: Site, dice: random.Random) -> str:
    await site.end("postgres", signal.SIGKILL)
    seconds = dice.uniform(0, 2)
    await asyncio.sleep(seconds)
    await site.revive()
    return f"down {seconds:.1f} s"


async def pause_postgres(site: Site, dice: random.Random) -> str:
    """It accepts connections, and answers nothing."""
    site.pause("postgres")
    seconds = dice.uniform(1, 8)
    await asyncio.sleep(seconds)
    site.resume("postgres")
    return f"{seconds:.0f} s"


async def cut_connections(site: Site, dice: random.Random) -> str:
    times = dice.randint(1, 4)
    ended = 0
    for _ in range(times):
        ended += await site.cut_connections()
        await asyncio.sleep(dice.uniform(0, 0.5))
    return f"{ended} of them"


async def pause_redis(site: Site, dice: random.Random) -> str:
    site.pause("valkey")
    seconds = dice.uniform(1, 12)
    await asyncio.sleep(seconds)
    site.resume("valkey")
    return f"{seconds:.0f} s"


async def kill_redis(site: Site, dice: random.Random) -> str:
    await site.end("valkey", signal.SIGKILL)
    seconds = dice.uniform(0, 8)
    await asyncio.sleep(seconds)
    await site.revive()
    return f"down {seconds:.0f} s"


async def ask_redis(site: Site, *words: Any) -> None:
    client: Any = base.redis.client(site.redis_url)
    try:
        await client.execute_command(*words)
    finally:
        await client.aclose()


async def flush_redis(site: Site, dice: random.Random) -> None:
    await ask_redis(site, "FLUSHALL")


async def hold_redis(site: Site, dice: random.Random) -> str:
    """CLIENT PAUSE: it takes commands, and answers later."""
    seconds = dice.uniform(0.5, 7)
    await ask_redis(site, "CLIENT", "PAUSE", str(int(seconds * 1_000)), "ALL")
    await asyncio.sleep(seconds)
    return f"{seconds:.1f} s"


async def restore_redis(site: Site, dice: random.Random) -> str:
    """It comes back with a dump of a while ago, and does not say so."""
    await ask_redis(site, "SAVE")
    site.keep_dump()
    seconds = dice.uniform(1, 6)
    await asyncio.sleep(seconds)
    await site.end("valkey", signal.SIGKILL)
    site.restore_dump()
    await site.revive()
    return f"{seconds:.0f} s old"


async def fail_api(site: Site, dice: random.Random) -> str:
    """An API process that fails at a point, and then is killed at another."""
    point, later = dice.sample(IN_API, 2)
    faults = f"{point}={dice.choice(GENTLE)}*{dice.randint(1, 3)},{later}=kill@{dice.randint(1, 30)}"
    api = dice.choice(site.apis)
    api.stop()
    api.start(failpoints=faults)
    return faults


async def fail_worker(site: Site, dice: random.Random) -> str:
    """The same for a worker."""
    point, later = dice.sample(IN_WORKER, 2)
    faults = f"{point}={dice.choice(GENTLE)}*{dice.randint(1, 3)},{later}=kill@{dice.randint(1, 6)}"
    worker = dice.choice(site.workers)
    worker.stop()
    worker.start(failpoints=faults)
    return faults


FAULTS: Final = (
    Fault("an API process is killed", kill_api, 3),
    Fault("a worker is killed", kill_worker, 3),
    Fault("all workers are stopped", stop_workers),
    Fault("PostgreSQL is restarted", restart_postgres),
    Fault("PostgreSQL is killed", kill_postgres),
    Fault("PostgreSQL hangs", pause_postgres, 1),
    Fault("connections are cut", cut_connections, 3),
    Fault("Redis hangs", pause_redis),
    Fault("Redis is held", hold_redis, 1),
    Fault("Redis is killed", kill_redis),
    Fault("Redis is flushed", flush_redis),
    Fault("Redis comes back with an old dump", restore_redis),
    Fault("an API process meets failpoints", fail_api, 4, is_alone=False),
    Fault("a worker meets failpoints", fail_worker, 4, is_alone=False),
)
