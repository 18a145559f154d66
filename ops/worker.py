"""The worker: what runs beside the API, once per process that is not `--only api`.

`run_worker` runs until `stop` is set. `TICKS` are woken by `ops.scheduler` in the one elected process.
"""

import asyncio

from ops.scheduler import Tick

TICKS: tuple[Tick, ...] = ()


async def run_worker(stop: asyncio.Event) -> None:
    """Relay what the outbox holds, until `stop`."""
    await stop.wait()
