"""A look at a whole file: what stands in its columns, which is what, and how its rows would be read."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from imports.files import read_rows
from imports.lines import BrokenFile
from imports.mapping import NEEDED, Condition, FileFormat
from imports.rows import RawRow
from imports.sniffing.columns import MOST, Column, guess_notation, order_of_dates
from imports.sniffing.fields import Facts, guess_fields, says_either
from imports.sniffing.form import guess_form
from imports.sniffing.marks import FEW, Sides, guess_condition, guess_no_products, merge_by_case, prefix
from imports.sniffing.restarts import Restarts, find_restarts

HEAD: Final = 10_000
"""Rows by which it is decided which column is what."""
MOST_ROWS: Final = 1_000_000
EVERY: Final = 50
"""Of the rows after the head, how many for one that is kept for a trial."""
MOST_KEPT: Final = 30_000
NAMES: Final = 3
"""Names of one code that are remembered."""
TELL_EVERY: Final = 5_000
TIMES: Final = ("%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M:%S %p", "%H.%M")


@dataclass(slots=True)
class Findings:
    """What was seen. `is_whole`: to the end of the file."""

    file: FileFormat
    columns: list[Column]
    doubts: list[str]
    rows: int = 0
    is_whole: bool = True
    faults: Counter[str] = field(default_factory=Counter)
    fields: dict[str, Column] = field(default_factory=dict)
    date_format: str = "iso"
    returns: Condition | None = None
    returns_why: str = ""
    restarts: Restarts | None = None
    no_products: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    """SKUs in capitals, with how many rows each has."""
    names: dict[str, set[str]] = field(default_factory=dict)
    """Some of the names that stand beside each of them."""
    kept: list[RawRow] = field(default_factory=list)
    """Rows from all over the file."""

    @property
    def missing(self) -> list[str]:
        """Needed fields that no column was found for."""
        missing = [name for name in NEEDED if name not in self.fields]
        return missing if {"price", "amount"} & set(self.fields) else [*missing, "price"]


class _Beside:
    """What stands side by side in the rows, once it is known which column is what."""

    def __init__(self, fields: dict[str, Column], columns: Iterable[Column]) -> None:
        def place(name: str) -> int | None:
            return fields[name].place - 1 if name in fields else None

        self._quantity, self._document = place("quantity"), place("document")
        self._sku, self._name = place("sku"), place("product_name")
        used = {column.place for column in fields.values()}
        self.prefixes = Sides()
        self.beside = {
            column.place: Sides()
            for column in columns
            if column.place not in used and 1 < len(column.values) <= FEW
        }
        self.names: dict[str, set[str]] = {}

    def add(self, cells: tuple[str, ...]) -> None:
        """Look at a row."""
        if self._quantity is not None:
            text = cells[self._quantity].strip()
            is_negative = text[:1] in ("-", "(", "−") or text[-1:] == "-"
            if self._document is not None:
                self.prefixes.add(prefix(cells[self._document].strip()), is_negative=is_negative)
            for place, sides in self.beside.items():
                sides.add(cells[place - 1].strip(), is_negative=is_negative)
        if self._sku is not None and self._name is not None:
            names = self.names.setdefault(cells[self._sku].strip().upper(), set())
            if len(names) < NAMES and (name := cells[self._name].strip()):
                names.add(name)


def check_file(path: Path, *, tell: Callable[[int], None]) -> Findings:
    """Look at a file. `tell` hears how many bytes of it were read. BROKEN_FILE where it holds no rows."""
    with path.open("rb") as stream:
        form = guess_form(stream)
    with path.open("rb") as stream:
        reader = read_rows(stream, form.file)
        findings = Findings(form.file, _columns(reader.header), list(form.doubts))
        if reader.is_refusals:
            findings.doubts.append(
                "these are rows that were refused: import them with the mapping that refused them"
            )
        rows = islice(iter(reader), MOST_ROWS)
        whole_rows = _look(rows, findings, lambda: tell(reader.bytes_read))
        head = list(islice(whole_rows, HEAD))
        _decide_fields(findings)
        beside = _Beside(findings.fields, findings.columns)
        for cells in head:
            beside.add(cells)
        for cells in whole_rows:
            beside.add(cells)
        findings.is_whole = findings.is_whole and findings.rows < MOST_ROWS
    _conclude(findings, beside)
    return findings


def _columns(header: tuple[str, ...]) -> list[Column]:
    return [Column(name, place) for place, name in enumerate(header, 1)]


def _look(rows: Iterable[RawRow], findings: Findings, tell: Callable[[], None]) -> Iterable[tuple[str, ...]]:
    """Look at the cells of all rows, and hand on those rows that are whole."""
    try:
        for raw in rows:
            findings.rows += 1
            if findings.rows % TELL_EVERY == 0:
                tell()
            if findings.rows <= HEAD or (findings.rows % EVERY == 0 and len(findings.kept) < MOST_KEPT):
                findings.kept.append(raw)
            if raw.fault is not None:
                findings.faults[raw.fault[0]] += 1
                continue
            if not findings.columns:
                findings.columns += [Column("", place) for place in range(1, len(raw.cells) + 1)]
            for column, cell in zip(findings.columns, raw.cells, strict=False):
                column.add(cell)
            if len(raw.cells) >= len(findings.columns):
                yield raw.cells
    except BrokenFile as error:
        findings.doubts.append(error.message)
        findings.is_whole = False


def _decide_fields(findings: Findings) -> None:
    """Which column is what, and how numbers are written, by the head of the file."""
    notation, doubts = guess_notation(findings.columns)
    findings.doubts += doubts
    findings.file = _with_notation(findings.file, notation)
    facts = [
        Facts(
            column,
            is_number=column.numbers(notation) > MOST,
            is_date=bool(column.dates()),
            median=column.median(notation),
        )
        for column in findings.columns
    ]
    findings.fields = guess_fields(facts, has_header=findings.file.header)
    for name in ("quantity", "amount"):
        column = findings.fields.get(name)
        if column is not None and says_either(column.name):
            findings.doubts.append(
                f"{column.name!r} may be how many or how much: by its numbers it is taken for the {name}"
            )


def _with_notation(file: FileFormat, notation: tuple[str, str]) -> FileFormat:
    return FileFormat(
        encoding=file.encoding,
        delimiter=file.delimiter,
        header=file.header,
        skip_lines=file.skip_lines,
        decimal=notation[0],
        thousands=notation[1],
    )


def _conclude(findings: Findings, beside: _Beside) -> None:
    """What all rows together say."""
    fields = findings.fields
    measured = [fields[name] for name in ("quantity", "price", "amount") if name in fields]
    if not all(column.is_whole for column in measured):  # whole numbers do not tell
        findings.file = _with_notation(findings.file, guess_notation(measured)[0])
    if "date" in fields:
        forms = fields["date"].dates() or ["iso"]
        findings.doubts += order_of_dates(forms)
        findings.date_format = _with_time(forms[0], findings)
    findings.returns, findings.returns_why = guess_condition(
        prefixes=beside.prefixes, beside=beside.beside, columns=findings.columns
    )
    if "sku" in fields:
        findings.codes = merge_by_case(fields["sku"].values.items())
        findings.names = beside.names
        findings.no_products = guess_no_products(findings.codes, findings.names)
    if not findings.missing:
        findings.restarts = find_restarts(
            findings.kept,
            findings.columns,
            fields,
            file=findings.file,
            date_format=findings.date_format,
            returns=findings.returns,
        )


def _with_time(form: str, findings: Findings) -> str:
    """The format of date and time together, where the time has a column of its own."""
    column = findings.fields.get("time")
    if column is None:
        return form
    date_column = findings.fields["date"]
    if any(":" in text for text in date_column.some[:100]):
        del findings.fields["time"]  # the date has its time already
        return form
    times = Column("", 0)
    for text in column.some:
        times.add(f"2000-01-01 {text}")
    fitting = next((time for time in TIMES if times.share_of_dates(f"%Y-%m-%d {time}") > MOST), None)
    if form == "iso" and fitting in ("%H:%M:%S", "%H:%M") and all(len(text) >= 5 for text in column.some):
        return form
    day = "%Y-%m-%d" if form == "iso" else form
    return f"{day} {fitting}" if fitting else form
