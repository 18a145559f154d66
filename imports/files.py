"""CSV and CSV.gz, row by row: each with the line that it begins on, in bounded memory, whatever stands in the file.

A row that cannot be read is a row with a fault, and the file goes on after it. A quote that is opened and never closed
costs the one line that it stands in: the lines after it are read again, as rows of their own.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Final

from imports.lines import FIRST_KEPT, KEPT, BrokenFile, Lines, Source, TooLong, open_text, telling
from imports.mapping import FileFormat
from imports.restoring import RESTORE_BYTES, restoring
from imports.rows import ADDED_COLUMNS, LINE_COLUMN, RawRow, Refused
from imports.wording import count_of

CODES: Final = ("ROW_TOO_LONG", "WRONG_QUOTES", "WRONG_COLUMNS", "WRONG_LINE", "INVALID_ENCODING")
"""What the fault of a row can be."""
MESSAGES: Final = {
    "ROW_TOO_LONG": "the row has more characters or lines than any should have: perhaps a quote is never closed",
    "WRONG_QUOTES": "a quote is never closed, or stands within quotes without being doubled",
}
SHOWN: Final = 1_000
"""Characters that are kept of a row that is too long."""
LINE: Final = re.compile("0*[1-9][0-9]{0,17}")
DOCUMENT_RECORDED: Final = "DOCUMENT_RECORDED"
STAYS: Final = (
    "the document was imported before, with other rows; take the reason out to count this row on top of them"
)
ADDED: Final = len(ADDED_COLUMNS)


def read_rows(stream: BinaryIO, fmt: FileFormat, *, from_line: int = 0) -> "RowReader":
    """The rows of a file from the one that begins on `from_line`; the header is read in any case.

    Reads the header at once, and so raises BROKEN_FILE where the file has none; the rows are read as they are asked
    for. The stream is read forwards only, and need not be a file.
    """
    return RowReader(stream, fmt, from_line=from_line)


class RowReader:
    """The rows of a file. Iterating raises BROKEN_FILE, after the last whole row, where the file breaks off."""

    def __init__(self, stream: BinaryIO, fmt: FileFormat, *, from_line: int = 0) -> None:
        self._format = fmt
        self._source = Source(stream)
        self.header: tuple[str, ...] = ()
        """The header's cells, stripped, without the added columns; empty where the format has no header."""
        self.is_refusals = False
        """Whether this is a file of rows that were refused before."""
        self._lines = Lines(open_text(self._source, fmt.encoding))
        with telling(lambda: self._lines.number + 1):
            self._read_header()
            self._lines.skip_to(from_line)
        self.next_line = self._lines.number + 1
        """The line after the last row that was given: where reading goes on."""

    @property
    def bytes_read(self) -> int:
        """How much of the stream was read, compressed as it is: a buffer ahead of the rows."""
        return self._source.count

    def _csv(self) -> Iterator[list[str]]:
        fmt = self._format
        if fmt.quote:
            return csv.reader(self._lines, delimiter=fmt.delimiter, quotechar=fmt.quote, strict=True)
        return csv.reader(self._lines, delimiter=fmt.delimiter, quoting=csv.QUOTE_NONE)

    def _read_header(self) -> None:
        has_header = self._format.header
        cells = self._first_cells()
        self.is_refusals = cells[:ADDED] == ADDED_COLUMNS
        if self.is_refusals:
            cells = cells[ADDED:]
        else:
            self._lines.give_all_back()
            self._lines.skip_to(self._format.skip_lines + 1)
            cells = self._header_cells() if has_header else ()
        if not has_header:
            return
        while cells and not cells[-1]:
            cells = cells[:-1]
        if not cells:
            raise BrokenFile("the file has no header")
        if self._lines.has_kept:
            encoding = self._format.encoding
            raise BrokenFile(f"the header is not in {encoding}: give the mapping's [file] its encoding")
        self.header = cells

    def _first_cells(self) -> tuple[str, ...]:
        """The first row; nothing where it cannot be read, or is none."""
        try:
            return self._next_cells()
        except BrokenFile:
            return ()

    def _header_cells(self) -> tuple[str, ...]:
        """The first row that is not blank; nothing at the end of the file."""
        while not any(cells := self._next_cells()) and self._lines.taken:
            pass
        return cells

    def _next_cells(self) -> tuple[str, ...]:
        self._lines.begin_row()
        try:
            cells = next(self._csv(), [])
        except (csv.Error, TooLong) as error:
            line = self._lines.number
            raise BrokenFile(f"no header ends in line {line}: are delimiter and quote right?") from error
        return tuple(cell.strip() for cell in cells)

    def __iter__(self) -> Iterator[RawRow]:
        with telling(lambda: self._lines.number + 1):
            for row in self._rows():
                self.next_line = self._lines.number + 1
                yield row

    def _rows(self) -> Iterator[RawRow]:
        lines, width, is_refusals = self._lines, len(self.header), self.is_refusals
        found = self._csv()
        while True:
            line = lines.begin_row()
            try:
                cells = next(found)
            except StopIteration:
                return
            except (csv.Error, TooLong) as error:
                code = "ROW_TOO_LONG" if isinstance(error, TooLong) else "WRONG_QUOTES"
                yield self._unreadable(line, code, MESSAGES[code])
                found = self._csv()
                continue
            if not any(map(str.strip, cells)):
                continue
            first_line, fault = line, None
            if is_refusals:
                first_line, fault = _read_line(cells, line)
                if cells[1:2] == [DOCUMENT_RECORDED]:
                    fault = fault or (DOCUMENT_RECORDED, STAYS)
                cells = cells[ADDED:]
            if width and len(cells) != width:
                if len(cells) > width and not any(map(str.strip, cells[width:])):
                    cells = cells[:width]
                elif len(lines.taken) > 1:
                    over = f"{_columns(cells)} instead of {width} in {len(lines.taken)} lines"
                    yield self._unreadable(line, "WRONG_COLUMNS", f"{over}: perhaps a quote is never closed")
                    continue
                else:
                    fault = fault or ("WRONG_COLUMNS", f"{_columns(cells)} instead of {width}")
            if lines.has_kept:
                fault = fault or self._undecodable(cells)
            yield RawRow(line, first_line, tuple(cells), fault)

    def _unreadable(self, line: int, code: str, message: str) -> RawRow:
        """A row that cannot be taken apart: all of its first line as one cell. What follows upon it is read again."""
        self._lines.give_back()
        text = self._lines.taken[0].rstrip("\r\n")
        if len(text) > SHOWN:
            text = text[:SHOWN] + "…"
        return RawRow(line, line, (text,), (code, message))

    def _undecodable(self, cells: Sequence[str]) -> tuple[str, str] | None:
        for place, cell in enumerate(cells):
            if found := KEPT.search(cell):
                name = self.header[place] if place < len(self.header) else f"column {place + 1}"
                byte = ord(found[0]) - FIRST_KEPT
                message = f"{name}: the byte {byte:#04x} is no text in {self._format.encoding}"
                return "INVALID_ENCODING", message
        return None


def _columns(cells: Sequence[str]) -> str:
    return count_of(len(cells), "column")


def _read_line(cells: Sequence[str], line: int) -> tuple[int, tuple[str, str] | None]:
    """Which line a row that was refused before stood on."""
    text = cells[0].strip()
    if LINE.fullmatch(text):
        return int(text), None
    return line, ("WRONG_LINE", f"{LINE_COLUMN} must be the number of the line that it was refused on first")


def write_refusals(stream: BinaryIO, header: Sequence[str], fmt: FileFormat, rows: Iterable[Refused]) -> None:
    """Rows that were refused, in the format that they came in, so that they can be mended and imported alone.

    The added columns come first; the cells read back as they were, with the very bytes of what was no text. The stream
    stays open.
    """
    # Spreadsheets take a CSV for UTF-8 only where it begins with its mark, and would spoil what they save.
    encoding = "utf-8-sig" if codecs.lookup(fmt.encoding).name == "utf-8" else fmt.encoding
    text = io.TextIOWrapper(stream, encoding=encoding, errors=RESTORE_BYTES, newline="")
    restore = restoring(encoding)
    write = _quoting_writer(text, fmt) if fmt.quote else _plain_writer(text, fmt)
    write([*ADDED_COLUMNS, *header])
    for row in rows:
        message = f"{row.column}: {row.message}" if row.column else row.message
        write([str(row.raw.first_line), row.code, message, *map(restore, row.raw.cells)])
    text.flush()
    text.detach()


def _quoting_writer(text: io.TextIOWrapper, fmt: FileFormat) -> Callable[[Sequence[str]], object]:
    # Line ends of two characters: the writer quotes cells that hold either of them.
    return csv.writer(text, delimiter=fmt.delimiter, quotechar=fmt.quote, lineterminator="\r\n").writerow


def _plain_writer(text: io.TextIOWrapper, fmt: FileFormat) -> Callable[[Sequence[str]], object]:
    """Where nothing is quoted, a message gives way to the delimiter; cells never held one."""

    def write(cells: Sequence[str]) -> None:
        added = [cell.replace(fmt.delimiter, " ") for cell in cells[:ADDED]]
        text.write(fmt.delimiter.join([*added, *cells[ADDED:]]) + "\r\n")

    return write
