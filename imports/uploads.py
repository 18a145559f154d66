"""Files that come in by upload: announced, received in pieces, and queued as a job once they are whole.

What was received stands in `import_piece` without gaps, so one number tells how far a file came. A piece that comes
again, or overlaps, adds only what is new; one that would leave a gap is refused with where to go on. Nothing here holds
more than a piece in memory, and no transaction is open while bytes are waited for.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Final

from base import failpoints, jobs
from base.clock import Clock
from base.database import Connection, reading, transaction
from base.errors import DomainError, Invalid, NotFound
from imports.service import WAYS
from imports.store import Import, ImportKind, ImportState, import_of
from imports.toml import InvalidMapping
from partners.checks import check_name

PIECE: Final = 1024 * 1024
"""Bytes of the largest piece that is stored."""
PAGE: Final = 8
"""Pieces that are read at once."""
DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
JOB: Final = "import"

# The same file with the same mapping, uploaded and not taken to its end yet: whoever announces it again means to go on.
UNFINISHED: Final = """
SELECT i.* FROM import i JOIN import_upload u ON u.program_id = i.program_id AND u.import_id = i.id
WHERE i.program_id = $1 AND i.kind = $2 AND u.digest = $3 AND i.mapping = $4 AND i.history = $5 AND i.state <> 'DONE'
ORDER BY i.id DESC LIMIT 1
"""
ADD: Final = """
INSERT INTO import (program_id, kind, state, file_name, file_size, mapping, history, created_by, created_at)
VALUES ($1, $2, 'UPLOADING', $3, $4, $5, $6, $7, $8) RETURNING *
"""
ADD_UPLOAD: Final = (
    "INSERT INTO import_upload (program_id, import_id, digest, moved_at) VALUES ($1, $2, $3, $4)"
)
# A file that is gone by now had come whole where its digest is known; so had that of a command.
UPLOAD: Final = """
SELECT i.state, i.file_size AS size, u.digest,
       coalesce(u.received, CASE WHEN i.file_digest IS NULL THEN 0 ELSE i.file_size END) AS received
FROM import i LEFT JOIN import_upload u ON u.program_id = i.program_id AND u.import_id = i.id
WHERE i.program_id = $1 AND i.id = $2
"""
LOCK: Final = """
SELECT u.received FROM import_upload u JOIN import i ON i.program_id = u.program_id AND i.id = u.import_id
WHERE u.program_id = $1 AND u.import_id = $2 AND i.state = 'UPLOADING' FOR UPDATE OF u
"""
ADD_PIECE: Final = "INSERT INTO import_piece (program_id, import_id, start, content) VALUES ($1, $2, $3, $4)"
MOVE: Final = """
UPDATE import_upload SET received = $3, moved_at = $4 WHERE program_id = $1 AND import_id = $2
"""
PIECES: Final = """
SELECT start, content FROM import_piece
WHERE program_id = $1 AND import_id = $2 AND start >= $3 ORDER BY start LIMIT $4
"""
QUEUE: Final = """
UPDATE import SET state = 'QUEUED', file_digest = $3 WHERE program_id = $1 AND id = $2 AND state = 'UPLOADING'
"""
DROP_PIECES: Final = "DELETE FROM import_piece WHERE program_id = $1 AND import_id = $2"


class FileTooLarge(Invalid):
    """A file that is larger than this installation takes."""

    code = "FILE_TOO_LARGE"


class UploadGap(DomainError):
    """Bytes before these are missing: `received` is where to go on."""

    code = "UPLOAD_GAP"

    def __init__(self, received: int) -> None:
        super().__init__(f"{received} bytes are here: go on there")
        self.received = received


class UploadTooLong(Invalid):
    """More bytes than were announced."""

    code = "UPLOAD_TOO_LONG"


class WrongDigest(Invalid):
    """The file is not the one that was announced. It can be sent anew, from its beginning."""

    code = "WRONG_DIGEST"


class FileGone(DomainError):
    """The file is not here any more: it was not taken to its end in time. It can be announced anew."""

    code = "FILE_GONE"


@dataclass(frozen=True, slots=True)
class Announced:
    """A file that is to come. `digest` is its SHA-256, in hexadecimal digits, where its sender knows it."""

    kind: ImportKind
    file_name: str
    size: int
    mapping: str
    history: bool = False
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """How far a file came, in bytes."""

    state: ImportState
    size: int
    received: int


async def create_upload(
    *, program_id: int, given: Announced, largest: int, created_by: str, now: datetime
) -> Import:
    """An import that waits for its file; or the unfinished one of the same file and mapping, where the digest tells.

    FILE_TOO_LARGE beyond `largest` bytes, NOT_POSITIVE, INVALID_NAME, INVALID_DIGEST, INVALID_MAPPING.
    """
    digest = _check(given, largest)
    async with transaction() as connection:
        if digest is not None:
            same = (given.kind, digest, given.mapping, given.history)
            found = await connection.fetchrow(UNFINISHED, program_id, *same)
            if found is not None:
                return import_of(found)
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


async def find_upload(*, program_id: int, import_id: int) -> Upload:
    """How far a file came. NOT_FOUND."""
    async with reading() as connection:
        upload, _ = await _load(connection, program_id, import_id)
    return upload


async def _load(connection: Connection, program_id: int, import_id: int) -> tuple[Upload, bytes | None]:
    row = await connection.fetchrow(UPLOAD, program_id, import_id)
    if row is None:
        raise NotFound("there is no such import", field=["id"])
    return Upload(ImportState(row["state"]), row["size"], row["received"]), row["digest"]


async def receive(
    *, program_id: int, import_id: int, start: int, chunks: AsyncIterator[bytes], clock: Clock
) -> Upload:
    """Take in what begins at `start`, keep it however it breaks off, and queue the import where it is whole now.

    Raises `UploadGap`, `UploadTooLong`, `WrongDigest`, `FileGone`, and what the chunks raise.
    """
    upload = await find_upload(program_id=program_id, import_id=import_id)
    if upload.state is ImportState.FAILED and upload.received < upload.size:
        raise FileGone("the file was given up: announce it anew")
    if upload.state is not ImportState.UPLOADING:
        return upload
    if start > upload.received:
        raise UploadGap(upload.received)
    incoming = _Incoming(program_id, import_id, start, upload.size, clock)
    try:
        async for chunk in chunks:
            await incoming.take(chunk)
    finally:
        await incoming.store()
    return await _finish(program_id=program_id, import_id=import_id, now=clock.now())


class _Incoming:
    """Bytes on their way into pieces."""

    def __init__(self, program_id: int, import_id: int, start: int, size: int, clock: Clock) -> None:
        self._key = (program_id, import_id)
        self._start = start
        self._size = size
        self._clock = clock
        self._held = bytearray()

    async def take(self, chunk: bytes) -> None:
        """Take what fits, and store what has become a whole piece."""
        room = self._size - self._start - len(self._held)
        if len(chunk) > room:
            self._held.clear()  # a file that is cut must not look whole
            raise UploadTooLong(f"more than the {self._size:,} bytes that were announced")
        self._held += chunk
        while len(self._held) >= PIECE:
            await self.store()

    async def store(self) -> None:
        """Store the next piece, or as much of one as is held."""
        piece = bytes(self._held[:PIECE])
        if not piece:
            return
        async with transaction() as connection:
            received = await connection.fetchval(LOCK, *self._key)
            # Whoever sends the same at the same time may have been faster; the import may be on its way already.
            if received is not None and received < self._start + len(piece):
                if received < self._start:
                    raise UploadGap(received)
                added = piece[received - self._start :]
                await connection.execute(ADD_PIECE, *self._key, received, added)
                await connection.execute(MOVE, *self._key, received + len(added), self._clock.now())
                failpoints.reach("uploads.stored")
        self._start += len(piece)
        del self._held[:PIECE]


async def _finish(*, program_id: int, import_id: int, now: datetime) -> Upload:
    """Queue the import where its file is whole, and what was announced."""
    async with reading() as connection:
        upload, announced = await _load(connection, program_id, import_id)
    if upload.state is not ImportState.UPLOADING or upload.received < upload.size:
        return upload
    digest = hashlib.sha256()
    async for piece in read_pieces(program_id=program_id, import_id=import_id):
        await asyncio.to_thread(digest.update, piece)
    is_right = announced is None or digest.digest() == announced
    async with transaction() as connection:
        if await connection.fetchval(LOCK, program_id, import_id) == upload.size:
            if is_right and await _queue(connection, program_id, import_id, digest.digest()):
                await enqueue_import(connection, program_id=program_id, import_id=import_id)
                failpoints.reach("uploads.queued")
            elif not is_right:
                await connection.execute(DROP_PIECES, program_id, import_id)
                await connection.execute(MOVE, program_id, import_id, 0, now)
        upload, _ = await _load(connection, program_id, import_id)
    if not is_right and upload.state is ImportState.UPLOADING:
        raise WrongDigest("the file is not the one that was announced: send it anew, from its beginning")
    return upload


async def _queue(connection: Connection, program_id: int, import_id: int, digest: bytes) -> bool:
    """Whether this was the one that queued it: of two that bring the last piece at once, one is."""
    queued: str = await connection.execute(QUEUE, program_id, import_id, digest)
    return queued == "UPDATE 1"


async def read_pieces(*, program_id: int, import_id: int) -> AsyncIterator[bytes]:
    """What is here of a file, from its beginning, a few pieces in memory at a time."""
    start = 0
    while True:
        async with reading() as connection:
            rows = await connection.fetch(PIECES, program_id, import_id, start, PAGE)
        for row in rows:
            if row["start"] != start:
                return  # it was dropped meanwhile, and is sent anew
            yield row["content"]
            start += len(row["content"])
        if len(rows) < PAGE:
            return


async def enqueue_import(connection: Connection, *, program_id: int, import_id: int) -> None:
    """Have a worker take the import up. Its state changes with it, so it waits once."""
    payload = f"{program_id}/{import_id}".encode()
    await jobs.enqueue(connection, JOB, payload, behalf=str(program_id))
