"""What stands in a column: how much, how different, numbers, dates, and what is dirty."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from imports.cells import parse_decimal, parse_instant
from imports.mapping import DateFormat

DISTINCT: Final = 50_000
"""Distinct cells of a column that are remembered."""
LOOKED_AT: Final = 2_000
"""Distinct cells that are tried as numbers and dates."""
MOST: Final = 0.8
"""The share of rows that makes a column one of numbers or of dates: the others are dirt."""
FLOAT_ID: Final = re.compile(r"[0-9]{2,}[.,]0")
NOTATIONS: Final = (
    (".", ""),
    (",", ""),
    (".", ","),
    (",", "."),
    (",", " "),
    (".", " "),
    (".", "'"),
    (".", "’"),
)
"""Decimal and thousands, the simpler first."""
DAYS: Final = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y",
    "%m/%d/%y", "%d-%m-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%Y%m%d",
)  # fmt: skip
TIMES: Final = ("", " %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
FORMATS: Final = ("iso", *(day + time for day in DAYS for time in TIMES))
TIME: Final = re.compile(r"[0-2]?[0-9][:.][0-5][0-9]([:.][0-5][0-9])?( ?[AaPp][Mm])?")


@dataclass(slots=True)
class Column:
    """A column, as far as the file was read."""

    name: str
    place: int
    """From 1."""
    rows: int = 0
    filled: int = 0
    spaced: int = 0
    """Cells with white space around their text."""
    foul: int = 0
    """Cells that hold what cannot be printed."""
    longest: int = 0
    values: Counter[str] = field(default_factory=Counter)
    is_more: bool = False
    """Whether more cells differ than are remembered."""

    def add(self, cell: str) -> None:
        """Look at a cell."""
        self.rows += 1
        text = cell.strip()
        if not text:
            return
        self.filled += 1
        if text is not cell and len(text) != len(cell):
            self.spaced += 1
        if text in self.values or len(self.values) < DISTINCT:
            self.values[text] += 1
        else:
            self.is_more = True
        if not text.isprintable():
            self.foul += 1
        if len(text) > self.longest:
            self.longest = len(text)

    @property
    def some(self) -> list[str]:
        """Distinct cells to try, from all over what was read."""
        step = max(1, len(self.values) // LOOKED_AT)
        return list(self.values)[::step]

    def share(self, holds: Callable[[str], object]) -> float:
        """The share of filled rows whose cell is such."""
        found = self.some
        rows = sum(self.values[text] for text in found)
        return sum(self.values[text] for text in found if holds(text)) / rows if rows else 0.0

    @property
    def has_float_ids(self) -> bool:
        """Whether whole numbers were written as floats somewhere on their way: 17850.0."""
        return self.share(FLOAT_ID.fullmatch) > MOST

    @property
    def differs_by_case(self) -> int:
        """How many cells are another one's but for capitals."""
        return len(self.values) - len({text.upper() for text in self.values})

    @property
    def is_time(self) -> bool:
        """Whether it holds times of day."""
        return self.share(TIME.fullmatch) > MOST

    @property
    def letters(self) -> float:
        """The share of cells that hold a letter."""
        return self.share(lambda text: any(map(str.isalpha, text)))

    def numbers(self, notation: tuple[str, str]) -> float:
        """The share of cells that are numbers in a notation."""
        return self.share(lambda text: _is_number(text, notation))

    @property
    def is_whole(self) -> bool:
        """Whether its numbers have no decimals and no thousands."""
        return self.share(lambda text: text.lstrip("-").isdecimal()) > MOST

    def median(self, notation: tuple[str, str]) -> Decimal:
        """The median of its numbers, without their signs; 0 without any."""
        found = sorted(
            abs(parse_decimal(text, *notation)) for text in self.some if _is_number(text, notation)
        )
        return found[len(found) // 2] if found else Decimal(0)

    def share_of_dates(self, form: str) -> float:
        """The share of cells that are dates in a format."""
        return self.share(lambda text: _is_date(text, form))

    def dates(self) -> list[str]:
        """The formats that nearly all cells are dates in, the best first; all that are equally good say the same."""
        found = self.some
        if not any(any(map(str.isdigit, text)) for text in found[:50]):
            return []
        near = [form for form in FORMATS if any(_is_date(text, form) for text in found[:50])]
        shares = {form: self.share_of_dates(form) for form in near}
        best = max(shares.values(), default=0)
        return [form for form, share in shares.items() if share == best > MOST]


def guess_notation(columns: Iterable[Column]) -> tuple[tuple[str, str], list[str]]:
    """How decimals and thousands are written, by all cells that are numbers in some way; and what is not sure."""
    texts = [
        text
        for column in columns
        if max(column.numbers(notation) for notation in NOTATIONS) > MOST and not column.has_float_ids
        for text in column.some
        if not text.lstrip("-").isdecimal()
    ]
    if not texts:
        return NOTATIONS[0], []
    shares = {notation: sum(_is_number(text, notation) for text in texts) for notation in NOTATIONS}
    is_round = _are_round(texts)

    def rank(notation: tuple[str, str]) -> tuple[int, bool]:
        return shares[notation], is_round and any(notation[1] and notation[1] in text for text in texts)

    best = max(NOTATIONS, key=rank)
    rivals = [one for one in NOTATIONS if shares[one] == shares[best] and one[0] != best[0]]
    if rivals:
        return best, [f"{texts[0]} may be a decimal or thousands: is {best[0]!r} the decimal sign?"]
    return best, []


def _are_round(texts: Sequence[str]) -> bool:
    """Whether numbers read rather like whole ones with thousands: most of 12.500, 7.000 and 1.250.000 end in 00."""
    return not any(text.lstrip("-(").startswith("0") for text in texts) and (
        sum(text.rstrip("-)").endswith("00") for text in texts) > len(texts) / 2
    )


def order_of_dates(forms: Sequence[str]) -> list[str]:
    """What is not sure about a date: which of two numbers is the day."""
    if len(forms) > 1 and any("%m/%d" in form or "%m-%d" in form for form in forms):
        return [
            f"every date fits {' and '.join(repr(form) for form in forms)}: is 01/02 in January or in February?"
        ]
    return []


def _is_number(text: str, notation: tuple[str, str]) -> bool:
    try:
        parse_decimal(text, *notation)
    except ValueError:
        return False
    return True


def _is_date(text: str, form: str) -> bool:
    if form == "iso" and text.isdecimal():
        return False  # 20111209 is asked for by its own format; other digits are numbers
    if form.startswith("%Y%m%d") and text[:2] not in ("19", "20"):
        return False
    try:
        parse_instant(text, "", DateFormat(format=form))
    except ValueError:
        return False
    return True
