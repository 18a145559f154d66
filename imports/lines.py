"""A file's bytes as lines of text, in bounded memory: plain or gzip, in whatever encoding, whole or broken.

Bytes that are no text in the encoding, and NULs, which no database keeps, become characters of a private plane: the
file can be read on, nobody takes them for text, and `imports.files` writes them back as the bytes that they were.
"""

import codecs
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from base.errors import Invalid

MOST_CHARACTERS: Final = 100_000
"""Of one row; below the limit that the csv module has for a cell."""
MOST_LINES: Final = 100
"""Of one row: a quote that is never closed does not swallow the file."""
KEEP_BYTES: Final = "mitra-keep-bytes"
FIRST_KEPT: Final = 0x10FE00
KEPT: Final = re.compile(f"[{chr(FIRST_KEPT)}-{chr(FIRST_KEPT + 255)}]")
GZIP: Final = b"\x1f\x8b"
GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS
PIECE: Final = 1 << 16
ZIP: Final = b"PK\x03\x04"
OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class BrokenFile(Invalid):
    """A file that cannot be read, or not beyond some line. All rows before it have been given."""

    code = "BROKEN_FILE"


class TooLong(Exception):
    """A row that has grown beyond all measure: perhaps a quote that is never closed."""


def keep_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """The error handler by which undecodable bytes become kept characters, and kept characters bytes."""
    if isinstance(error, UnicodeDecodeError):
        found = error.object[error.start : error.end]
        return "".join(chr(FIRST_KEPT + byte) for byte in found), error.end
    assert isinstance(error, UnicodeEncodeError)
    letters = map(ord, error.object[error.start : error.end])
    return bytes(letter - FIRST_KEPT if letter >= FIRST_KEPT else ord("?") for letter in letters), error.end


codecs.register_error(KEEP_BYTES, keep_bytes)


class UnpackedTooLarge(BrokenFile):
    """A file that holds more, once it is unpacked, than is taken. What came before is recorded."""

    code = "UNPACKED_TOO_LARGE"


class Bounded:
    """A stream with what its reader keeps to: at most so many bytes unpacked, and `check` every so often.

    `check` is called in the thread that reads, at least for each 64 KiB that are read or unpacked, and raises where
    reading is to end at once, even in the midst of a line without an end.
    """

    def __init__(self, stream: BinaryIO, *, check: Callable[[], None], unpacked: int) -> None:
        self._stream = stream
        self.check = check
        self.unpacked = unpacked

    def read(self, size: int = -1) -> bytes:
        self.check()
        return self._stream.read(size)


class Source(io.RawIOBase):
    """A stream of bytes that counts what was read of it, and shows how it begins."""

    def __init__(self, stream: BinaryIO | Bounded) -> None:
        self._stream = stream
        self.bounds = stream if isinstance(stream, Bounded) else None
        self.count = 0
        self.head = b""
        while len(self.head) < 4 and (more := stream.read(4 - len(self.head))):
            self.head += more
        self._rest = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        piece = piece or self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        self.count += len(piece)
        return len(piece)


class Unzipped(io.RawIOBase):
    """What a gzip stream holds, member after member. Where it breaks off, all that can be unzipped comes first."""

    def __init__(self, source: "io.BufferedReader[Source]", bounds: Bounded | None = None) -> None:
        self._source = source
        self._bounds = bounds
        self._count = 0
        self._member = zlib.decompressobj(GZIP_FORMAT)
        self._zipped = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        while True:
            if self._bounds is not None:
                self._bounds.check()
            if self._member.eof:
                following = (self._member.unused_data or self._source.read1(PIECE)).lstrip(b"\0")
                if not following:
                    return 0
                self._member, self._zipped = zlib.decompressobj(GZIP_FORMAT), following
            elif not self._zipped:
                self._zipped = self._source.read1(PIECE)
                if not self._zipped:
                    raise EOFError
            given = self._member.decompress(self._zipped, len(buffer))
            self._zipped = self._member.unconsumed_tail
            if given:
                self._count += len(given)
                if self._bounds is not None and self._count > self._bounds.unpacked:
                    most = f"{self._bounds.unpacked:,}"
                    raise UnpackedTooLarge(
                        f"it unpacks to more than the {most} bytes that are taken: split the file"
                    )
                buffer[: len(given)] = given
                return len(given)


def open_text(source: Source, encoding: str) -> io.TextIOWrapper:
    """The text of a file, unzipped where it is gzip, whatever it is called. BROKEN_FILE where it is no text."""
    if source.head.startswith((ZIP, OLD_EXCEL)):
        raise BrokenFile("this is a workbook or a zip file: export it as CSV")
    given = io.BufferedReader(source, PIECE)
    stream: io.BufferedReader[Any] = given
    if source.head.startswith(GZIP):
        stream = io.BufferedReader(Unzipped(given, source.bounds), PIECE)
    with telling():
        is_wide = stream.peek(2)[:2] in UTF_16
    if is_wide and not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        raise BrokenFile('the file is in UTF-16: say encoding = "utf-16" in the mapping')
    return io.TextIOWrapper(stream, encoding=encoding, errors=KEEP_BYTES, newline="")


@contextmanager
def telling(line: Callable[[], int] | None = None) -> Iterator[None]:
    """Say what is wrong with a compressed or encoded stream: BROKEN_FILE, and in which line."""

    def where() -> str:
        return f" in line {line()}" if line else ""

    try:
        yield
    except EOFError as error:
        raise BrokenFile(f"the gzip file is not whole: it ends{where()}") from error
    except (zlib.error, UnicodeError) as error:
        raise BrokenFile(f"the file cannot be read on{where()}: {error}") from error


class Lines(Iterator[str]):
    """Physical lines, numbered from 1. What one row took can be given back, to be read as rows of their own."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._back: deque[str] = deque()
        self._ahead = ""
        self.number = 0
        """The line that was read last."""
        self.taken: list[str] = []
        """The lines of the row."""
        self.has_kept = False
        """Whether one of them holds what is no text."""
        self._size = 0

    def begin_row(self) -> int:
        """Forget the lines of the row before; answers the line on which this one begins."""
        self.taken.clear()
        self.has_kept = False
        self._size = 0
        return self.number + 1

    def __next__(self) -> str:
        if self._back:
            line = self._back.popleft()
        else:
            line, self._ahead = self._ahead or self._text.readline(MOST_CHARACTERS), ""
            if not line:
                raise StopIteration
            if len(line) == MOST_CHARACTERS:
                self._pass_line_end(line)
        if not self.number:
            line = line.removeprefix("\ufeff")
        self.number += 1
        if "\0" in line:
            line = line.replace("\0", chr(FIRST_KEPT))
        if not line.isascii() and KEPT.search(line):
            self.has_kept = True
        self.taken.append(line)
        self._size += len(line)
        if self._size >= MOST_CHARACTERS or len(self.taken) > MOST_LINES:
            raise TooLong
        return line

    def _pass_line_end(self, piece: str) -> None:
        """Leave the rest of a line that is too long unread."""
        while len(piece) == MOST_CHARACTERS:
            if piece.endswith("\n"):
                return
            following = self._text.readline(MOST_CHARACTERS)
            if piece.endswith("\r"):
                if following != "\n":
                    self._ahead = following
                return
            piece = following

    def give_back(self) -> None:
        """Only the first line was of this row: the others are read again."""
        self._back.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]

    def give_all_back(self) -> None:
        """Nothing was read."""
        self._back.extendleft(reversed(self.taken))
        self.number -= len(self.taken)
        self.taken.clear()

    def skip_to(self, number: int) -> None:
        """Go on with this line."""
        while self.number + 1 < number:
            self.begin_row()
            try:
                next(self)
            except TooLong:
                continue
            except StopIteration:
                break
