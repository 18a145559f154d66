"""The schema as it is served: every operation passes here before it runs.

In this order: the document (parsed, limited, validated: `api.documents`), who calls (`api.auth`), whether the role may
ask for every field (`api.access`), what the operation costs with its variables (`api.pricing`). What does not pass runs
not at all, and answers errors with a code.

Errors leave by here too: those that a caller can do something about as they are, an outage as `UNAVAILABLE` with the
seconds after which to come again, all others masked and logged. A query or mutation that takes too long is given up.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any, Final

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ExecutionContext, ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from api.access import denied
from api.auth import Unauthenticated
from api.context import Context, Session, enter
from api.documents import Documents, Prepared, refusal
from api.problems import UNAVAILABLE, retry_after
from base.errors import DomainError
from base.logs import note, note_code
from base.outages import outage_of
from base.telemetry import gauge

log: Final = logging.getLogger(__name__)

UNAUTHORIZED: Final = 401
OPERATION_SECONDS: Final = 60.0
"""How long a query or mutation may take over HTTP; what it began is rolled back then."""
SUBSCRIPTIONS: Final = gauge("mitra_subscriptions", "Subscriptions that are open.")

MALFORMED_VARIABLE: Final = re.compile(
    r"Variable '\$(\w+)' has invalid value(?: at ((?:\.\w+|\[\d+\])+))?: (.*)", re.DOTALL
)
"""How graphql-core says which variable, where in it, and what is wrong."""


class Passed:
    """An operation that may run: its prepared document and its context, which is None for introspection alone."""

    __slots__ = ("context", "is_subscription", "prepared")

    def __init__(self, prepared: Prepared, context: Context | None, *, is_subscription: bool) -> None:
        self.prepared = prepared
        self.context = context
        self.is_subscription = is_subscription


class Refused(Exception):
    """An operation that does not run."""

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        super().__init__()
        self.errors = list(errors)


class Held(SchemaExtension):
    """Hands Strawberry the document that was prepared, so that it neither parses nor validates again."""

    execution_context: ExecutionContext

    def on_operation(self) -> Iterator[None]:
        passed = self.execution_context.context
        self.execution_context.graphql_document = passed.prepared.document
        self.execution_context.pre_execution_errors = []
        self.execution_context.context = passed.context
        yield


class ServedSchema(strawberry.Schema):
    """A schema with its door. The context value that it is given is a `Session`; resolvers get a `Context`."""

    def serve(self, *, introspection: bool) -> "ServedSchema":
        """Prepare for documents; without introspection nothing of the schema is told."""
        self._documents = Documents(self._schema, introspection=introspection)
        self._hints = introspection
        return self

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Run a query or mutation."""
        if not query:
            raise MissingQueryError
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                passed = await self._pass(
                    query, variable_values, operation_name, context_value, over_socket=False
                )
                result = await super().execute(
                    query,
                    variable_values,
                    passed,
                    root_value,
                    operation_name,
                    allowed_operation_types,
                    operation_extensions,
                )
        except Refused as refused:
            return PreExecutionError(data=None, errors=self._present(refused.errors))
        except Exception as error:
            result = _away(error)
        return _with_status(context_value, self._presented(result))

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Run any operation over a socket: a subscription answers more than once."""
        try:
            passed = await self._pass(query, variable_values, operation_name, context_value, over_socket=True)
        except Refused as refused:
            return _once(PreExecutionError(data=None, errors=self._present(refused.errors)))
        except Exception as error:
            return _once(self._presented(_away(error)))
        results = self._each_presented(
            await super().stream(
                query,
                variable_values,
                passed,
                root_value,
                operation_name,
                operation_extensions,
                allowed_operation_types,
            )
        )
        return _counted(results) if passed.is_subscription else results

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Nothing: what is worth it is logged where errors leave."""

    async def _each_presented(self, results: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        try:
            async for result in results:
                yield self._presented(result)
        except Exception as error:
            away = _away(error)
            yield ExecutionResult(data=None, errors=self._present(away.errors or ()))
        finally:
            await results.aclose()

    def _presented(self, result: ExecutionResult) -> ExecutionResult:
        if result.errors:
            result.errors = self._present(result.errors)
        return result

    def _present(self, errors: Iterable[GraphQLError]) -> list[GraphQLError]:
        """Errors as a client gets them, each with a code."""
        presented = [_present(error, hints=self._hints) for error in errors]
        for error in presented:
            note_code((error.extensions or {})["code"])
        return presented

    async def _pass(
        self, query: object, variables: object, name: object, session: Session, *, over_socket: bool
    ) -> Passed:
        """Let an operation in, or raise `Refused`."""
        if not isinstance(query, str) or not isinstance(variables, dict | None):
            raise Refused([refusal("BAD_REQUEST", "`query` must be text, and `variables` an object.")])
        if not isinstance(name, str | None):
            raise Refused([refusal("BAD_REQUEST", "`operationName` must be text.")])
        if "\0" in query or "\\u0000" in query or "\\u{0" in query:
            raise Refused([refusal("BAD_REQUEST", "The document holds a NUL character.")])
        try:
            prepared = self._documents.prepare(query)
        except GraphQLError as error:
            raise Refused([error]) from error
        if prepared.errors:
            raise Refused(prepared.errors)
        operation = prepared.operations.get(name)
        if operation is None:
            message = (
                f"The document has no operation {name}." if name else "Say which operation: `operationName`."
            )
            raise Refused([refusal("UNKNOWN_OPERATION", message)])
        note(operation=operation.name)
        if operation.is_subscription and not over_socket:
            raise Refused([refusal("SOCKET_NEEDED", "Subscriptions run over graphql-transport-ws.")])
        context = None
        if session.claims is not None:
            context = await self._enter(session)
            note(program=context.caller.program.key, role=context.caller.role.value)
            if wrong := denied(context.caller.role, operation.reached):
                raise Refused(_forbidden(context.caller.role.value, *reach) for reach in wrong[:10])
        elif operation.reached:
            raise _unauthenticated(
                session, Unauthenticated("MISSING_TOKEN", "Send a token: `Authorization: Bearer …`.")
            )
        if errors := operation.faults(variables or {}):
            raise Refused(errors)
        return Passed(prepared, context, is_subscription=operation.is_subscription)

    async def _enter(self, session: Session) -> Context:
        assert session.claims is not None
        try:
            return Context(session, *await enter(session.claims))
        except Unauthenticated as error:
            raise _unauthenticated(session, error) from error


def _unauthenticated(session: Session, error: Unauthenticated) -> Refused:
    if session.response is not None:
        session.response.status_code = UNAUTHORIZED
    extensions = {"code": "UNAUTHENTICATED", "reason": error.reason}
    return Refused([GraphQLError(error.message, extensions=extensions)])


def _forbidden(role: str, type_name: str, field: str, path: tuple[str, ...]) -> GraphQLError:
    return GraphQLError(
        f"{role} may not ask for {type_name}.{field}.", path=list(path), extensions={"code": "FORBIDDEN"}
    )


async def _counted(results: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """The results of a subscription, which is open meanwhile."""
    with SUBSCRIPTIONS.track_inprogress():
        try:
            async for result in results:
                yield result
        finally:
            await results.aclose()


def _away(error: Exception) -> PreExecutionError:
    """The answer of an operation that met an outage where no field could tell of it. Raises any other error."""
    if outage_of(error) is None:
        raise error
    return PreExecutionError(data=None, errors=[GraphQLError(str(error), original_error=error)])


def _with_status(session: Session, result: ExecutionResult) -> ExecutionResult:
    """Status 503 where an outage left nothing of the answer, so that proxies and plain clients see it too."""
    codes = [error.extensions or {} for error in result.errors or ()]
    seconds = [extensions["retryAfter"] for extensions in codes if "retryAfter" in extensions]
    is_empty = result.data is None or not any(value is not None for value in result.data.values())
    if seconds and len(seconds) == len(codes) and is_empty and session.response is not None:
        session.response.status_code = UNAVAILABLE
        session.response.headers.update(retry_after(max(seconds)))
    return result


async def _once(result: ExecutionResult) -> AsyncGenerator[Any, None]:
    yield result


def _present(error: GraphQLError, *, hints: bool) -> GraphQLError:
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
