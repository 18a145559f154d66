"""Files beside GraphQL: one that is sent for an import, in as many requests as it takes, and the rows it refused.

    HEAD /imports/{id}/file           how much of it is here: `Upload-Offset`, of `Upload-Length`
    PUT  /imports/{id}/file           the file, or with `Content-Range` what follows upon what is here
    GET  /imports/{id}/refused.csv    the refused rows, as a file that can be mended and imported alone

Bodies are read in a stream and stored as they come, so the limit on what a request may send does not hold here; how
large a file may be was said when it was announced. A request that breaks off loses nothing of what came before.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from tempfile import TemporaryFile
from typing import BinaryIO, Final, TypeAlias, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.access import is_allowed
from api.auth import Authenticator, Caller, LocalTokens, Unauthenticated, bearer, load_caller
from api.ids import decode_id
from api.problems import json_response, problem, unavailable
from base.clock import Clock, SystemClock
from base.database import reading
from base.errors import DomainError, Forbidden, NotFound
from base.logs import note
from base.outages import outage_of
from base.settings import Settings, signing_key
from imports.listing import write_refused
from imports.store import find_import
from imports.uploads import (
    FileGone,
    OtherBytes,
    Upload,
    UploadGap,
    UploadTooLong,
    WrongDigest,
    find_upload,
    receive,
)

UNDER: Final = "/imports/"
FILE: Final = UNDER + "{id}/file"
REFUSED: Final = UNDER + "{id}/refused.csv"
OFFSET: Final = "upload-offset"
LENGTH: Final = "upload-length"
READ: Final = 64 * 1024

RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
STATUS: Final[dict[type[DomainError], int]] = {
    NotFound: 404,
    Forbidden: 403,
    UploadGap: 409,
    OtherBytes: 409,
    FileGone: 410,
    UploadTooLong: 413,
    WrongDigest: 422,
}


class BadRange(DomainError):
    """What `Content-Range` says cannot be so."""

    code = "BAD_RANGE"


Answer: TypeAlias = Callable[[Request, Caller, int], Awaitable[Response]]


def upload_routes(
    settings: Settings, *, clock: Clock | None = None, authenticator: Authenticator | None = None
) -> list[Route]:
    """The routes of files."""
    door = _Door(authenticator or LocalTokens(signing_key(settings)), clock or SystemClock())
    return [
        Route(FILE, door.opened(door.tell, "uploadUrl"), methods=["HEAD"]),
        Route(FILE, door.opened(door.take, "uploadUrl"), methods=["PUT"]),
        Route(REFUSED, door.opened(door.refused, "refusedUrl"), methods=["GET"]),
    ]


class _Door:
    """Who may pass, and what is answered."""

    def __init__(self, authenticator: Authenticator, clock: Clock) -> None:
        self._authenticator = authenticator
        self._clock = clock

    def opened(self, answer: Answer, field: str) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint for those who may ask for that field of an import."""

        async def endpoint(request: Request) -> Response:
            try:
                caller = await self._enter(request)
                note(operation=f"import.{field}", program=caller.program.key, role=caller.role.value)
                if not is_allowed(caller.role, "Import", field):
                    raise Forbidden(f"{caller.role} may not ask for Import.{field}.")
                return await answer(request, caller, _number(request, caller))
            except Unauthenticated as error:
                challenge = {"www-authenticate": "Bearer"}
                return problem(401, "UNAUTHENTICATED", error.message, headers=challenge, reason=error.reason)
            except UploadGap as gap:
                headers = {OFFSET: str(gap.received)}
                return problem(409, gap.code, gap.message, headers=headers, received=gap.received)
            except DomainError as error:
                return problem(STATUS.get(type(error), 400), error.code, error.message)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            except Exception as error:
                if (outage := outage_of(error)) is None:
                    raise
                return unavailable(outage)

        return endpoint

    async def _enter(self, request: Request) -> Caller:
        claims = await self._authenticator.verify(bearer(request.headers.get("authorization")))
        async with reading() as connection:
            return await load_caller(connection, claims)

    async def tell(self, _: Request, caller: Caller, number: int) -> Response:
        """How much of the file is here."""
        return _told(await find_upload(program_id=caller.program.id, import_id=number))

    async def take(self, request: Request, caller: Caller, number: int) -> Response:
        """Take in what follows upon what is here."""
        upload = await find_upload(program_id=caller.program.id, import_id=number)
        start, end = _span(request, upload)
        return _told(
            await receive(
                program_id=caller.program.id,
                import_id=number,
                start=start,
                end=end,
                chunks=request.stream(),
                clock=self._clock,
            )
        )

    async def refused(self, _: Request, caller: Caller, number: int) -> Response:
        """The rows that were refused."""
        one = await find_import(program_id=caller.program.id, import_id=number)
        if one is None or not one.refused:
            raise NotFound("there are no refused rows of such an import")
        file = cast(BinaryIO, await run_in_threadpool(TemporaryFile))
        try:
            await write_refused(one, file)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        headers = {
            "content-type": "text/csv",  # in the encoding of the mapping
            "content-disposition": 'attachment; filename="refused.csv"',
            "cache-control": "no-store",
        }
        return StreamingResponse(_streamed(file), headers=headers)


def _number(request: Request, caller: Caller) -> int:
    """The import that the address names."""
    match decode_id(request.path_params["id"], caller.program.key):
        case "Import", [int(number)]:
            return number
    raise NotFound("there is no such import")


def _span(request: Request, upload: Upload) -> tuple[int, int | None]:
    """Where the body begins in the file, and where it ends, if that is said."""
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() else None
    stated = request.headers.get("content-range")
    start, end = 0, length
    if stated is not None:
        found = RANGE.fullmatch(stated)
        if found is None:
            raise BadRange("Content-Range must be like: bytes 1000-1999/2000")
        start, last = int(found[1]), int(found[2])
        if last < start or (length is not None and length != last - start + 1):
            raise BadRange("Content-Range and Content-Length do not agree")
        if found[3] != "*" and int(found[3]) != upload.size:
            raise BadRange(f"the file was announced with {upload.size} bytes")
        end = last + 1
    if end is not None and end > upload.size:
        raise UploadTooLong(f"more than the {upload.size:,} bytes that were announced")
    return start, end


def _told(upload: Upload) -> Response:
    headers = {OFFSET: str(upload.received), LENGTH: str(upload.size)}
    stated = {"state": upload.state, "received": upload.received, "size": upload.size}
    return json_response(stated, headers=headers)


async def _streamed(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while content := await run_in_threadpool(file.read, READ):
            yield content
    finally:
        file.close()
