"""Each request and each socket is known by its ids, timed, counted, and told of in one line of the log.

A caller's `X-Request-Id` is taken on where it is harmless to repeat, and its `traceparent` where it is well-formed
(W3C Trace Context); otherwise both are made here. The answer carries `X-Request-Id`. Lines that are logged meanwhile
carry these ids, and once it is known the program, the role and the operation. What a client chose freely (tokens,
variables, query strings) stands on none.
"""

import logging
import re
import secrets
from collections.abc import Iterable
from time import perf_counter
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from base.logs import Work, begin, end
from base.telemetry import counter, gauge, histogram

log: Final = logging.getLogger(__name__)

REQUEST_ID: Final = b"x-request-id"
TRACE_PARENT: Final = b"traceparent"

HARMLESS: Final = re.compile(rb"[A-Za-z0-9._:=+/-]{1,128}")
TRACE: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
"""Version, trace id, parent id, flags; only versions after 00 may go on. https://www.w3.org/TR/trace-context/"""

LONGEST_PATH: Final = 200
HEALTH: Final = frozenset({"/healthz", "/readyz"})
"""Asked every few seconds by whoever balances: told of only where they are not well."""
NO_OPERATION: Final = "none"

REQUESTS: Final = counter(
    "mitra_requests_total",
    "Requests answered, over HTTP and sockets, by operation and by the code of the first error (OK: without one).",
    operation=(),
    code=(),
)
REQUEST_SECONDS: Final = histogram(
    "mitra_request_seconds",
    "Time to answer a request; subscriptions are not among them.",
    "operation",
)
SOCKETS: Final = gauge("mitra_sockets", "Sockets that are open.")


class Watching:
    """The outermost of the middlewares: it answers what nobody caught, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        work = Work(_ids(scope["headers"]))
        token = begin(work)
        try:
            if scope["type"] == "http":
                await self._request(work, scope, receive, send)
            else:
                await self._socket(work, scope, receive, send)
        finally:
            end(token)

    async def _request(self, work: Work, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request_id = work.fields["request_id"].encode()
        status = 0

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID, request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception:
            log.exception("a request failed")
            if status:
                raise
            answer = problem(500, "INTERNAL", "Something went wrong on our side.")
            await answer(scope, receive, send_noting)
        finally:
            spent = perf_counter() - began
            count(work, spent)
            path = _path(scope)
            level = logging.DEBUG if path in HEALTH and status == 200 else logging.INFO
            if log.isEnabledFor(level):
                told = {"method": scope["method"], "path": path, "status": status}
                log.log(level, "request", extra=told | _ending(work, spent))

    async def _socket(self, work: Work, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request_id = work.fields["request_id"].encode()
        code: int | None = None

        async def send_noting(message: Message) -> None:
            nonlocal code
            if message["type"] == "websocket.accept":
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID, request_id)]
            elif message["type"] == "websocket.close":
                code = message.get("code", 1000)
            await send(message)

        async def receive_noting() -> Message:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect" and code is None:
                code = message.get("code", 1005)
            return message

        SOCKETS.inc()
        try:
            await self._app(scope, receive_noting, send_noting)
        finally:
            SOCKETS.dec()
            told = {"path": _path(scope), "close_code": code}
            log.info("socket", extra=told | _ending(work, perf_counter() - began))


def count(work: Work, seconds: float) -> None:
    """Count a piece of work that has been answered. A subscription lasts: that is no time to answer."""
    operation = work.fields.get("operation", NO_OPERATION)
    REQUESTS.labels(operation, work.codes[0] if work.codes else "OK").inc()
    if not operation.startswith("subscription "):
        REQUEST_SECONDS.labels(operation).observe(seconds)


def tell_operation(work: Work, seconds: float) -> None:
    """The line of an operation on a socket."""
    log.info("operation", extra=_ending(work, seconds))


def _ending(work: Work, seconds: float) -> dict[str, Any]:
    return {"duration_ms": round(seconds * 1000, 2)} | ({"codes": work.codes} if work.codes else {})


def _ids(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """The ids of a request with these headers. A header that comes twice says nothing."""
    stated: dict[bytes, bytes | None] = {REQUEST_ID: None, TRACE_PARENT: None}
    for name, value in headers:
        if name in stated:
            stated[name] = value if stated[name] is None else b""
    asked = stated[REQUEST_ID] or b""
    ids = {
        "request_id": asked.decode() if HARMLESS.fullmatch(asked) else secrets.token_hex(16),
        "span_id": secrets.token_hex(8),
    }
    parent = trace_parent(stated[TRACE_PARENT] or b"")
    if parent is None:
        return ids | {"trace_id": secrets.token_hex(16)}
    return ids | {"trace_id": parent[0], "parent_span_id": parent[1]}


def trace_parent(header: bytes) -> tuple[str, str] | None:
    """The ids of trace and span in a `traceparent` header, or None where it is not well-formed."""
    found = TRACE.fullmatch(header)
    if found is None:
        return None
    version, trace, span, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None) or not int(trace, 16) or not int(span, 16):
        return None
    return trace.decode(), span.decode()


def _path(scope: Scope) -> str:
    """As it was sent, so that it fits on a line; without its query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("ascii", "backslashreplace")
    return raw.partition(b"?")[0][:LONGEST_PATH].decode("ascii", "backslashreplace")
