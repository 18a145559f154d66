"""The door of what travels beside GraphQL as a file: who may pass, what is at hand, and how it is refused.

A file belongs to a field of the schema, the one that tells its address: whoever may ask for that field may have the
file. Refusals have the form of GraphQL's own errors, with a status.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final, TypeAlias, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from api.access import is_allowed
from api.auth import Authenticator, LocalTokens, Unauthenticated, bearer
from api.context import Context, Session, enter
from api.problems import problem, unavailable
from base.clock import Clock, SystemClock
from base.errors import DomainError, Forbidden, NotFound
from base.logs import note
from base.outages import outage_of
from base.settings import Settings, signing_key

STATUS: Final[dict[type[DomainError], int]] = {NotFound: 404, Forbidden: 403}
READ: Final = 64 * 1024
UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")

Answer: TypeAlias = Callable[[Request, Context], Awaitable[Response]]
Refuse: TypeAlias = Callable[[DomainError], Response]


def refusal(error: DomainError, statuses: Mapping[type[DomainError], int] = STATUS) -> Response:
    """An error as an answer: 400, unless its own type has another status."""
    where: dict[str, Any] = {"field": list(error.field)} if error.field else {}
    return problem(statuses.get(type(error), 400), error.code, error.message, **where)


class FileDoor:
    """Who may pass, and with what at hand."""

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, authenticator: Authenticator | None = None
    ) -> None:
        self._authenticator = authenticator or LocalTokens(signing_key(settings))
        self._clock = clock or SystemClock()

    def opened(
        self, answer: Answer, *, of: tuple[str, str], refuse: Refuse = refusal
    ) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint for those who may ask for that (type, field)."""
        type_name, field = of

        async def endpoint(request: Request) -> Response:
            try:
                context = await self._enter(request)
                caller = context.caller
                operation = f"{type_name[0].lower()}{type_name[1:]}.{field}"
                note(operation=operation, program=caller.program.key, role=caller.role.value)
                if not is_allowed(caller.role, type_name, field):
                    raise Forbidden(f"{caller.role} may not ask for {type_name}.{field}.")
                return await answer(request, context)
            except Unauthenticated as error:
                challenge = {"www-authenticate": "Bearer"}
                return problem(401, "UNAUTHENTICATED", error.message, headers=challenge, reason=error.reason)
            except DomainError as error:
                return refuse(error)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            except Exception as error:
                if (outage := outage_of(error)) is None:
                    raise
                return unavailable(outage)

        return endpoint

    async def _enter(self, request: Request) -> Context:
        claims = await self._authenticator.verify(bearer(request.headers.get("authorization")))
        session = Session(self._clock, request.headers.get("accept-language"), claims)
        return Context(session, *await enter(claims))


@asynccontextmanager
async def written_file() -> AsyncIterator[BinaryIO]:
    """A temporary file to write an answer into, and then to send; it is closed where writing fails.

    What is written first holds neither a connection nor a snapshot of the database while a slow client reads.
    """
    file = cast(BinaryIO, await run_in_threadpool(TemporaryFile))
    try:
        yield file
        file.seek(0)
    except BaseException:
        file.close()
        raise


def plain_name(text: str) -> str:
    """Text as a part of a file's name: letters and digits of ASCII, dots, dashes and underscores; no more than 64."""
    return UNSAFE.sub("-", text)[:64].strip("-.")


def send_csv(file: BinaryIO, name: str, *, language: str | None = None) -> Response:
    """A written file as an answer to be saved under `name`: ASCII without quotes. It is closed at the end.

    One in a language is for people, and in UTF-8.
    """
    headers = {
        "content-type": "text/csv",
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    if language is not None:
        headers |= {"content-type": "text/csv; charset=utf-8", "content-language": language}
        headers["vary"] = "accept-language"
    return StreamingResponse(_streamed(file), headers=headers)


async def _streamed(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while content := await run_in_threadpool(file.read, READ):
            yield content
    finally:
        file.close()
