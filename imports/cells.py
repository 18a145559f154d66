"""A cell as an id, a name, a decimal or an instant. Pure, and exact: what is not clearly meant is not guessed.

Each of these raises ValueError, whose message is for a person, where a cell cannot be read.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from imports.mapping import Cleaner, DateFormat

MOST_TEXTS: Final = 4_096
"""How many distinct cells are remembered: dates and prices come again and again."""
LONGEST: Final = 64
"""Characters of the longest number or date that is looked at."""
SPACES: Final = "\xa0\u202f\u2009"
"""What systems write where they mean the space between thousands."""
NOON: Final = time(12)
TIME_DIRECTIVES: Final = re.compile(r"(?<!%)(?:%%)*%[HIMScXTRr]")


def clean_text(text: str, cleaners: Sequence[Cleaner], *, decimal: str = ".") -> str:
    """An id or a name, cleaned in the order given."""
    text = text.strip()
    for cleaner in cleaners:
        match cleaner:
            case Cleaner.UPPER:
                text = text.upper()
            case Cleaner.LOWER:
                text = text.lower()
            case Cleaner.INTEGER:
                whole, point, rest = text.partition(decimal)
                if point and whole.removeprefix("-").isdecimal() and not rest.strip("0"):
                    text = whole
            case Cleaner.DIGITS:
                text = "".join(filter(str.isdecimal, text))
            case Cleaner.UNPAD:
                text = text.lstrip("0") or text[-1:]
            case Cleaner.COLLAPSE:
                text = " ".join(text.split())
    return text


def clean_name(text: str) -> str:
    """A name or category in one line: any white space, and what no printer knows, is one space."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())


@lru_cache(maxsize=64)
def _number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    point = re.escape(decimal)
    whole = r"[0-9]+"
    if thousands:
        whole = rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|{whole}"
    number = rf"(?P<whole>{whole})?(?:{point}(?P<part>[0-9]*))?(?P<exponent>[eE][+-]?[0-9]{{1,2}})?"
    return re.compile(rf"(?P<open>\()?(?P<sign>[+-])?{number}(?P<after>-)?(?P<close>\))?")


@lru_cache(maxsize=MOST_TEXTS)
def parse_decimal(text: str, decimal: str = ".", thousands: str = "") -> Decimal:
    """An exact number. Negative is -5, 5- or (5), one of them; a power of ten as in 1.5E+2 is exact too.

    Thousands stand in groups of three or not at all. Currency signs, units and spaces within are refused: whether
    "1 250" is one number or two, only a mapping can say.
    """
    given = text.strip().replace("\u2212", "-")
    if thousands == " ":
        for space in SPACES:
            given = given.replace(space, " ")
    found = _number_pattern(decimal, thousands).fullmatch(given) if len(given) <= LONGEST else None
    if found is None:
        raise ValueError(f"{text[:LONGEST]!r} is no number")
    whole, part = found["whole"] or "", found["part"] or ""
    minus = (found["sign"] == "-", found["after"] is not None, found["open"] is not None)
    signs = (found["sign"] is not None) + minus[1] + minus[2]
    if not (whole or part) or signs > 1 or (found["open"] is None) != (found["close"] is None):
        raise ValueError(f"{text[:LONGEST]!r} is no number")
    if thousands:
        whole = whole.replace(thousands, "")
    sign = "-" if any(minus) else ""
    return Decimal(f"{sign}{whole or '0'}.{part}{found['exponent'] or ''}")


@lru_cache(maxsize=MOST_TEXTS)
def parse_instant(date_text: str, time_text: str, dates: DateFormat) -> datetime:
    """The instant in UTC. A time without an offset is one of the mapping's zone, a date alone its noon there.

    In an hour that the clock goes through twice it is the first; in one that it leaps over, as much later.
    """
    date_text, time_text = date_text.strip(), time_text.strip()
    if len(date_text) + len(time_text) > LONGEST:
        raise ValueError(f"{date_text[:LONGEST]!r} is no date")
    try:
        found = read_written(date_text, time_text, dates.format)
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(dates.time_zone))
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        shown = f"{date_text} {time_text}".strip()
        wanted = "an ISO date" if dates.format == "iso" else f"a date like {dates.format}"
        raise ValueError(f"{shown!r} is not {wanted}") from error


def read_written(date_text: str, time_text: str, form: str) -> datetime:
    """A date and time as they are written, with their offset where they carry one. Raises ValueError, OverflowError."""
    read = _read_iso if form == "iso" else _read_by_format
    return read(date_text.strip(), time_text.strip(), form)


def _read_iso(date_text: str, time_text: str, _: str) -> datetime:
    if time_text:
        day = datetime.fromisoformat(date_text)
        if day.time() != time():
            raise ValueError("two times of day")
        return datetime.combine(day.date(), time.fromisoformat(time_text))
    try:
        return datetime.combine(date.fromisoformat(date_text), NOON)
    except ValueError:
        return datetime.fromisoformat(date_text)


def _read_by_format(date_text: str, time_text: str, form: str) -> datetime:
    found = datetime.strptime(f"{date_text} {time_text}".rstrip(), form)  # noqa: DTZ007 the caller gives it its zone
    return found if _has_time(form) else datetime.combine(found.date(), NOON, found.tzinfo)


@lru_cache(maxsize=64)
def _has_time(form: str) -> bool:
    return TIME_DIRECTIVES.search(form) is not None
