"""The job of an import whose file was uploaded: its bytes on the worker's disk, taken in, and dropped once it is DONE.

A worker that is told to stop leaves the import at once, and another one goes on after the last batch. A fault of the
file ends the import as FAILED, with the reason; so does what a careful operator would look at first: workers that were
killed over it one after the other, or more refused rows than are kept. It can be resumed while its file is kept.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final, cast

from base.clock import Clock
from base.database import reading, transaction
from base.errors import DomainError, Invalid, NotFound
from base.jobs import Postponed
from base.logs import saying
from base.outages import outage_of
from imports.limits import ImportLimits
from imports.lines import Bounded
from imports.service import run_import
from imports.store import Import, ImportMoved, ImportState, Step, find_import, import_of
from imports.takings import Takings
from imports.uploads import FileGone, enqueue_import, read_pieces

KEPT: Final = timedelta(days=7)
"""How long a file is kept that nobody goes on with."""
MOVED_SECONDS: Final = 5
"""After which an import is looked at again that another process works on."""
DROPPED: Final = 10

FAIL: Final = """
UPDATE import SET state = 'FAILED', error = $3, finished_at = $4
WHERE program_id = $1 AND id = $2 AND state IN ('QUEUED', 'RUNNING')
"""
RESUME: Final = """
UPDATE import i SET state = 'QUEUED', error = NULL, finished_at = NULL
FROM import_upload u
WHERE i.program_id = $1 AND i.id = $2 AND i.state = 'FAILED'
  AND u.program_id = i.program_id AND u.import_id = i.id AND u.received = i.file_size
RETURNING i.*
"""
# Whoever resumes has seen why it stopped: workers are lost to it anew, and as many rows may be refused again.
FORGIVE: Final = """
UPDATE import_upload SET moved_at = $3, takings = 0, refused_from = $4 WHERE program_id = $1 AND import_id = $2
"""
REFUSED_FROM: Final = "SELECT refused_from FROM import_upload WHERE program_id = $1 AND import_id = $2"
TOUCH: Final = "UPDATE import_upload SET moved_at = $3 WHERE program_id = $1 AND import_id = $2"
# The file goes, with what is known of it: pieces before the upload that they belong to.
DROP_PIECES: Final = """
DELETE FROM import_piece p USING unnest($1::bigint[], $2::bigint[]) AS d (program_id, import_id)
WHERE p.program_id = d.program_id AND p.import_id = d.import_id
"""
DROP_UPLOADS: Final = """
DELETE FROM import_upload u USING unnest($1::bigint[], $2::bigint[]) AS d (program_id, import_id)
WHERE u.program_id = d.program_id AND u.import_id = d.import_id
"""
GIVE_UP: Final = """
UPDATE import i SET state = 'FAILED', error = 'FILE_GONE: the file did not come in time', finished_at = $3
FROM unnest($1::bigint[], $2::bigint[]) AS d (program_id, import_id)
WHERE i.program_id = d.program_id AND i.id = d.import_id AND i.state = 'UPLOADING'
"""
PROGRAM: Final = "SELECT key FROM program WHERE id = $1"
LEFT: Final = """
SELECT u.program_id, u.import_id FROM import_upload u
JOIN import i ON i.program_id = u.program_id AND i.id = u.import_id
WHERE u.moved_at < $1 AND i.state IN ('UPLOADING', 'FAILED', 'DONE')
ORDER BY u.moved_at LIMIT $2 FOR UPDATE OF u SKIP LOCKED
"""

log = logging.getLogger(__name__)


class Left(Exception):
    """The worker is to leave the import."""


class TooManyRefused(DomainError):
    """More rows are refused than are kept: the mapping may be wrong, or what the rows name is not there yet."""

    code = "TOO_MANY_REFUSED"


class ImportJob:
    """Takes uploaded files in: the work of `base.jobs`."""

    def __init__(self, clock: Clock, limits: ImportLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or ImportLimits()
        self._takings = Takings()

    async def work(self, payload: bytes, leave: asyncio.Event) -> None:
        """Take the import that the payload names to its end. Raises `Postponed` where it is not its end."""
        program_id, import_id = map(int, payload.split(b"/"))
        one = await find_import(program_id=program_id, import_id=import_id)
        if one is not None and one.state in (ImportState.QUEUED, ImportState.RUNNING):
            with saying(**await _told(one)):
                await self._take(one, leave)
            one = await find_import(program_id=program_id, import_id=import_id)
        if one is not None and one.state is ImportState.DONE:
            await drop_files([(program_id, import_id)])

    async def _take(self, one: Import, leave: asyncio.Event) -> None:
        log.info("an import goes on" if one.position else "an import begins", extra=_counts(one))
        try:
            await self._takings.begin(one)
            await self._run(one, leave)
        except Left as left:
            await self._takings.end(one)
            await self._say(one, "an import is left to another worker")
            raise Postponed from left
        except ImportMoved as moved:
            await self._takings.end(one)
            raise Postponed(MOVED_SECONDS) from moved
        except Exception as error:
            await self._takings.end(one)
            if outage_of(error) is not None:
                raise  # it is tried again later
            if leave.is_set():
                await self._say(one, "an import is left to another worker")
                raise Postponed from error  # it may be another worker's by now
            await self._fail(one, error)
            await self._say(one, "an import failed")
        else:
            await self._takings.end(one)
            await self._say(one, "an import is done")

    async def _say(self, one: Import, event: str) -> None:
        """Log what became of it, with its counts as they are by now; where they cannot be read, without."""
        now: Import | None = None
        with suppress(Exception):
            now = await find_import(program_id=one.program_id, import_id=one.id)
        log.info(event, extra=_counts(now) if now is not None else {})

    async def _run(self, one: Import, leave: asyncio.Event) -> None:
        def check() -> None:
            if leave.is_set():
                raise Left

        async with reading() as connection:
            allowed = await connection.fetchval(REFUSED_FROM, one.program_id, one.id) or 0
        allowed += self._limits.refused
        refused = one.refused

        def tell(step: Step) -> None:
            nonlocal refused
            check()
            refused += len(step.refused)
            if refused > allowed:
                raise TooManyRefused(
                    f"{refused:,} rows are refused so far: look at their reasons, and mend the mapping or what they "
                    f"name; importResume goes on, to {self._limits.refused:,} more"
                )

        async with _on_disk(one, check) as file:
            stream = Bounded(file, check=check, unpacked=self._limits.unpacked)
            await run_import(
                program_id=one.program_id,
                import_id=one.id,
                stream=cast(BinaryIO, stream),
                clock=self._clock,
                tell=tell,
            )

    async def _fail(self, one: Import, error: Exception) -> None:
        """What was recorded stands; the reason is told, and the import can be resumed."""
        if isinstance(error, DomainError):
            told = f"{error.code}: {error.message}"
        else:
            log.error("import %d of program %d failed", one.id, one.program_id, exc_info=error)
            told = "INTERNAL: something went wrong on our side"
        async with transaction() as connection:
            now = self._clock.now()
            await connection.execute(FAIL, one.program_id, one.id, told, now)
            await connection.execute(TOUCH, one.program_id, one.id, now)


async def _told(one: Import) -> dict[str, Any]:
    """What stands on each line of the log about an import."""
    async with reading() as connection:
        key = await connection.fetchval(PROGRAM, one.program_id)
    return {"program": key, "import": one.id, "kind": one.kind.value, "file": one.file_name}


def _counts(one: Import) -> dict[str, Any]:
    counts = {name: getattr(one, name) for name in ("read", "recorded", "duplicates", "refused")}
    return {"line": one.position} | counts | ({"reason": one.error} if one.error else {})


@asynccontextmanager
async def _on_disk(one: Import, check: Callable[[], None]) -> AsyncIterator[BinaryIO]:
    """The file, whole, without a name on the worker's disk: it is gone when the worker is, however that ends."""
    with await asyncio.to_thread(TemporaryFile) as file:
        async for piece in read_pieces(program_id=one.program_id, import_id=one.id):
            check()
            await asyncio.to_thread(file.write, piece)
        if file.tell() != one.file_size:
            raise FileGone("the file is not here any more: announce it anew")
        file.seek(0)
        yield cast(BinaryIO, file)


async def resume_import(*, program_id: int, import_id: int, now: datetime) -> Import:
    """Queue a FAILED import once more; one that goes on by itself, or is DONE, is answered as it stands.

    NOT_FOUND, FILE_GONE, UPLOAD_INCOMPLETE.
    """
    async with transaction() as connection:
        row = await connection.fetchrow(RESUME, program_id, import_id)
        if row is not None:
            await connection.execute(FORGIVE, program_id, import_id, now, row["refused"])
            await enqueue_import(connection, program_id=program_id, import_id=import_id)
            return import_of(row)
    one = await find_import(program_id=program_id, import_id=import_id)
    if one is None:
        raise NotFound("there is no such import", field=["id"])
    if one.state is ImportState.UPLOADING:
        raise Invalid("its file is not here yet", code="UPLOAD_INCOMPLETE", field=["id"])
    if one.state is ImportState.FAILED:
        raise FileGone("its file is not here any more: announce it anew", field=["id"])
    return one


async def drop_files(keys: list[tuple[int, int]]) -> None:
    """Drop the files of these imports: (program, import)."""
    columns = [program for program, _ in keys], [number for _, number in keys]
    async with transaction() as connection:
        await connection.execute(DROP_PIECES, *columns)
        await connection.execute(DROP_UPLOADS, *columns)


async def drop_abandoned(now: datetime) -> None:
    """Drop the files that nobody has gone on with for `KEPT`; imports that waited for theirs have FAILED."""
    while True:
        async with transaction() as connection:
            left = await connection.fetch(LEFT, now - KEPT, DROPPED)
            columns = [row["program_id"] for row in left], [row["import_id"] for row in left]
            await connection.execute(GIVE_UP, *columns, now)
            await connection.execute(DROP_PIECES, *columns)
            await connection.execute(DROP_UPLOADS, *columns)
        if len(left) < DROPPED:
            return
