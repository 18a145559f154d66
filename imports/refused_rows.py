"""Which rows an import refused, of those that were understood: the same file is judged the same when it comes again.

Another file's rows for a document that was recorded count twice, and are refused. A row that the import which recorded
the document saw, and refused, is none of these: what was wrong with it may be mended by now.
"""

from collections.abc import Collection, Set
from typing import Final

from base.database import Connection

REMEMBER: Final = """
INSERT INTO import_refused_row (program_id, source, document, digest, import_id)
SELECT $1, $2, r.document, r.digest, $3 FROM unnest($4::text[], $5::bytea[]) AS r (document, digest)
ON CONFLICT DO NOTHING
"""
KNOWN: Final = """
SELECT r.document, r.digest, r.import_id
FROM unnest($3::text[], $4::bytea[]) AS w (document, digest)
JOIN import_refused_row r ON r.program_id = $1 AND r.source = $2 AND r.document = w.document AND r.digest = w.digest
"""


async def save_refused_rows(
    connection: Connection,
    *,
    program_id: int,
    source: str,
    import_id: int,
    rows: Collection[tuple[str, bytes]],
) -> None:
    """Remember that an import refused these rows, (document, digest) each."""
    if rows:
        found = sorted(set(rows))
        columns = [document for document, _ in found], [digest for _, digest in found]
        await connection.execute(REMEMBER, program_id, source, import_id, *columns)


async def load_refusing(
    connection: Connection, *, program_id: int, source: str, rows: Collection[tuple[str, bytes]]
) -> dict[tuple[str, bytes], Set[int]]:
    """The imports that refused each of these rows, by document and digest."""
    found: dict[tuple[str, bytes], set[int]] = {}
    if rows:
        columns = [document for document, _ in rows], [digest for _, digest in rows]
        for row in await connection.fetch(KNOWN, program_id, source, *columns):
            found.setdefault((row["document"], row["digest"]), set()).add(row["import_id"])
    return dict(found)
