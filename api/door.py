"""The schema as it is served: every operation passes here before it runs.

In this order: the document (parsed, limited, validated: `api.documents`), who calls (`api.auth`), whether the role may
ask for every field (`api.access`), what the operation costs with its variables (`api.pricing`). What does not pass runs
not at all, and answers errors with a code.

Errors leave by here too, as `api.leaving` makes them. A query or mutation that takes too long is given up.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any, Final

import strawberry
from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ExecutionContext, ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from api.access import denied
from api.auth import Unauthenticated
from api.context import Context, Session, enter
from api.documents import Documents, Prepared, refusal
from api.leaving import away, present, with_status
from base.logs import note, note_code
from base.telemetry import gauge

UNAUTHORIZED: Final = 401
OPERATION_SECONDS: Final = 60.0
"""How long a query or mutation may take over HTTP; what it began is rolled back then."""
SUBSCRIPTIONS: Final = gauge("mitra_subscriptions", "Subscriptions that are open.")


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
            result = away(error)
        return with_status(context_value, self._presented(result))

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
            return _once(self._presented(away(error)))
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
            yield ExecutionResult(data=None, errors=self._present(away(error).errors or ()))
        finally:
            await results.aclose()

    def _presented(self, result: ExecutionResult) -> ExecutionResult:
        if result.errors:
            result.errors = self._present(result.errors)
        return result

    def _present(self, errors: Iterable[GraphQLError]) -> list[GraphQLError]:
        """Errors as a client gets them, each with a code."""
        presented = [present(error, hints=self._hints) for error in errors]
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


async def _once(result: ExecutionResult) -> AsyncGenerator[Any, None]:
    yield result
