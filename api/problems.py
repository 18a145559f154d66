"""Refusals outside GraphQL, in the form of GraphQL's own errors, so that a client reads one form only."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response


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
    status_code: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """An error answer: a message for a person, a stable code for a machine."""
    return json_response(
        {"errors": [{"message": message, "extensions": {"code": code}}]}, status_code, headers=headers
    )
