"""`mitra serve`: everything in one process, or its parts in several.

Order matters. The port is bound first, because that is what fails most often; then the servers are started and the
database migrated; then the demo is loaded where asked for; then the API and the worker run until a signal or a failure
ends both. The embedded servers are stopped last, by whoever uses them last.
"""

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.panel import Panel

from base.clock import SystemClock
from base.settings import Environment, Settings
from ops.embedded import Servers
from ops.installation import open_pools, prepared_servers
from ops.listening import listen, serve_app, serve_processes
from ops.migrate import pending
from ops.running import STOPPING, all_or_none
from ops.scheduler import run_scheduler
from ops.terminal import open_console
from ops.watch.endpoint import LOCAL, listen_for_metrics, tell_metrics, url_of
from ops.worker import Worker


@dataclass(frozen=True)
class Parts:
    """What one `mitra serve` runs: `processes` of the API (0 for none), the worker or not, the demo first or not."""

    processes: int
    worker: bool
    demo: bool

    @property
    def name(self) -> str:
        """What this process is, for whoever watches it."""
        if self.worker:
            return "main" if self.processes == 1 else "worker"
        return "api" if self.processes == 1 else "parent"


@dataclass(frozen=True)
class Sockets:
    """The bound sockets: of the API, and of the metrics."""

    api: socket.socket | None
    metrics: socket.socket | None


async def serve(
    settings: Settings, *, workers: int = 1, api: bool = True, worker: bool = True, demo: bool = False
) -> None:
    """Serve until SIGINT or SIGTERM; OperatorError where something fails that an operator can mend."""
    parts = Parts(processes=workers if api else 0, worker=worker, demo=demo)
    stop = _Stop(asyncio.current_task())
    with ExitStack() as sockets:
        listener = sockets.enter_context(listen(settings.host, settings.port)) if api else None
        metrics = listen_for_metrics(settings)
        if metrics is not None:
            sockets.enter_context(metrics)
        try:
            await _prepare_and_run(settings, parts, Sockets(listener, metrics), stop)
        except asyncio.CancelledError:
            if not stop.is_set():
                raise


class _Stop(asyncio.Event):
    """Set by SIGINT and SIGTERM. Until `running`, there is no one to see it, so the task is cancelled instead."""

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        super().__init__()
        self.running = False
        self._task = task
        for number in STOPPING:
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        first = not self.is_set()
        self.set()
        if first and not self.running and self._task is not None:
            self._task.cancel()


async def _prepare_and_run(settings: Settings, parts: Parts, sockets: Sockets, stop: _Stop) -> None:
    """Bring everything up, tell where it is, and run it."""
    console = open_console()
    async with prepared_servers(settings) as servers, AsyncExitStack() as pools:
        if parts.demo or parts.worker or parts.processes == 1:
            await pools.enter_async_context(open_pools(settings, servers))
        if parts.demo:
            from ops.commands.demo import ensure_demo

            await servers.guard(ensure_demo(console))
        # Made before anything is announced: its settings may be wrong.
        worker = Worker(settings, SystemClock()) if parts.worker else None
        if sockets.api is not None:
            await _announce(settings, parts, console)
        stop.running = True
        await servers.guard(_run(settings, parts, servers, sockets, worker, stop))


async def _announce(settings: Settings, parts: Parts, console: Console) -> None:
    """Print where everything is, and after a demo a token for each role, ready to paste."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{'localhost' if host in ('0.0.0.0', '[::]') else host}:{settings.port}"  # noqa: S104  # compared
    graphiql = " (GraphiQL in a browser)" if settings.environment is Environment.DEVELOPMENT else ""
    lines = [f"[bold]{url}/graphql[/bold]{graphiql}", f"{url}/healthz, {url}/readyz"]
    if settings.database_url is None or settings.redis_url is None:
        lines.append(f"embedded servers under {settings.data_dir}")
    console.print(Panel("\n".join(lines), title="Mitra", expand=False))
    if parts.demo:
        from ops.commands.token import role_tokens

        for role, token in await role_tokens(settings):
            console.print(f"[bold]{role}[/bold]")
            console.print(token, soft_wrap=True)
    console.print("Ctrl-C stops it.")


async def _run(
    settings: Settings,
    parts: Parts,
    servers: Servers,
    sockets: Sockets,
    worker: Worker | None,
    stop: asyncio.Event,
) -> None:
    """Run the parts until `stop`; the first that fails ends them all."""
    running: list[Coroutine[Any, Any, None]] = []
    with ExitStack() as stack:
        children: list[socket.socket] = []
        if parts.processes > 1 and sockets.api is not None:
            if sockets.metrics is not None:
                children = [stack.enter_context(listen(LOCAL, 0)) for _ in range(parts.processes)]
            running.append(
                serve_processes(parts.processes, sockets.api, servers, settings, stop, metrics=children)
            )
        elif sockets.api is not None:
            from api.app import create_app

            app = create_app(settings, pending=lambda: pending(servers.database_url), connect=False)
            running.append(serve_app(app, sockets.api, stop))
        if worker is not None:
            running += [worker.run(stop), run_scheduler(servers.database_url, worker.ticks, stop)]
        if sockets.metrics is not None:
            urls = [url_of(one) for one in children]
            telling = tell_metrics(
                settings, servers.database_url, sockets.metrics, stop, process=parts.name, children=urls
            )
            running.append(telling)
        await all_or_none(*running)
