"""What is remembered of earlier files of a source, and what a batch adds to that beside its account."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from base.database import Connection
from imports.documents import Draft, Known, Row
from imports.names import load_further_names, save_further_names
from imports.refused_rows import load_refusing, save_refused_rows
from imports.rows import Refused, SalesRow
from imports.store import Import, load_known


async def recall(
    connection: Connection, one: Import, *, source: str, rows: Set[tuple[str, bytes]], is_further: bool
) -> Known:
    """What is known of these rows, (document, digest) each, and of their documents.

    Who refused a row is looked up only where it decides: a row of a document that another import brought.
    """
    program_id = one.program_id
    known = await load_known(connection, program_id=program_id, source=source, rows=rows)
    further = await load_further_names(
        connection, program_id=program_id, source=source, names={document for document, _ in rows}
    )
    doubted = {row for row in rows if row not in known.rows and known.of(row[0]) - {one.id}}
    refused = await load_refusing(
        connection, program_id=program_id, source=source, rows=() if is_further else doubted
    )
    return replace(known, further=further, refused=refused)


async def remember(
    connection: Connection,
    one: Import,
    *,
    source: str,
    recorded: Iterable[Draft],
    rows: Sequence[Row],
    refused: Iterable[Refused],
) -> None:
    """Remember which names the recorded drafts have, and which of the batch's rows were refused."""
    await save_further_names(
        connection,
        program_id=one.program_id,
        source=source,
        documents={draft.external_id: draft.first.document for draft in recorded if draft.is_further},
    )
    lines = {row.raw.line for row in refused}
    understood = [
        (row.document, row.digest) for row in rows if isinstance(row, SalesRow) and row.raw.line in lines
    ]
    await save_refused_rows(
        connection, program_id=one.program_id, source=source, import_id=one.id, rows=understood
    )
