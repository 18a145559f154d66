"""Sockets as a client opens them: the API served on a real port, `graphql-transport-ws` spoken over it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from api.graphql import routes
from api.watching import Watching
from ops.listening import listen, serve_app
from ops.worker import Worker
from tests.api.door import DEVELOPMENT, Api

SECONDS: Final = 20.0
PROTOCOL: Final = Subprotocol("graphql-transport-ws")


@dataclass
class Served:
    """The API on a port."""

    port: int

    def open(self, *, protocol: Subprotocol = PROTOCOL, **more: Any) -> connect:
        """A socket, not yet signed in."""
        return connect(f"ws://127.0.0.1:{self.port}/graphql", subprotocols=[protocol], **more)

    @asynccontextmanager
    async def signed_in(self, token: str) -> AsyncIterator["Line"]:
        """A socket that somebody is signed in on."""
        async with self.open() as socket:
            line = Line(socket)
            await line.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert (await line.hear())["type"] == "connection_ack"
            yield line


@dataclass
class Line:
    """What is said on a socket."""

    socket: ClientConnection

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> Any:
        """The next message."""
        async with asyncio.timeout(SECONDS):
            return json.loads(await self.socket.recv())

    async def subscribe(self, document: str, variables: Any = None, id_: str = "1") -> None:
        await self.send(id=id_, type="subscribe", payload={"query": document, "variables": variables})

    async def data_or_nothing(self, seconds: float) -> Any:
        """The data of the next event, or None where there is none in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self.next_data()
        except TimeoutError:
            return None

    async def next_data(self) -> Any:
        """The data of the next event."""
        message = await self.hear()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end: code and reason."""
        async with asyncio.timeout(SECONDS):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def served(api: Api, *, relay: bool = False) -> AsyncIterator[Served]:
    """Serve a world on a port of its own; with `relay` what happens is told live."""
    stop = asyncio.Event()
    app = Starlette(routes=routes(DEVELOPMENT, clock=api.world.clock), middleware=[Middleware(Watching)])
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        running = [asyncio.ensure_future(serve_app(app, listener, stop))]
        if relay:
            running.append(asyncio.ensure_future(Worker(DEVELOPMENT, api.world.clock).run(stop)))
        try:
            yield Served(port)
        finally:
            stop.set()
            await asyncio.gather(*running)
