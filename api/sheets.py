"""Tables for people: CSV that a spreadsheet opens as it is meant, and of which it runs nothing.

Text comes from partners and other systems. A cell that begins like a formula would be run by whoever opens the file, so
it is led by an apostrophe, which a spreadsheet takes as "this is text" (OWASP, "CSV Injection"). Numbers are numbers.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import BinaryIO, Final, TypeAlias

Cell: TypeAlias = str | int | Decimal | None

FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
"""With what spreadsheets begin a formula, in wide characters too; and what some drop before they look."""


def safe(text: str) -> str:
    """Text that no spreadsheet runs."""
    begun = text.lstrip(" \u00a0\u3000\ufeff\0")
    return f"'{text}" if begun.startswith(FORMULA) else text


class Sheet:
    """A table that is written row by row. The stream stays open."""

    def __init__(self, stream: BinaryIO) -> None:
        # Spreadsheets take a CSV for UTF-8 only where it begins with its mark.
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._text, lineterminator="\r\n")

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows of texts, exact numbers and empty cells."""
        self._writer.writerows([_written(cell) for cell in row] for row in rows)

    def end(self) -> None:
        """Let go of the stream: all is written."""
        self._text.flush()
        self._text.detach()


def write_sheet(stream: BinaryIO, rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table as a whole."""
    sheet = Sheet(stream)
    sheet.write(rows)
    sheet.end()


def _written(cell: Cell) -> str | int | None:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return safe(cell) if isinstance(cell, str) else cell
