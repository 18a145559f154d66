"""The GraphQL endpoint: its routes, its transport, and what is around the schema."""

import asyncio
from datetime import timedelta
from json import JSONDecodeError
from typing import Any, Final

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http.base import BaseRequestProtocol
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from api.auth import Authenticator, LocalTokens, Unauthenticated, bearer
from api.context import Session
from api.graphiql import graphiql_routes, page
from api.problems import problem, unavailable
from api.schema.root import build_schema
from api.socket import SocketHandler, sign_in
from base.clock import Clock, SystemClock
from base.logs import note_code
from base.outages import Outage, outage_of
from base.settings import Environment, Settings, signing_key
from imports.limits import UploadLimits

PATH: Final = "/graphql"
INIT_SECONDS: Final = 10
MOST_OPERATIONS: Final = 50
"""That run at once on one socket."""

STOPPING: Final = Outage("This server is stopping.", 1)

CODES: Final = {400: "BAD_REQUEST", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


class Endpoint(GraphQL[Session, None]):
    """`/graphql` over HTTP and WebSocket."""

    graphql_transport_ws_handler_class = SocketHandler

    def __init__(self, settings: Settings, *, authenticator: Authenticator, clock: Clock) -> None:
        self._is_development = settings.environment is Environment.DEVELOPMENT
        self._upload_limits = UploadLimits.of(settings)
        super().__init__(
            build_schema(introspection=self._is_development),
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=MOST_OPERATIONS,
            allowed_origins=settings.allowed_origins,
        )
        self.authenticator = authenticator
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        response: Response
        if self._is_development and _wants_page(request):
            response = page()
        else:
            try:
                response = await self.run(request)
            except HTTPException as error:
                response = problem(
                    error.status_code, CODES.get(error.status_code, "BAD_REQUEST"), error.reason
                )
            except Unauthenticated as error:
                response = _challenge(error)
            except asyncio.CancelledError:
                response = unavailable(STOPPING)  # the server ends, and has waited for us long enough
            except Exception as error:
                outage = outage_of(error)
                if outage is None:
                    raise
                response = unavailable(outage)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Session:
        session = Session(
            self._clock, request.headers.get("accept-language"), upload_limits=self._upload_limits
        )
        if isinstance(response, Response):
            session.response = response
            header = request.headers.get("authorization")
            if header or not self._is_development:  # in development anybody may read the schema
                session.claims = await self.authenticator.verify(bearer(header))
        return session

    async def on_ws_connect(self, context: Session) -> dict[str, object]:
        await sign_in(context, self.authenticator)
        return {}

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        return False

    def parse_json(self, data: str | bytes) -> Any:
        try:
            parsed = self.decode_json(data)
        except JSONDecodeError as error:
            raise HTTPException(400, f"The body is no JSON: {error.msg}") from error
        if not isinstance(parsed, dict | list):
            raise HTTPException(400, "The body must be a JSON object.")
        return parsed

    def decode_json(self, data: str | bytes) -> object:
        parsed: object = orjson.loads(data)
        # PostgreSQL's text holds no NUL: what may bring one is looked through before anything sees it.
        may = b"\\u0000" in data if isinstance(data, bytes) else "\\u0000" in data
        if may and _holds_nul(parsed):
            raise JSONDecodeError("a text holds a NUL character", "", 0)
        return parsed

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()


def routes(
    settings: Settings, *, clock: Clock | None = None, authenticator: Authenticator | None = None
) -> list[BaseRoute]:
    """The routes of `/graphql`, over HTTP and WebSocket."""
    endpoint = Endpoint(
        settings,
        authenticator=authenticator or LocalTokens(signing_key(settings)),
        clock=clock or SystemClock(),
    )
    found: list[BaseRoute] = [
        Route(PATH, endpoint, methods=["GET", "POST"]),
        WebSocketRoute(PATH, endpoint),
    ]
    if settings.environment is Environment.DEVELOPMENT:
        found += graphiql_routes(PATH)
    return found


def _wants_page(request: Request) -> bool:
    """Whether a browser opens the address."""
    return (
        request.method in ("GET", "HEAD")
        and "query" not in request.query_params
        and "text/html" in request.headers.get("accept", "")
    )


def _challenge(error: Unauthenticated) -> Response:
    """401, with what the client should send."""
    note_code("UNAUTHENTICATED")
    refusal = {"code": "UNAUTHENTICATED", "reason": error.reason}
    body = {"errors": [{"message": error.message, "extensions": refusal}]}
    return Response(
        orjson.dumps(body),
        401,
        headers={"www-authenticate": "Bearer", "cache-control": "no-store"},
        media_type="application/json",
    )


def _holds_nul(value: object) -> bool:
    """Whether a text of a request holds a NUL character."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(one) for key, one in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
