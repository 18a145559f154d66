"""Files beside GraphQL: one that is sent for an import, in as many requests as it takes, and the rows it refused.

    HEAD /imports/{id}/file           how much of it is here: `Upload-Offset`, of `Upload-Length`
    PUT  /imports/{id}/file           the file, or with `Content-Range` what follows upon what is here
    GET  /imports/{id}/refused.csv    the refused rows, as a file that can be mended and imported alone

Bodies are read in a stream and stored as they come, so the limit on what a request may send does not hold here; how
large a file may be was said when it was announced. A request that breaks off loses nothing of what came before.
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth import Authenticator
from api.context import Context
from api.files import STATUS, FileDoor, refusal, send_csv, written_file
from api.ids import decode_id
from api.problems import json_response, problem
from base.clock import Clock
from base.errors import DomainError, NotFound
from base.settings import Settings
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

RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
OF_UPLOADS: Final = STATUS | {
    UploadGap: 409,
    OtherBytes: 409,
    FileGone: 410,
    UploadTooLong: 413,
    WrongDigest: 422,
}


class BadRange(DomainError):
    """What `Content-Range` says cannot be so."""

    code = "BAD_RANGE"


def upload_routes(
    settings: Settings, *, clock: Clock | None = None, authenticator: Authenticator | None = None
) -> list[Route]:
    """The routes of files."""
    door = FileDoor(settings, clock=clock, authenticator=authenticator)
    sent, refused = ("Import", "uploadUrl"), ("Import", "refusedUrl")
    return [
        Route(FILE, door.opened(_tell, of=sent, refuse=_refuse), methods=["HEAD"]),
        Route(FILE, door.opened(_take, of=sent, refuse=_refuse), methods=["PUT"]),
        Route(REFUSED, door.opened(_refused, of=refused, refuse=_refuse), methods=["GET"]),
    ]


def _refuse(error: DomainError) -> Response:
    if isinstance(error, UploadGap):
        headers = {OFFSET: str(error.received)}
        return problem(409, error.code, error.message, headers=headers, received=error.received)
    return refusal(error, OF_UPLOADS)


async def _tell(request: Request, context: Context) -> Response:
    """How much of the file is here."""
    number = _number(request, context)
    return _told(await find_upload(program_id=context.program_id, import_id=number))


async def _take(request: Request, context: Context) -> Response:
    """Take in what follows upon what is here."""
    number = _number(request, context)
    upload = await find_upload(program_id=context.program_id, import_id=number)
    start, end = _span(request, upload)
    return _told(
        await receive(
            program_id=context.program_id,
            import_id=number,
            start=start,
            end=end,
            chunks=request.stream(),
            clock=context.session.clock,
        )
    )


async def _refused(request: Request, context: Context) -> Response:
    """The rows that were refused."""
    one = await find_import(program_id=context.program_id, import_id=_number(request, context))
    if one is None or not one.refused:
        raise NotFound("there are no refused rows of such an import")
    async with written_file() as file:
        await write_refused(one, file)
    return send_csv(file, "refused.csv")  # in the encoding of the mapping


def _number(request: Request, context: Context) -> int:
    """The import that the address names."""
    match decode_id(request.path_params["id"], context.caller.program.key):
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
