"""How the bytes of a file become rows: its encoding, its delimiter, and where its header stands."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final, TextIO

from imports.cells import parse_decimal
from imports.lines import BrokenFile, Source, open_text, telling
from imports.mapping import FileFormat
from imports.wording import count_of

PIECE: Final = 1 << 13
"""Characters that are read at once."""
PIECES: Final = 128
LINES: Final = 500
DELIMITERS: Final = (",", ";", "\t", "|")
MOJIBAKE: Final = re.compile("[ÂÃâ][\x80-\xbf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]")


@dataclass(frozen=True, slots=True)
class Form:
    """A guess of how a file is written; `doubts` says what is not sure."""

    file: FileFormat
    doubts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Guess:
    encoding: str
    text: str
    doubts: list[str] = field(default_factory=list)


def guess_form(stream: BinaryIO) -> Form:
    """How the file begins. BROKEN_FILE where it holds no rows."""
    guess = _guess_encoding(stream)
    lines = guess.text.splitlines(keepends=True)[:LINES]
    delimiter, rows = _guess_delimiter(lines)
    if not rows:
        raise BrokenFile("the file holds no rows")
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    first, cells = next((line, cells) for line, cells in rows if len(cells) == width)
    has_header = _is_header(cells)
    if not has_header:
        guess.doubts.append("the first row looks like data: columns are named by their places")
    file = FileFormat(encoding=guess.encoding, delimiter=delimiter, header=has_header, skip_lines=first - 1)
    return Form(file, tuple(guess.doubts))


def _guess_encoding(stream: BinaryIO) -> _Guess:
    source = Source(stream)
    # Latin-1 has a letter for each byte: what it reads can be turned back into the bytes.
    binary = open_text(source, "utf-16" if source.head[:2] in _WIDE else "latin-1")
    text = _read_head(binary)
    if source.head[:2] in _WIDE:
        return _Guess("utf-16", text)
    content = text.encode("latin-1")
    if content[:2] in _WIDE:
        return _Guess("utf-16", content.decode("utf-16", "replace"))
    if "\0" in text[:1000] and content[1::2].count(0) > len(content) // 4:
        return _Guess("utf-16-le", content.decode("utf-16-le", "replace"))
    return _guess_narrow(content)


def _read_head(text: TextIO) -> str:
    """How a text begins, as far as it can be read. BROKEN_FILE where nothing can."""
    pieces: list[str] = []
    try:
        with telling():
            while len(pieces) < PIECES and (piece := text.read(PIECE)):
                pieces.append(piece)
    except BrokenFile:
        if not pieces:
            raise
    return "".join(pieces)


_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _guess_narrow(content: bytes) -> _Guess:
    """UTF-8 where most of what is not ASCII fits it; otherwise what Western Windows writes."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(content).removeprefix("\ufeff")
    lost = text.count("\ufffd") - content.count("\ufffd".encode())
    others = sum(not letter.isascii() for letter in text) if not text.isascii() else 0
    if lost * 2 <= others - lost or not lost:
        guess = _Guess("utf-8", text)
        if lost:
            guess.doubts.append(
                f"no UTF-8 in {count_of(lost, 'byte')} of its beginning: such rows are refused"
            )
        if not others:
            guess.doubts.append("all of its beginning is ASCII: another encoding is possible")
        if len(MOJIBAKE.findall(text)) > 3:
            guess.doubts.append("some text was read in the wrong encoding before it came here (Ã¼ for ü)")
        return guess
    text = content.decode("cp1252", "replace")
    return _Guess("cp1252", text, ["it is not UTF-8; cp1252 is a guess, look at letters with accents"])


def _guess_delimiter(lines: Sequence[str]) -> tuple[str, list[tuple[int, list[str]]]]:
    """The delimiter by which most rows have the same number of cells, and the rows with their lines."""

    def rank(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(cells) for _, cells in _split(lines, delimiter))
        if not widths:
            return 0.0, 0
        width, rows = widths.most_common(1)[0]
        return (round(rows / widths.total(), 1) if width > 1 else 0.0), width

    best = max(DELIMITERS, key=rank)
    return best, _split(lines, best)


def _split(lines: Sequence[str], delimiter: str) -> list[tuple[int, list[str]]]:
    found = csv.reader(lines, delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    try:
        line = 1
        for cells in found:
            if any(map(str.strip, cells)):
                rows.append((line, cells))
            line = found.line_num + 1
    except csv.Error:
        pass  # what was split so far is enough for a guess
    return rows


def _is_header(cells: Sequence[str]) -> bool:
    """Whether a row names columns: all differ, and none is a number."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return len(set(names)) == len(names) and not any(_is_number(name) for name in names)


def _is_number(text: str) -> bool:
    try:
        parse_decimal(text.replace(",", "."))
    except ValueError:
        return False
    return True
