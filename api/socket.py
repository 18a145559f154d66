"""Sockets: `graphql-transport-ws`, signed in by the payload of `connection_init`.

    {"type": "connection_init", "payload": {"authorization": "Bearer …"}}

A socket closes with 4401 where nobody is signed in by that, and later when the token expires or its partner leaves;
with 1013 where that cannot be found out just now.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final

from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, Message

from api.auth import Authenticator, Unauthenticated, bearer
from api.context import Session, enter
from api.watching import count, tell_operation
from base.logs import note, saying
from base.outages import outage_of

log: Final = logging.getLogger(__name__)

UNAUTHORIZED: Final = 4401
TRY_AGAIN_LATER: Final = 1013
CHECK_SECONDS: Final = 60.0
"""How long a socket outlives its partner at most, while the database answers."""


async def sign_in(session: Session, authenticator: Authenticator) -> None:
    """Sign the socket in, by what it sent. Raises `Unauthenticated`."""
    stated = (session.connection_params or {}).get("authorization")
    session.claims = await authenticator.verify(bearer(stated if isinstance(stated, str) else None))
    caller, _ = await enter(session.claims)
    note(program=caller.program.key, role=caller.role.value)


class SocketHandler(BaseGraphQLTransportWSHandler[Session, None]):
    """One socket."""

    _watching: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        try:
            await super().handle()
        finally:
            if self._watching is not None:
                self._watching.cancel()
                with suppress(asyncio.CancelledError):
                    await self._watching

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        try:
            await super().handle_connection_init(message)
        except Unauthenticated as error:
            await self.websocket.close(code=UNAUTHORIZED, reason=f"{error.reason}: {error.message}")
            return
        except Exception as error:
            outage = outage_of(error)
            if outage is None:
                raise
            reason = f"UNAVAILABLE: try again in {outage.retry_after} s"
            await self.websocket.close(code=TRY_AGAIN_LATER, reason=reason)
            return
        if self.connection_acknowledged and self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    async def run_operation(self, operation: Operation[Session, None]) -> None:
        """Each operation has lines of its own, and is counted for itself."""
        began = perf_counter()
        with saying() as work:
            try:
                await super().run_operation(operation)
            finally:
                spent = perf_counter() - began
                count(work, spent)
                tell_operation(work, spent)

    async def handle_message(self, message: Message) -> None:
        stated: Any = message
        if not isinstance(stated, dict) or not isinstance(stated.get("payload", {}), dict | None):
            await self.handle_invalid_message("A message is an object, and so is its payload")
        elif stated.get("type") in ("subscribe", "complete") and not isinstance(stated.get("id"), str):
            await self.handle_invalid_message("An operation has a text as its id")
        else:
            await super().handle_message(message)

    async def _watch(self) -> None:
        """Close the socket once its token no longer signs anybody in: at its expiry, whatever else fails."""
        try:
            while True:
                await asyncio.sleep(min(CHECK_SECONDS, self._until_expiry()))
                await self._check()
        except Unauthenticated as error:
            await self.websocket.close(code=UNAUTHORIZED, reason=f"{error.reason}: {error.message}")

    async def _check(self) -> None:
        """Sign in again. What fails on our side is tried at the next turn. Raises `Unauthenticated`."""
        authenticator: Authenticator = self.view.authenticator  # type: ignore[attr-defined]
        try:
            await sign_in(self.context, authenticator)
        except Unauthenticated:
            raise
        except Exception:
            log.exception("a socket could not be checked")

    def _until_expiry(self) -> float:
        """Seconds. Raises `Unauthenticated` where there are none left."""
        assert self.context.claims is not None, "nobody is watched before signing in"
        left = (self.context.claims.expires_at - datetime.now(UTC)).total_seconds()
        if left <= 0:
            raise Unauthenticated("TOKEN_EXPIRED", "The token has expired: get a new one.")
        return left
