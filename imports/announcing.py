"""Files that are announced, before anything of them is sent: what cannot be taken is refused here.

What a program has announced and not had taken in yet is bounded, by count and by bytes, so that one program does not
fill the disk of all.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Final

from base.database import Connection, transaction
from base.errors import Invalid
from imports.limits import UploadLimits
from imports.service import WAYS
from imports.store import Import, ImportKind, import_of
from imports.toml import InvalidMapping
from partners.checks import check_name

DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
LOCK_CLASS: Final = 0x55504C44
"""Of the advisory locks, by program, of whoever announces: "UPLD"."""

# One after the other in a program: the same file is announced once, and the limits hold.
ALONE: Final = "SELECT pg_advisory_xact_lock($1, ($2::bigint % 2147483647)::integer)"
# The same file with the same mapping, uploaded and not taken to its end yet: whoever announces it again means to go on.
UNFINISHED: Final = """
SELECT i.* FROM import i JOIN import_upload u ON u.program_id = i.program_id AND u.import_id = i.id
WHERE i.program_id = $1 AND i.kind = $2 AND u.digest = $3 AND i.mapping = $4 AND i.history = $5 AND i.state <> 'DONE'
ORDER BY i.id DESC LIMIT 1
"""
# All files of the program that are kept, or to come.
HELD: Final = """
SELECT count(*) AS files, coalesce(sum(i.file_size), 0)::bigint AS bytes
FROM import_upload u JOIN import i ON i.program_id = u.program_id AND i.id = u.import_id
WHERE u.program_id = $1 AND i.state <> 'DONE'
"""
ADD: Final = """
INSERT INTO import (program_id, kind, state, file_name, file_size, mapping, history, created_by, created_at)
VALUES ($1, $2, 'UPLOADING', $3, $4, $5, $6, $7, $8) RETURNING *
"""
ADD_UPLOAD: Final = (
    "INSERT INTO import_upload (program_id, import_id, digest, moved_at) VALUES ($1, $2, $3, $4)"
)


class FileTooLarge(Invalid):
    """A file that is larger than this installation takes."""

    code = "FILE_TOO_LARGE"


class TooManyUploads(Invalid):
    """The program has announced as much as it may before some of it is taken in."""

    code = "TOO_MANY_UPLOADS"


@dataclass(frozen=True, slots=True)
class Announced:
    """A file that is to come. `digest` is its SHA-256, in hexadecimal digits, where its sender knows it."""

    kind: ImportKind
    file_name: str
    size: int
    mapping: str
    history: bool = False
    digest: str | None = None


async def create_upload(
    *, program_id: int, given: Announced, limits: UploadLimits, created_by: str, now: datetime
) -> Import:
    """An import that waits for its file; or the unfinished one of the same file and mapping, where the digest tells.

    FILE_TOO_LARGE, TOO_MANY_UPLOADS, NOT_POSITIVE, INVALID_NAME, INVALID_DIGEST, INVALID_MAPPING.
    """
    digest = _check(given, limits.largest)
    async with transaction() as connection:
        await connection.execute(ALONE, LOCK_CLASS, program_id)
        if digest is not None:
            same = (given.kind, digest, given.mapping, given.history)
            found = await connection.fetchrow(UNFINISHED, program_id, *same)
            if found is not None:
                return import_of(found)
        await _check_room(connection, program_id, given.size, limits)
        told = (given.file_name, given.size, given.mapping, given.history, created_by, now)
        added = import_of(await connection.fetchrow(ADD, program_id, given.kind, *told))
        await connection.execute(ADD_UPLOAD, program_id, added.id, digest, now)
    return added


def _check(given: Announced, largest: int) -> bytes | None:
    """The digest of what was announced, once all of it can be taken."""
    check_name(given.file_name, ["fileName"])
    if given.file_name != PurePath(given.file_name).name:
        raise Invalid("a name, without folders", code="INVALID_NAME", field=["fileName"])
    if given.size < 1:
        raise Invalid("an empty file holds nothing", code="NOT_POSITIVE", field=["size"])
    if given.size > largest:
        raise FileTooLarge(f"at most {largest:,} bytes are taken: split the file", field=["size"])
    if given.digest is not None and not DIGEST.fullmatch(given.digest.lower()):
        raise Invalid("64 hexadecimal digits of a SHA-256", code="INVALID_DIGEST", field=["digest"])
    try:
        WAYS[given.kind].parse(given.mapping)
    except InvalidMapping as error:
        raise InvalidMapping(error.message, field=["mapping", *error.field]) from error
    return None if given.digest is None else bytes.fromhex(given.digest)


async def _check_room(connection: Connection, program_id: int, size: int, limits: UploadLimits) -> None:
    """Raises `TooManyUploads`."""
    held = await connection.fetchrow(HELD, program_id)
    if held["files"] >= limits.files:
        raise TooManyUploads(
            f"{held['files']:,} files of this program are not taken in yet, and no more may be announced: "
            "send those, or wait until some are DONE"
        )
    if held["bytes"] + size > limits.bytes:
        raise TooManyUploads(
            f"files of {held['bytes']:,} bytes of this program are not taken in yet, and at most {limits.bytes:,} may "
            "be announced: send those, or wait until some are DONE",
            field=["size"],
        )
