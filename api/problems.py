"""Refusals outside GraphQL, in the form of GraphQL's own errors, so that a client reads one form only."""

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.responses import Response

from base.logs import note_code
from base.outages import Outage

UNAVAILABLE: Final = 503


def json_response(
    data: object, status_code: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """`data` as JSON, never cached."""
    return Response(
        orjson.dumps(data),
        status_code,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def problem(
    status_code: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """An error answer: a message for a person, a stable code for a machine, and whatever belongs to it."""
    note_code(code)
    return json_response(
        {"errors": [{"message": message, "extensions": {"code": code, **more}}]}, status_code, headers=headers
    )


def unavailable(outage: Outage) -> Response:
    """503: what is needed is away, and when to come again."""
    return problem(
        UNAVAILABLE,
        "UNAVAILABLE",
        str(outage),
        headers=retry_after(outage.retry_after),
        retryAfter=outage.retry_after,
    )


def retry_after(seconds: int) -> dict[str, str]:
    """The header that tells clients, proxies and balancers when to come again."""
    return {"retry-after": str(seconds)}
