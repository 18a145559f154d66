"""The HTTP side of `serve`: one socket, and one or more processes that answer on it.

The socket is bound before anything else is started, so a port in use is said at once. With several processes each
accepts on that same socket; one that dies is started again, and all end when their parent does, however it does.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from base.settings import PREFIX, Settings
from ops.embedded import Servers
from ops.errors import OperatorError

DRAIN_SECONDS: Final = 2
"""How long open requests and subscriptions may take to end."""

RESTART_SECONDS: Final = 1.0


def listen(host: str, port: int, *, setting: str = "MITRA_PORT or --port") -> socket.socket:
    """A bound socket; OperatorError where the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        reason = f"port {port} is in use" if error.errno == 98 else (error.strerror or str(error)).lower()
        raise OperatorError(f"Cannot listen on {host}:{port}: {reason} (set {setting})") from error
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: who runs it says when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_app(app: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answer on `listener` in this process until `stop`, then let open requests end."""
    server = _Server(
        uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="websockets-sansio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        if not stop.is_set():
            raise OperatorError("The API did not start: see the log above")
    finally:
        stopping.cancel()
        serving.cancel()


async def serve_processes(
    count: int,
    listener: socket.socket,
    servers: Servers,
    settings: Settings,
    stop: asyncio.Event,
    *,
    metrics: Sequence[socket.socket] = (),
) -> None:
    """Keep `count` API processes answering on `listener` until `stop`; each tells its metrics on one of `metrics`."""
    async with asyncio.TaskGroup() as group:
        for place in range(count):
            descriptors = [one.fileno() for one in (listener, *metrics[place : place + 1])]
            group.create_task(_keep_process(f"api-{place + 1}", descriptors, servers, settings, stop))


async def _keep_process(
    name: str, descriptors: Sequence[int], servers: Servers, settings: Settings, stop: asyncio.Event
) -> None:
    """One API process, started again whenever it ends before `stop`."""
    while not stop.is_set():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ops.api_process",
            name,
            *map(str, descriptors),
            stdin=asyncio.subprocess.PIPE,  # its end tells the child that we are gone
            pass_fds=descriptors,
            env=_environment(servers, settings),
            start_new_session=True,
        )
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                await asyncio.wait({stopping}, timeout=RESTART_SECONDS)
        finally:
            stopping.cancel()
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await ended


def _environment(servers: Servers, settings: Settings) -> dict[str, str]:
    """Ours, with the servers that we found or started."""
    return os.environ | {
        f"{PREFIX}DATABASE_URL": servers.database_url,
        f"{PREFIX}REDIS_URL": servers.redis_url,
        f"{PREFIX}DATA_DIR": str(settings.data_dir),
        f"{PREFIX}HOST": settings.host,
        f"{PREFIX}PORT": str(settings.port),
    }
