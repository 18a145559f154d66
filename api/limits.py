"""The limit on what a request may send.

Starlette has one, but answers it in plain text even where the application handles the error; clients of a GraphQL API
expect JSON with a code.
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem

DISCARDED: Final = 4
"""How many limits' worth of a refused body are read and dropped, so that its sender gets to read the answer."""


class _TooLarge(Exception):
    """Raised into whoever reads the body on."""


class BodyLimit:
    """Refuses a request body of more than `limit` bytes with PAYLOAD_TOO_LARGE, whether or not it was announced.

    What lies under the path `except_under` reads its body in a stream, and has a limit of its own.
    """

    def __init__(self, app: ASGIApp, limit: int, except_under: str) -> None:
        self._app = app
        self._limit = limit
        self._except_under = except_under

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._except_under):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            await self._refuse(scope, receive, send, received=0)
            return
        received = 0
        started = False

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise _TooLarge
            return message

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive_limited, send_noting)
        except _TooLarge:
            if started:
                raise
            await self._refuse(scope, receive, send, received=received)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, *, received: int) -> None:
        more = True
        while more and received <= self._limit * DISCARDED:
            message = await receive()
            received += len(message.get("body", b""))
            more = message.get("more_body", False)
        response = problem(
            413,
            "PAYLOAD_TOO_LARGE",
            f"The body is larger than the {self._limit} bytes that a request may have.",
            headers={"connection": "close"},
        )
        await response(scope, receive, send)
