"""CSV and CSV.gz in a stream: rows with their lines, faults that cost one row, and refused rows written back."""

import csv
import gzip
import io
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.files import RowReader, read_rows, write_refusals
from imports.lines import MOST_CHARACTERS, MOST_LINES, Bounded, BrokenFile, UnpackedTooLarge
from imports.mapping import FileFormat
from imports.rows import ADDED_COLUMNS, RawRow, Refused

PLAIN = FileFormat()
NAMES = ("a", "b")


def opened(content: str | bytes, fmt: FileFormat = PLAIN, *, from_line: int = 0) -> RowReader:
    stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return read_rows(stream, fmt, from_line=from_line)


def cells(content: str | bytes, fmt: FileFormat = PLAIN) -> list[tuple[str, ...]]:
    return [row.cells for row in opened(content, fmt)]


def faults(content: str | bytes, fmt: FileFormat = PLAIN) -> dict[int, str]:
    return {row.line: row.fault[0] for row in opened(content, fmt) if row.fault}


# --------------------------------------------------------------------------------------------------- rows and lines


def test_rows_know_the_line_they_begin_on() -> None:
    reader = opened('a,b\r\n1,2\r\n\r\n"x\r\ny",3\r\n , \r\n5,6')
    assert reader.header == NAMES
    rows = [(row.line, row.first_line, row.cells, reader.next_line) for row in reader]
    assert rows == [(2, 2, ("1", "2"), 3), (4, 4, ("x\r\ny", "3"), 6), (7, 7, ("5", "6"), 8)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_kind(end: str) -> None:
    assert [row.line for row in opened(end.join(["a,b", "1,2", "", "3,4", ""]))] == [2, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "gb18030"])
def test_encodings(encoding: str) -> None:
    text = "ä,b\n1,ü\n" if encoding != "gb18030" else "名,b\n1,称\n"
    wanted = [("1", text[-2])]
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    reader = opened(text.encode(encoding), FileFormat(encoding=name))
    assert reader.header == (text[0], "b")
    assert [row.cells for row in reader] == wanted


def test_a_mark_stands_before_a_quote() -> None:
    assert opened('\ufeff"a, x",b\n1,2\n').header == ("a, x", "b")


def test_gzip_is_known_by_its_first_bytes_and_may_be_several() -> None:
    content = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")
    reader = opened(content)
    assert [row.cells for row in reader] == [("1", "2"), ("3", "4")]
    assert reader.bytes_read == len(content)


def test_padding_after_gzip_is_nothing() -> None:
    assert [row.cells for row in opened(gzip.compress(b"a,b\n1,2\n") + bytes(512))] == [("1", "2")]


def test_lines_before_the_header() -> None:
    reader = opened('Sales "of\nMay\n\na,b\n1,2\n', FileFormat(skip_lines=2))
    assert reader.header == NAMES
    assert [row.line for row in reader] == [5]


def test_a_file_without_a_header() -> None:
    reader = opened("1,2\n3\n", FileFormat(header=False))
    assert reader.header == ()
    assert [(row.line, row.cells) for row in reader] == [(1, ("1", "2")), (2, ("3",))]


def test_other_delimiters_and_quotes() -> None:
    assert cells("a\tb\n1\t'x\ty'\n", FileFormat(delimiter="\t", quote="'")) == [("1", "x\ty")]
    assert cells('a,b\n"1,2"\n', FileFormat(quote="")) == [('"1', '2"')]


def test_columns_without_a_name_at_the_end_are_none() -> None:
    reader = opened("a,b,,\n1,2\n1,2,,\n1,2,,,\n")
    assert reader.header == NAMES
    assert [row.fault for row in reader] == [None, None, None]


@given(
    table=st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0", max_codepoint=0xFFFF), max_size=8),
            min_size=2,
            max_size=2,
        ).filter(lambda row: any(map(str.strip, row))),
        max_size=8,
    ),
    delimiter=st.sampled_from(",;\t|"),
    zipped=st.booleans(),
)
def test_whatever_the_csv_module_writes_is_read_back(
    table: list[list[str]], delimiter: str, zipped: bool
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([list(NAMES), *table])
    content = text.getvalue().encode()
    fmt = FileFormat(delimiter=delimiter)
    rows = list(opened(gzip.compress(content) if zipped else content, fmt))
    assert [row.cells for row in rows] == [tuple(row) for row in table]
    assert not any(row.fault for row in rows)


@given(content=st.binary(max_size=300), quotes=st.integers(0, 5), at=st.integers(0, 30))
def test_any_bytes_are_rows_or_broken_and_can_be_taken_up_anywhere(
    content: bytes, quotes: int, at: int
) -> None:
    content = b"a,b\n1,2\n" + content + b'"' * quotes + b"\n3,4\n"
    try:
        rows = list(opened(content))
    except BrokenFile:
        return
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    assert all("\0" not in cell and cell.encode().decode() == cell for row in rows for cell in row.cells)
    if rows:
        start = rows[at % len(rows)].line
        assert list(opened(content, from_line=start)) == [row for row in rows if row.line >= start]


def test_a_file_is_taken_up_behind_rows_of_several_lines() -> None:
    content = 'a,b\n"1\n1",2\n"never closed,3\n4,5\n"6\n6",7\n'
    rows = list(opened(content))
    assert [row.line for row in rows] == [2, 4, 5, 6]
    for row in rows:
        reader = opened(content, from_line=row.line)
        assert reader.header == NAMES
        assert next(iter(reader)) == row
    assert list(opened(content, from_line=8)) == []
    assert list(opened(content, from_line=800)) == []


# ----------------------------------------------------------------------------------------------------------- faults


def test_wrong_columns() -> None:
    assert faults("a,b\n1\n1,2\n1,2,3\n1,2, ,\n") == {2: "WRONG_COLUMNS", 4: "WRONG_COLUMNS"}


@pytest.mark.parametrize("line", ['"open,2', '1,"open', '1,"a"b', '1,"5" wide"'])
def test_a_wrong_quote_costs_its_line_only(line: str) -> None:
    rows = list(opened(f"a,b\n{line}\n3,4\n5,6\n"))
    assert [(row.line, row.cells) for row in rows[1:]] == [(3, ("3", "4")), (4, ("5", "6"))]
    assert rows[0].fault is not None
    assert rows[0].cells == (line,)


def test_a_quote_that_is_closed_by_the_next_one_costs_its_line_only() -> None:
    rows = list(opened('a,b\n1,"open\n3,4\n5,"six, or so"\n7,8\n'))
    assert [(row.line, row.fault and row.fault[0]) for row in rows] == [
        (2, "WRONG_QUOTES"), (3, None), (4, None), (5, None),
    ]  # fmt: skip


def test_rows_of_several_lines_with_wrong_columns_are_read_line_by_line() -> None:
    rows = list(opened('a,b\n1,"open\n3,4\n5,",6"\n7,8\n'))
    assert [row.cells for row in rows if row.fault is None] == [("3", "4"), ("5", ",6"), ("7", "8")]
    assert [row.line for row in rows] == [2, 3, 4, 5]


def test_a_cell_of_many_lines_ends_somewhere() -> None:
    many = "x\n" * MOST_LINES
    rows = list(opened(f'a,b\n1,"{many}"\n3,4\n'))
    assert rows[0].fault is not None
    assert rows[0].fault[0] == "ROW_TOO_LONG"
    assert rows[-1].cells == ("3", "4")
    fewer = "x\n" * (MOST_LINES - 1)
    assert not faults(f'a,b\n1,"{fewer}"\n3,4\n')


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("more", [-2, -1, 0, 1, 2, MOST_CHARACTERS, 3 * MOST_CHARACTERS + 1])
def test_a_line_of_any_length_costs_itself_only(end: str, more: int) -> None:
    content = end.join(["a,b", "1," + "x" * (MOST_CHARACTERS + more), "3,4", ""])
    rows = list(opened(content))
    assert [row.line for row in rows] == [2, 3]
    assert rows[0].fault is not None
    assert rows[0].fault[0] == "ROW_TOO_LONG"
    assert len(rows[0].cells[0]) < 2_000
    assert rows[1].cells == ("3", "4")


def test_bytes_that_are_no_text_refuse_their_row() -> None:
    content = b"a,b\n1,M\xfcller\n2,ok\n3,\0\n"
    assert faults(content) == {2: "INVALID_ENCODING", 4: "INVALID_ENCODING"}
    first = next(iter(opened(content)))
    assert first.fault == ("INVALID_ENCODING", "b: the byte 0xfc is no text in utf-8")
    assert faults(b"a,b\n1,\x81\n", FileFormat(encoding="cp1252")) == {2: "INVALID_ENCODING"}


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no header"),
        (b"\n\n", "no header"),
        (b",,\n\n", "no header"),
        (b"PK\x03\x04rest", "workbook"),
        (b"\xd0\xcf\x11\xe0rest", "workbook"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:12], "not whole"),
        (b"\x1f\x8bnothing zipped", "cannot be read"),
        (b"n\xe4me,b\n", "not in utf-8"),
        ("a,b\n".encode("utf-16"), "utf-16"),
        (b'a,"b\n1,2\n', "no header ends"),
    ],
)
def test_what_is_no_file_of_rows(content: bytes, word: str) -> None:
    with pytest.raises(BrokenFile) as error:
        opened(content)
    assert error.value.code == "BROKEN_FILE"
    assert word in error.value.message


def test_a_gzip_that_was_cut_off_gives_what_stands_before() -> None:
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number**3) for number in range(10_000))
    whole = gzip.compress(content)
    cut = whole[: len(whole) // 2]
    given: list[RawRow] = []
    with pytest.raises(BrokenFile) as error:
        given.extend(opened(cut))
    # list.extend keeps what came before the error
    assert len(given) == zlib.decompressobj(31).decompress(cut).count(b"\n") - 1 > 1_000
    assert all(row.cells[1] == str(int(row.cells[0]) ** 3) for row in given)
    assert f"line {given[-1].line + 1}" in error.value.message
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    with pytest.raises(BrokenFile):
        list(opened(bytes(damaged)))


class Endless(io.RawIOBase):
    """Many bytes without holding them: a header, then one piece again and again."""

    def __init__(self, piece: bytes, count: int) -> None:
        self._pieces: Iterator[bytes] = (piece for _ in range(count))
        self._rest = b"a,b\n"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


@pytest.mark.parametrize(
    ("piece", "count"),
    [(b"x" * 65_536, 200), (b"\0" * 65_536, 200), (b'"open\n' * 1_000, 30), (b"1,2\n" * 1_000, 30)],
)
def test_memory_is_bounded_whatever_stands_in_the_file(piece: bytes, count: int) -> None:
    """More of the same takes no more memory."""

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            for _ in read_rows(cast(BinaryIO, Endless(piece, count)), PLAIN):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(count) < 1.1 * peak(count // 5) + 20_000


class Stop(Exception):
    """Reading is to end."""


def gzipped(piece: bytes, count: int) -> bytes:
    """Very much in few bytes."""
    zipped = zlib.compressobj(wbits=31)
    return b"".join(
        [zipped.compress(b"a,b\n"), *(zipped.compress(piece) for _ in range(count)), zipped.flush()]
    )


@pytest.mark.parametrize(
    "stream",
    [
        lambda: Endless(b"x" * 65_536, 2**40),
        lambda: Endless(b'"' * 65_536, 2**40),
        lambda: Endless(b"\n" * 65_536, 2**40),
        lambda: io.BytesIO(gzipped(b"x" * 2**20, 64)),
        lambda: io.BytesIO(gzipped(b"\n" * 2**20, 4)),
        lambda: io.BytesIO(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"") * 10_000),
    ],
    ids=["one line", "quotes", "blank lines", "one zipped line", "zipped blank lines", "empty members"],
)
@pytest.mark.parametrize("from_line", [0, 10**12])
def test_reading_ends_within_a_line_without_an_end(stream: Callable[[], BinaryIO], from_line: int) -> None:
    """However much follows: it asks often whether it is to end."""
    asked: list[float] = []

    def check() -> None:
        asked.append(time.monotonic())
        if len(asked) > 60:
            raise Stop

    bounded = cast(BinaryIO, Bounded(stream(), check=check, unpacked=2**60))
    with pytest.raises(Stop):
        for _ in read_rows(bounded, PLAIN, from_line=from_line):
            pass
    assert max(after - before for before, after in pairwise(asked)) < 1


def test_a_file_that_unpacks_to_more_than_is_taken_gives_what_stands_before() -> None:
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number**3) for number in range(10_000))
    rows: list[RawRow] = []

    def read(unpacked: int) -> None:
        rows.clear()
        stream = Bounded(io.BytesIO(gzip.compress(content)), check=lambda: None, unpacked=unpacked)
        rows.extend(read_rows(cast(BinaryIO, stream), PLAIN))

    with pytest.raises(UnpackedTooLarge) as error:
        read(len(content) - 1)
    assert error.value.code == "UNPACKED_TOO_LARGE"
    assert rows[0].cells == ("0", "0")
    assert len(rows) > 1_000
    read(len(content))
    assert len(rows) == 10_000


# ----------------------------------------------------------------------------------------------------- refused rows


def written(rows: list[Refused], header: tuple[str, ...] = NAMES, fmt: FileFormat = PLAIN) -> bytes:
    stream = io.BytesIO()
    write_refusals(stream, header, fmt, rows)
    return stream.getvalue()


def refused(line: int, *cells: str, code: str = "NO_SKU", message: str = "why") -> Refused:
    return Refused(RawRow(line, line, cells), code, message, "a")


def test_refused_rows_are_known_again_with_their_lines() -> None:
    content = written([refused(7, "1", "2"), refused(12, "x\ny", 'z"')])
    assert content.decode("utf-8-sig").splitlines()[:2] == [
        ",".join((*ADDED_COLUMNS, *NAMES)),
        "7,NO_SKU,a: why,1,2",
    ]
    reader = opened(content, FileFormat(skip_lines=3))
    assert reader.is_refusals
    assert reader.header == NAMES
    assert [(row.line, row.first_line, row.cells) for row in reader] == [
        (2, 7, ("1", "2")),
        (3, 12, ("x\ny", 'z"')),
    ]
    assert not opened("a,b\n").is_refusals


def test_refused_rows_are_refused_again_under_their_first_line() -> None:
    (row,) = opened(written([Refused(RawRow(2, 7, ("1", "2")), "NO_SKU", "why")]))
    assert (row.line, row.first_line) == (2, 7)


@pytest.mark.parametrize("line", ["", "x", "0", "-1", "1.0", "9" * 19, "²"])
def test_the_line_of_a_refused_row_must_stay(line: str) -> None:
    (row,) = opened(f"{','.join(ADDED_COLUMNS)},a,b\n{line},X,y,1,2\n")
    assert row.fault is not None
    assert row.fault[0] == "WRONG_LINE"
    assert row.cells == ("1", "2")


def test_refused_rows_of_a_file_without_a_header() -> None:
    fmt = FileFormat(header=False)
    reader = opened(written([refused(3, "1", "2")], (), fmt), fmt)
    assert reader.is_refusals
    assert [(row.first_line, row.cells) for row in reader] == [(3, ("1", "2"))]


def test_refused_rows_without_quotes() -> None:
    fmt = FileFormat(quote="", delimiter=";")
    content = written([refused(3, '1"', "2", message="one; two")], fmt=fmt)
    assert [row.cells for row in opened(content, fmt)] == [('1"', "2")]


def test_a_row_that_could_not_be_read_stays_refused_until_it_is_mended() -> None:
    (row,) = opened('a,b\n"1"x,2\n')
    assert row.fault is not None
    (again,) = opened(written([Refused(row, *row.fault)]))
    assert again.cells == row.cells == ('"1"x,2',)
    assert again.fault is not None
    assert again.fault[0] == "WRONG_COLUMNS"


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("utf-8", b"x\xffy"),
        ("utf-8", b"\xe2\x82"),
        ("utf-8", b"Gr\xf6\xdfe und Gr\xc3\xb6\xc3\x9fe"),
        ("utf-8", b"x\0y"),
        ("cp1252", b"x\x81y"),
        ("ascii", b"\xe4"),
        ("gb18030", b"x\xff\xd6\xd0"),
        ("utf-16-le", b"x\0\x00\xd8y\0"),
        ("utf-16-le", b"x\0\x00\x00y\0"),
        ("utf-16-be", b"\0x\xdf\x12\0y"),
        ("utf-32-le", b"x\0\0\0\x00\x00\x11\x00"),
    ],
)
def test_undecodable_bytes_are_written_back_as_they_were_and_refused_again(
    encoding: str, given: bytes
) -> None:
    fmt = FileFormat(encoding=encoding)
    (row,) = opened("a,b\n1,".encode(encoding) + given + "\n".encode(encoding), fmt)
    assert row.fault is not None
    content = written([Refused(row, *row.fault)], fmt=fmt)
    assert ",1,".encode(encoding) + given + "\r\n".encode(encoding) in content
    (again,) = opened(content, fmt)
    assert again.cells == row.cells
    assert again.fault == row.fault


def test_half_a_character_at_the_end_does_not_spoil_the_file() -> None:
    fmt = FileFormat(encoding="utf-16-le")
    (row,) = opened("a,b\n1,x".encode("utf-16-le") + b"y", fmt)
    assert row.fault is not None
    content = written([Refused(row, *row.fault), refused(3, "1", "2")], fmt=fmt)
    assert [one.cells for one in opened(content, fmt)] == [row.cells, ("1", "2")]


def test_a_message_may_hold_what_the_encoding_does_not() -> None:
    fmt = FileFormat(encoding="ascii")
    (row,) = opened(written([refused(2, "1", "2", message="2 × 3 – 4")], fmt=fmt), fmt)
    assert row.cells == ("1", "2")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0", max_codepoint=0xFFFF), max_size=8)


@given(
    table=st.lists(st.tuples(st.integers(1, 10**12), st.tuples(TEXTS, TEXTS, TEXTS)), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-16", "gb18030"]),
)
def test_refused_rows_read_back_into_the_same_cells(
    table: list[tuple[int, tuple[str, ...]]], delimiter: str, encoding: str
) -> None:
    fmt = FileFormat(delimiter=delimiter, encoding=encoding)
    content = written([refused(line, *cells) for line, cells in table], ("a", "b", "c"), fmt)
    assert [(row.first_line, row.cells) for row in opened(content, fmt)] == table


def test_many_lines_that_are_too_long_cost_a_row_each() -> None:
    long = b"x" * (MOST_CHARACTERS - 1) + b"\r"
    rows = list(opened(b"a,b\r\n" + long * 1_200 + b"1,2\r\n"))
    assert [row.fault and row.fault[0] for row in rows] == ["ROW_TOO_LONG"] * 1_200 + [None]
    assert rows[-1].cells == ("1", "2")
