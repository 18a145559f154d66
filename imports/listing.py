"""Imports as their program's people read them: how far each came, in pages, and what it refused.

An import that is RUNNING and has not moved for a while is one that nobody works on: a command that was killed, which
stopped, or an upload that waits for a worker. That is told when it is read, and stored nowhere.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, BinaryIO, Final

from base.database import Connection, reading
from imports.files import write_refusals
from imports.mapping_toml import parse_file_format
from imports.rows import RawRow, Refused
from imports.store import REFUSALS, Import, ImportState, import_of

# With what is here of its file: see `imports.uploads`.
SHOWN: Final = """
SELECT i.*, coalesce(u.received, CASE WHEN i.file_digest IS NULL THEN 0 ELSE i.file_size END) AS received,
    u.import_id IS NOT NULL AS is_uploaded
FROM import i LEFT JOIN import_upload u ON u.program_id = i.program_id AND u.import_id = i.id
WHERE i.program_id = $1
"""
ONE: Final = SHOWN + "AND i.id = $2"
NEWEST: Final = SHOWN + (
    "AND ($2::bigint IS NULL OR i.id < $2) AND ($3::text[] IS NULL OR i.state = ANY ($3)) ORDER BY i.id DESC LIMIT $4"
)
# Of each reason the row that stands first in the file.
EXAMPLES: Final = """
SELECT DISTINCT ON (code) line, first_line, code, message, column_name, cells FROM import_refusal
WHERE program_id = $1 AND import_id = $2 ORDER BY code, line
"""
PAGE: Final = 1_000
STILL: Final = timedelta(seconds=60)
"""A batch takes a second or two: what has not moved for so long is not worked on."""
STOPPED: Final = "STOPPED"
"""The code of the error of an import whose command was told to stop."""


class Standing(StrEnum):
    """How an import stands: its state, or what has become of one that is said to be RUNNING."""

    UPLOADING = "UPLOADING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    """A worker goes on with it, once there is one."""
    STOPPED = "STOPPED"
    """The same command goes on with it."""
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ShownImport:
    """An import, how many bytes of its file came, and whether it was uploaded and its file is kept."""

    stored: Import
    received: int
    is_uploaded: bool

    @property
    def progress(self) -> float:
        """From 0 to 1, by the bytes that were read."""
        one = self.stored
        if one.state is ImportState.DONE:
            return 1.0
        return min(1.0, one.bytes_read / one.file_size) if one.file_size else 0.0

    def standing(self, now: datetime) -> Standing:
        """How it stands."""
        one = self.stored
        if one.state is ImportState.FAILED and (one.error or "").startswith(f"{STOPPED}:"):
            return Standing.STOPPED
        moved = one.moved_at or one.started_at or one.created_at
        if one.state is ImportState.RUNNING and now - moved >= STILL:
            return Standing.WAITING if self.is_uploaded else Standing.STOPPED
        return Standing(one.state)


async def show_import(connection: Connection, *, program_id: int, import_id: int) -> ShownImport | None:
    """One import of the program."""
    row = await connection.fetchrow(ONE, program_id, import_id)
    return None if row is None else _shown(row)


async def list_shown(
    connection: Connection,
    *,
    program_id: int,
    states: Collection[ImportState] | None = None,
    below: int | None = None,
    first: int,
) -> list[ShownImport]:
    """The newest imports of the program, below an id and in one of these states where they are stated."""
    wanted = [one.value for one in states] if states else None
    rows = await connection.fetch(NEWEST, program_id, below, wanted, first)
    return [_shown(row) for row in rows]


def _shown(row: Any) -> ShownImport:
    return ShownImport(import_of(row), row["received"], row["is_uploaded"])


async def list_refused(
    connection: Connection, *, program_id: int, import_id: int, after: int | None, first: int
) -> list[Refused]:
    """Rows that an import refused, in the order of the file, after a line where one is stated."""
    rows = await connection.fetch(REFUSALS, program_id, import_id, -1 if after is None else after, first)
    return [_refused(row) for row in rows]


async def find_examples(connection: Connection, *, program_id: int, import_id: int) -> dict[str, Refused]:
    """Of each reason for which an import refused rows, the first such row of the file, by code."""
    rows = await connection.fetch(EXAMPLES, program_id, import_id)
    return {row["code"]: _refused(row) for row in rows}


def _refused(row: Any) -> Refused:
    raw = RawRow(row["line"], row["first_line"], tuple(row["cells"]))
    return Refused(raw, row["code"], row["message"], row["column_name"])


async def write_refused(one: Import, stream: BinaryIO) -> None:
    """Write the rows that an import refused as a file of their own, in its mapping's format, in bounded memory."""
    loop = asyncio.get_running_loop()

    def wait(work: Coroutine[Any, Any, Sequence[Refused]]) -> Sequence[Refused]:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def rows() -> Iterator[Refused]:
        page = wait(_page(one, None))
        while page:
            yield from page
            page = wait(_page(one, page[-1].raw.line)) if len(page) == PAGE else []

    await asyncio.to_thread(write_refusals, stream, one.header, parse_file_format(one.mapping), rows())


async def _page(one: Import, after: int | None) -> list[Refused]:
    async with reading() as connection:
        return await list_refused(
            connection, program_id=one.program_id, import_id=one.id, after=after, first=PAGE
        )
