"""A file of sales in batches that one transaction can take, cut between documents wherever that can be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from activity.rules import MAX_ACTIVITIES, MAX_LINES
from imports.documents import Opened, Row, opened_by
from imports.files import RowReader
from imports.lines import BrokenFile
from imports.rows import Refused, SalesRow
from imports.sales_rows import SalesReader

ROWS: Final = 5_000
"""A batch ends with the document in which it has reached so many rows."""
MOST_ROWS: Final = 2 * ROWS
"""No batch is larger, however long a document is."""

MOST_CHARACTERS: Final = 4_000_000
"""No batch holds much more of its file."""
MOST_ACTIVITIES: Final = MAX_ACTIVITIES - MOST_ROWS // MAX_LINES
"""No batch has more, but for those that long documents make on top."""
ACTIVITIES: Final = MOST_ACTIVITIES - 90
"""A batch ends with the document in which it has reached so many."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are recorded together, the line on which the file goes on after them, and how much of it was read."""

    rows: Sequence[Row]
    position: int
    bytes_read: int


def split_batches(file: RowReader, reader: SalesReader) -> Iterator[Batch]:
    """Batches that make at most `MAX_ACTIVITIES` activities, cut between documents wherever that can be.

    Raises `BrokenFile` after the last batch that stands before the break.
    """
    rows: list[Row] = []
    documents: set[str] = set()
    activities: set[Opened] = set()
    characters = 0
    broken: BrokenFile | None = None
    try:
        for raw in file:
            row = reader.read(raw)
            begins = isinstance(row, Refused) or row.document not in documents
            enough = len(rows) >= ROWS or len(activities) >= ACTIVITIES
            too_much = (
                len(rows) >= MOST_ROWS or len(activities) >= MOST_ACTIVITIES or characters >= MOST_CHARACTERS
            )
            if (begins and enough) or too_much:
                yield Batch(rows, raw.line, file.bytes_read)
                rows, documents, activities, characters = [], set(), set(), 0
            rows.append(row)
            characters += sum(map(len, raw.cells))
            if isinstance(row, SalesRow):
                documents.add(row.document)
                activities.add(opened_by(row))
    except BrokenFile as error:
        broken = error
    if rows:
        yield Batch(rows, file.next_line, file.bytes_read)
    if broken is not None:
        raise broken
