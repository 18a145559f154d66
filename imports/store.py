"""Imports as rows: where each stands, what it refused, and which rows made activities.

What a batch of rows came to is saved as one `Step`, in the transaction that records the batch: a kill at any point
leaves the counts, the position and the journal agreeing. Two processes may take up the same import; the position
decides which of them goes on, and the other one hears `ImportMoved`.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from base.database import Connection, reading, transaction
from base.errors import DomainError
from imports.documents import Known
from imports.rows import Refused

# The same file with the same mapping, not taken to its end yet: whoever sends it again means to go on.
UNFINISHED: Final = """
SELECT * FROM import
WHERE program_id = $1 AND kind = $2 AND file_digest = $3 AND mapping = $4 AND history = $5 AND state <> 'DONE'
ORDER BY id DESC LIMIT 1
"""
ADD: Final = """
INSERT INTO import
    (program_id, kind, state, file_name, file_digest, file_size, mapping, history, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *
"""
ONE: Final = "SELECT * FROM import WHERE program_id = $1 AND id = $2"
START: Final = """
UPDATE import SET state = 'RUNNING', started_at = coalesce(started_at, $3), header = $4, error = NULL
WHERE program_id = $1 AND id = $2 AND state <> 'DONE' RETURNING *
"""
# $3 is where this batch began: nobody else has taken these rows meanwhile.
MOVE: Final = """
UPDATE import SET position = $4, bytes_read = greatest(bytes_read, $5), read = read + $6, recorded = recorded + $7,
    duplicates = duplicates + $8, duplicates_in = duplicates_in + $9, refused = refused + $10,
    activities = activities + $11, reasons = $12::text::jsonb, posted_through = greatest(posted_through, $13),
    moved_at = $14
WHERE program_id = $1 AND id = $2 AND position = $3 AND state = 'RUNNING'
"""
REASONS: Final = "SELECT reasons FROM import WHERE program_id = $1 AND id = $2 FOR NO KEY UPDATE"
END: Final = """
UPDATE import SET state = $3, error = $4, finished_at = $5,
    bytes_read = CASE $3 WHEN 'DONE' THEN file_size ELSE bytes_read END
WHERE program_id = $1 AND id = $2 AND state = 'RUNNING' RETURNING *
"""
# Rows that were taken meanwhile do not come back: then the batch is decided again.
REMEMBER: Final = """
INSERT INTO import_row (program_id, source, document, digest, import_id)
SELECT $1, $2, r.document, r.digest, $3 FROM unnest($4::text[], $5::bytea[]) AS r (document, digest)
ON CONFLICT DO NOTHING
"""
REMEMBER_DOCUMENTS: Final = """
INSERT INTO import_document (program_id, source, document, import_id)
SELECT $1, $2, document, $3 FROM unnest($4::text[]) AS d (document)
ON CONFLICT DO NOTHING
"""
KNOWN_ROWS: Final = """
SELECT r.document, r.digest, r.import_id
FROM unnest($3::text[], $4::bytea[]) AS w (document, digest)
JOIN import_row r ON r.program_id = $1 AND r.source = $2 AND r.document = w.document AND r.digest = w.digest
"""
KNOWN_DOCUMENTS: Final = """
SELECT document, import_id FROM import_document
WHERE program_id = $1 AND source = $2 AND document = ANY($3::text[])
"""
REFUSALS: Final = """
SELECT line, first_line, code, message, column_name, cells FROM import_refusal
WHERE program_id = $1 AND import_id = $2 AND line > $3 ORDER BY line LIMIT $4
"""
REFUSAL_COLUMNS: Final = (
    "program_id", "import_id", "line", "first_line", "code", "message", "column_name", "cells",
)  # fmt: skip


class ImportKind(StrEnum):
    """What a file holds."""

    SALES = "SALES"
    PARTNERS = "PARTNERS"
    PRODUCTS = "PRODUCTS"
    BALANCES = "BALANCES"


class ImportState(StrEnum):
    """UPLOADING until the file is whole; QUEUED until a worker takes it; FAILED can be taken up again."""

    UPLOADING = "UPLOADING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class ImportMoved(DomainError):
    """Another process works on this import."""

    code = "IMPORT_RUNNING"


@dataclass(frozen=True, slots=True)
class Import:
    """An import as it stands. Of the rows `read`, each is `recorded`, one of the `duplicates`, or `refused`.

    `duplicates_in` are those of the duplicates that repeat a row of the same file; `reasons` counts the refused by
    code; `position` is the first line still to be read; `activities` is how many of its kind were recorded.
    """

    program_id: int
    id: int
    kind: ImportKind
    state: ImportState
    file_name: str
    file_digest: bytes | None
    file_size: int
    mapping: str
    history: bool
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    moved_at: datetime | None
    header: Sequence[str]
    position: int
    bytes_read: int
    read: int
    recorded: int
    duplicates: int
    duplicates_in: int
    refused: int
    activities: int
    reasons: Mapping[str, int]
    posted_through: datetime | None
    error: str | None


@dataclass(slots=True)
class Step:
    """What became of the rows between two positions."""

    start: int
    position: int = 0
    bytes_read: int = 0
    recorded: int = 0
    duplicates: int = 0
    duplicates_in: int = 0
    activities: int = 0
    refused: list[Refused] = field(default_factory=list)
    rows: list[tuple[str, bytes]] = field(default_factory=list)
    """(document, digest) of the rows that made activities."""
    posted_through: datetime | None = None

    @property
    def read(self) -> int:
        """Each row is accounted for once."""
        return self.recorded + self.duplicates + len(self.refused)


def import_of(row: Any) -> Import:
    stored = {one.name: row[one.name] for one in dataclasses.fields(Import)}
    read = {
        "kind": ImportKind(row["kind"]),
        "state": ImportState(row["state"]),
        "reasons": orjson.loads(row["reasons"]),
    }
    return Import(**stored | read)


async def begin_import(
    *,
    program_id: int,
    kind: ImportKind,
    file_name: str,
    file_digest: bytes,
    file_size: int,
    mapping: str,
    history: bool,
    created_by: str,
    now: datetime,
) -> Import:
    """The unfinished import of the same file with the same mapping, or a new one."""
    async with transaction() as connection:
        found = await connection.fetchrow(UNFINISHED, program_id, kind, file_digest, mapping, history)
        if found is not None:
            return import_of(found)
        given = (file_name, file_digest, file_size, mapping, history, created_by, now)
        added = await connection.fetchrow(ADD, program_id, kind, ImportState.QUEUED, *given)
    return import_of(added)


async def find_import(*, program_id: int, import_id: int) -> Import | None:
    """An import of this program."""
    async with reading() as connection:
        row = await connection.fetchrow(ONE, program_id, import_id)
    return None if row is None else import_of(row)


async def start_import(one: Import, *, header: Sequence[str], now: datetime) -> Import:
    """Begin, or take up again. Raises `ImportMoved` where it was taken to its end meanwhile."""
    async with transaction() as connection:
        row = await connection.fetchrow(START, one.program_id, one.id, now, list(header))
    if row is None:
        raise ImportMoved("the import is done")
    return import_of(row)


async def end_import(one: Import, *, state: ImportState, now: datetime, error: str | None = None) -> Import:
    """Mark it DONE or FAILED."""
    async with transaction() as connection:
        row = await connection.fetchrow(END, one.program_id, one.id, state, error, now)
    if row is None:
        raise ImportMoved("another process works on this import")
    return import_of(row)


async def save_step(
    connection: Connection, one: Import, step: Step, *, source: str | None = None, now: datetime
) -> bool:
    """Account for a batch in the caller's transaction. False where one of its rows was taken by another meanwhile.

    Raises `ImportMoved` where another process has taken these rows of this very import.
    """
    key = (one.program_id, one.id)
    stored = await connection.fetchval(REASONS, *key)
    reasons = orjson.loads(stored)
    for refused in step.refused:
        reasons[refused.code] = reasons.get(refused.code, 0) + 1
    counts = (step.read, step.recorded, step.duplicates, step.duplicates_in, len(step.refused))
    told = (step.activities, orjson.dumps(reasons).decode(), step.posted_through, now)
    moved = await connection.execute(MOVE, *key, step.start, step.position, step.bytes_read, *counts, *told)
    if moved != "UPDATE 1":
        raise ImportMoved("another process works on this import")
    if step.rows:
        rows = sorted(step.rows)
        columns = [document for document, _ in rows], [digest for _, digest in rows]
        done = await connection.execute(REMEMBER, one.program_id, source, one.id, *columns)
        if done != f"INSERT 0 {len(rows)}":
            return False
        documents = sorted(set(columns[0]))
        await connection.execute(REMEMBER_DOCUMENTS, one.program_id, source, one.id, documents)
    if step.refused:
        records = [
            (*key, row.raw.line, row.raw.first_line, row.code, row.message, row.column, list(row.raw.cells))
            for row in step.refused
        ]
        await connection.copy_records_to_table("import_refusal", columns=REFUSAL_COLUMNS, records=records)
    return True


async def load_known(
    connection: Connection, *, program_id: int, source: str, rows: Collection[tuple[str, bytes]]
) -> Known:
    """What is known of these rows, (document, digest) each, and of their documents."""
    key = (program_id, source)
    columns = [document for document, _ in rows], [digest for _, digest in rows]
    found = await connection.fetch(KNOWN_ROWS, *key, *columns)
    imports: dict[str, set[int]] = {}
    for row in await connection.fetch(KNOWN_DOCUMENTS, *key, sorted(set(columns[0]))):
        imports.setdefault(row["document"], set()).add(row["import_id"])
    return Known({(row["document"], row["digest"]): row["import_id"] for row in found}, imports)
