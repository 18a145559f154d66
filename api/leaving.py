"""Errors as they leave: those that a caller can do something about as they are, an outage as `UNAVAILABLE` with the
seconds after which to come again, all others masked and logged.
"""

import logging
import re
from typing import Any, Final

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from api.context import Session
from api.problems import UNAVAILABLE, retry_after
from base.errors import DomainError
from base.outages import outage_of

log: Final = logging.getLogger(__name__)

MALFORMED_VARIABLE: Final = re.compile(
    r"Variable '\$(\w+)' has invalid value(?: at ((?:\.\w+|\[\d+\])+))?: (.*)", re.DOTALL
)
"""How graphql-core says which variable, where in it, and what is wrong."""


def away(error: Exception) -> PreExecutionError:
    """The answer of an operation that met an outage where no field could tell of it. Raises any other error."""
    if outage_of(error) is None:
        raise error
    return PreExecutionError(data=None, errors=[GraphQLError(str(error), original_error=error)])


def with_status(session: Session, result: ExecutionResult) -> ExecutionResult:
    """Status 503 where an outage left nothing of the answer, so that proxies and plain clients see it too."""
    codes = [error.extensions or {} for error in result.errors or ()]
    seconds = [extensions["retryAfter"] for extensions in codes if "retryAfter" in extensions]
    is_empty = result.data is None or not any(value is not None for value in result.data.values())
    if seconds and len(seconds) == len(codes) and is_empty and session.response is not None:
        session.response.status_code = UNAVAILABLE
        session.response.headers.update(retry_after(max(seconds)))
    return result


def present(error: GraphQLError, *, hints: bool) -> GraphQLError:
    """An error with its code: one that the client can do something about as it is, any other masked and logged."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, DomainError):
        extensions: dict[str, Any] = {"code": cause.code}
        if cause.field:
            extensions["field"] = list(cause.field)
        return _with(error, cause.message, extensions)
    if cause is None or isinstance(cause, GraphQLError):
        return _of_request(error, hints=hints)
    if outage := outage_of(cause):
        log.warning("an operation met an outage at %s: %r", error.path, cause)
        return _with(error, str(outage), {"code": "UNAVAILABLE", "retryAfter": outage.retry_after})
    log.error("an operation failed at %s", error.path, exc_info=cause)
    return _with(error, "Something went wrong on our side.", {"code": "INTERNAL"})


def _of_request(error: GraphQLError, *, hints: bool) -> GraphQLError:
    """An error over the request itself; without hints it suggests nothing of the schema."""
    message = error.message if hints else error.message.split(" Did you mean", 1)[0]
    extensions = dict(error.extensions or {})
    if malformed := MALFORMED_VARIABLE.fullmatch(message):
        variable, path, message = malformed.groups()
        extensions |= {"code": "MALFORMED", "field": [variable, *re.findall(r"\w+", path or "")]}
    extensions.setdefault(
        "code", "SYNTAX_ERROR" if isinstance(error, GraphQLSyntaxError) else "VALIDATION_ERROR"
    )
    if isinstance(error, GraphQLSyntaxError):
        error.extensions = extensions
        return error
    return _with(error, message, extensions)


def _with(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)
