"""`/metrics` of a process, on an address of its own: a worker has no other one, and it is nobody's but the operator's.

Where no port is configured a free one of the local machine is taken, which `mitra top` finds; so several processes on
one machine do not get into each other's way.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from base.settings import Settings
from ops.listening import listen, serve_app
from ops.watch.page import CONTENT_TYPE, Page
from ops.watch.readings import Readings

LOCAL = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  # compared


def listen_for_metrics(settings: Settings) -> socket.socket | None:
    """The socket that the settings ask for; None where they want none. Raises `OperatorError`."""
    match settings.metrics_port:
        case 0:
            return None
        case None:
            return listen(LOCAL, 0, setting="MITRA_METRICS_PORT")
        case port:
            return listen(settings.metrics_host, port, setting="MITRA_METRICS_PORT")


def address_of(listener: socket.socket) -> str:
    """host:port of a listening socket, as others of this installation may reach it."""
    host, port = listener.getsockname()[:2]
    if host in EVERYWHERE:
        host = socket.gethostname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(listener: socket.socket) -> str:
    """The page of a listening socket."""
    return f"http://{address_of(listener)}/metrics"


async def serve_page(page: Page, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answer `/metrics`, and `/healthz` for who watches a worker, until `stop`."""

    async def metrics(_: Request) -> Response:
        return Response(await page.text(), headers={"content-type": CONTENT_TYPE})

    async def alive(_: Request) -> Response:
        return Response('{"status":"ok"}', media_type="application/json")

    app = Starlette(routes=[Route("/metrics", metrics), Route("/healthz", alive)])
    await serve_app(app, listener, stop)


async def tell_metrics(
    settings: Settings,
    database_url: str,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    process: str,
    children: Sequence[str] = (),
) -> None:
    """Serve the page of `process`, with what the database says, until `stop`."""
    readings = Readings(database_url, role=settings.role, address=address_of(listener))
    page = Page(process, readings=readings, children=children)
    async with asyncio.TaskGroup() as group:
        group.create_task(readings.keep(stop))
        group.create_task(serve_page(page, listener, stop))


@asynccontextmanager
async def told_metrics(settings: Settings, database_url: str, *, process: str) -> AsyncIterator[None]:
    """Serve the page of a command on a free port for the length of the block, so that `mitra top` sees its work."""
    stop = asyncio.Event()
    with listen(LOCAL, 0, setting="MITRA_METRICS_PORT") as listener:
        telling = asyncio.create_task(tell_metrics(settings, database_url, listener, stop, process=process))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(telling, return_exceptions=True)
