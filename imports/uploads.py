"""Files that come in by upload: received in pieces, once announced, and queued as a job once they are whole.

What was received stands in `import_piece` without gaps, so one number tells how far a file came. A piece that comes
again, or overlaps, adds only what is new; one that would leave a gap is refused with where to go on, and where no
digest will tell, one that says other bytes than are here. A line that breaks keeps what came; a body that is not as
long as it was said to be leaves nothing of itself. Nothing here holds more than a piece in memory, and no transaction
is open while bytes are waited for.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from base import failpoints, jobs
from base.clock import Clock
from base.database import Connection, reading, transaction
from base.errors import DomainError, Invalid, NotFound
from imports.store import ImportState

PIECE: Final = 1024 * 1024
"""Bytes of the largest piece that is stored."""
PAGE: Final = 8
"""Pieces that are read at once."""
JOB: Final = "import"

# A file that is gone by now had come whole where its digest is known; so had that of a command.
UPLOAD: Final = """
SELECT i.state, i.file_size AS size, u.digest,
       coalesce(u.received, CASE WHEN i.file_digest IS NULL THEN 0 ELSE i.file_size END) AS received
FROM import i LEFT JOIN import_upload u ON u.program_id = i.program_id AND u.import_id = i.id
WHERE i.program_id = $1 AND i.id = $2
"""
LOCK: Final = """
SELECT u.received, u.digest, i.state = 'UPLOADING' AS is_coming
FROM import_upload u JOIN import i ON i.program_id = u.program_id AND i.id = u.import_id
WHERE u.program_id = $1 AND u.import_id = $2 FOR UPDATE OF u
"""
ADD_PIECE: Final = "INSERT INTO import_piece (program_id, import_id, start, content) VALUES ($1, $2, $3, $4)"
MOVE: Final = """
UPDATE import_upload SET received = $3, moved_at = $4 WHERE program_id = $1 AND import_id = $2
"""
# What is here from $3 until $4; no piece is longer than $5.
STORED: Final = """
SELECT start, content FROM import_piece
WHERE program_id = $1 AND import_id = $2 AND start > $3::bigint - $5 AND start < $4 ORDER BY start
"""
DROP_FROM: Final = "DELETE FROM import_piece WHERE program_id = $1 AND import_id = $2 AND start >= $3"
PIECES: Final = """
SELECT start, content FROM import_piece
WHERE program_id = $1 AND import_id = $2 AND start >= $3 ORDER BY start LIMIT $4
"""
QUEUE: Final = """
UPDATE import SET state = 'QUEUED', file_digest = $3 WHERE program_id = $1 AND id = $2 AND state = 'UPLOADING'
"""
DROP_PIECES: Final = "DELETE FROM import_piece WHERE program_id = $1 AND import_id = $2"


class UploadGap(DomainError):
    """Bytes before these are missing: `received` is where to go on."""

    code = "UPLOAD_GAP"

    def __init__(self, received: int) -> None:
        super().__init__(f"{received} bytes are here: go on there")
        self.received = received


class UploadTooLong(Invalid):
    """More bytes than were announced."""

    code = "UPLOAD_TOO_LONG"


class WrongLength(Invalid):
    """A body with more or fewer bytes than its request said. Nothing of it is kept."""

    code = "WRONG_LENGTH"


class OtherBytes(Invalid):
    """What comes again is not what is here, and no digest says which is right: the file is to be announced anew."""

    code = "OTHER_BYTES"


class WrongDigest(Invalid):
    """The file is not the one that was announced. It can be sent anew, from its beginning."""

    code = "WRONG_DIGEST"


class FileGone(DomainError):
    """The file is not here any more: it was not taken to its end in time. It can be announced anew."""

    code = "FILE_GONE"


@dataclass(frozen=True, slots=True)
class Upload:
    """How far a file came, in bytes."""

    state: ImportState
    size: int
    received: int


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
    *,
    program_id: int,
    import_id: int,
    start: int,
    chunks: AsyncIterator[bytes],
    clock: Clock,
    end: int | None = None,
) -> Upload:
    """Take in what begins at `start`, keep it however it breaks off, and queue the import where it is whole now.

    `end` is where it was said to end, where that was said. Raises `UploadGap`, `UploadTooLong`, `WrongLength`,
    `OtherBytes`, `WrongDigest`, `FileGone`, and what the chunks raise.
    """
    async with reading() as connection:
        upload, announced = await _load(connection, program_id, import_id)
    if upload.state is ImportState.FAILED and upload.received < upload.size:
        raise FileGone("the file was given up: announce it anew")
    if upload.state is ImportState.DONE or (announced and upload.state is not ImportState.UPLOADING):
        return upload
    if start > upload.received:
        raise UploadGap(upload.received)
    incoming = _Incoming(program_id, import_id, start, upload.size if end is None else end, clock)
    try:
        async for chunk in chunks:
            await incoming.take(chunk)
            if incoming.is_too_long:
                break
    finally:
        if not incoming.is_too_long:
            await incoming.store()
    if incoming.is_too_long:
        await incoming.undo()
        if end is None:
            raise UploadTooLong(f"more than the {upload.size:,} bytes that were announced")
        raise WrongLength("the body has more bytes than its range")
    if end is not None and incoming.start < end:
        await incoming.undo()
        raise WrongLength("the body has fewer bytes than its range")
    return await _finish(program_id=program_id, import_id=import_id, now=clock.now())


class _Incoming:
    """Bytes on their way into pieces."""

    def __init__(self, program_id: int, import_id: int, start: int, end: int, clock: Clock) -> None:
        self._key = (program_id, import_id)
        self._end = end
        self._clock = clock
        self._held = bytearray()
        self._added_from: int | None = None  # where the first piece that this body added begins
        self.start = start
        """Where what is held begins."""
        self.is_too_long = False
        """Whether more came than should."""

    async def take(self, chunk: bytes) -> None:
        """Take what comes, and store what has become a whole piece."""
        if self.start + len(self._held) + len(chunk) > self._end:
            self.is_too_long = True
            return
        self._held += chunk
        while len(self._held) >= PIECE:
            await self.store()

    async def store(self) -> None:
        """Store the next piece, or as much of one as is held."""
        piece = bytes(self._held[:PIECE])
        if not piece:
            return
        async with transaction() as connection:
            found = await connection.fetchrow(LOCK, *self._key)
            if found is not None:  # the import may be done already, and its file gone
                await self._add(
                    connection, piece, found["received"], is_announced=found["digest"] is not None
                )
        self.start += len(piece)
        del self._held[:PIECE]

    async def _add(self, connection: Connection, piece: bytes, received: int, *, is_announced: bool) -> None:
        """Add what is new of a piece. Whoever sends the same at the same time may have been faster."""
        if received < self.start:
            raise UploadGap(received)
        known = piece[: received - self.start]
        if known and not is_announced and not await self._is_here(connection, known):
            raise OtherBytes(
                f"between {self.start:,} and {self.start + len(known):,} other bytes are here already: "
                "announce the file anew"
            )
        if len(known) == len(piece):
            return
        added = piece[len(known) :]
        await connection.execute(ADD_PIECE, *self._key, received, added)
        await connection.execute(MOVE, *self._key, received + len(added), self._clock.now())
        if self._added_from is None:
            self._added_from = received
        failpoints.reach("uploads.stored")

    async def _is_here(self, connection: Connection, known: bytes) -> bool:
        """Whether these bytes stand where they are said to."""
        end = self.start + len(known)
        rows = await connection.fetch(STORED, *self._key, self.start, end, PIECE)
        first = rows[0]["start"] if rows else self.start
        content = b"".join(row["content"] for row in rows)
        return content[self.start - first : end - first] == known

    async def undo(self) -> None:
        """Leave nothing of this body. Whoever sends the same at the same time hears of a gap, and goes on there."""
        if self._added_from is None:
            return
        async with transaction() as connection:
            found = await connection.fetchrow(LOCK, *self._key)
            if found is not None and found["is_coming"]:
                await connection.execute(DROP_FROM, *self._key, self._added_from)
                await connection.execute(MOVE, *self._key, self._added_from, self._clock.now())


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
        found = await connection.fetchrow(LOCK, program_id, import_id)
        if found is not None and found["is_coming"] and found["received"] == upload.size:
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
