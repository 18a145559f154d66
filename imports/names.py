"""Under which names further activities of documents stand in the journal: so that no document is taken for one.

A document keeps its own number, and a further activity of it has `<document>/<line>`, which may be another document's
number, or that of a row of another file. What was named so is remembered, and whoever comes second takes another name.
"""

from collections.abc import Collection, Mapping
from typing import Final

from base.database import Connection

FURTHER: Final = """
SELECT external_id FROM import_activity WHERE program_id = $1 AND source = $2 AND external_id = ANY($3::text[])
"""
TAKEN: Final = """
SELECT external_id FROM activity_key WHERE program_id = $1 AND source = $2 AND external_id = ANY($3::text[])
"""
REMEMBER: Final = """
INSERT INTO import_activity (program_id, source, external_id, document)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[])
"""


async def load_further_names(
    connection: Connection, *, program_id: int, source: str, names: Collection[str]
) -> frozenset[str]:
    """Those of the names that further activities of documents have."""
    rows = await connection.fetch(FURTHER, program_id, source, sorted(names))
    return frozenset(row["external_id"] for row in rows)


async def load_taken_names(
    connection: Connection, *, program_id: int, source: str, names: Collection[str]
) -> frozenset[str]:
    """Those of the names that any activity has."""
    rows = await connection.fetch(TAKEN, program_id, source, sorted(names))
    return frozenset(row["external_id"] for row in rows)


async def save_further_names(
    connection: Connection, *, program_id: int, source: str, documents: Mapping[str, str]
) -> None:
    """Remember further activities; `documents` tells by name which document each is of."""
    if documents:
        names = sorted(documents)
        await connection.execute(REMEMBER, program_id, source, names, [documents[name] for name in names])
