"""Shape of what programs are configured with: codes, names, zones, locales, numbers, dates. Pure.

Each check returns the value as it is kept, or raises `Invalid` with a code and the path of the input. Paths are written
in the API's names (`["partners", "3", "timeZone"]`), items counted from 0.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from base.errors import Invalid

Path = Sequence[str]

MOST_ITEMS: Final = 10_000
CODE_LENGTH: Final = 200
NAME_LENGTH: Final = 500
TEXT_LENGTH: Final = 10_000
LARGEST_POINTS: Final = 2**53 - 1
DECIMALS: Final = 6
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)

# Language, perhaps a script, perhaps a region: id, en-GB, zh-Hant-TW.
LOCALE: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
CURRENCY: Final = re.compile(r"[A-Z]{3}")
ACTIVITY_KIND: Final = re.compile(r"[A-Z][A-Z0-9_]{0,49}")


def check_code(value: str, field: Path) -> str:
    """A code, key or SKU: what others refer to, so without blanks around it and printable. INVALID_CODE."""
    if not value or len(value) > CODE_LENGTH or value != value.strip() or not value.isprintable():
        raise Invalid(
            f"must be 1 to {CODE_LENGTH} printable characters without blanks around them",
            code="INVALID_CODE",
            field=field,
        )
    return value


def check_name(value: str, field: Path) -> str:
    """A name or title for people. INVALID_NAME."""
    if not value.strip() or len(value) > NAME_LENGTH or not value.isprintable():
        raise Invalid(
            f"must be 1 to {NAME_LENGTH} printable characters, not only blanks",
            code="INVALID_NAME",
            field=field,
        )
    return value


def check_text(value: str, field: Path) -> str:
    """A longer text, perhaps empty. INVALID_TEXT."""
    if len(value) > TEXT_LENGTH or "\0" in value:
        raise Invalid(f"must be at most {TEXT_LENGTH} characters of text", code="INVALID_TEXT", field=field)
    return value


def check_time_zone(value: str, field: Path) -> str:
    """The name of a zone in the IANA database. INVALID_TIME_ZONE."""
    if not _is_zone(value):
        raise Invalid(
            f"{value!r} is no IANA time zone (like Asia/Jakarta)", code="INVALID_TIME_ZONE", field=field
        )
    return value


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    if name in ("localtime", "posixrules", "Factory"):
        return False  # files of some machines that name no zone
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def check_locale(value: str, field: Path) -> str:
    """A language, perhaps with a script and a region, as BCP 47 writes it. INVALID_LOCALE."""
    if not LOCALE.fullmatch(value):
        raise Invalid(f"{value!r} is no locale (like id or en-GB)", code="INVALID_LOCALE", field=field)
    return value


def check_currency(value: str, field: Path) -> str:
    """The shape of an ISO 4217 code. INVALID_CURRENCY."""
    if not CURRENCY.fullmatch(value):
        raise Invalid(f"{value!r} is no ISO 4217 currency (like USD)", code="INVALID_CURRENCY", field=field)
    return value


def check_attributes(value: Mapping[str, object] | None, field: Path) -> str:
    """A JSON object, as the text that is stored; an empty one where left out. INVALID_ATTRIBUTES."""
    try:
        stored = json.dumps({} if value is None else dict(value), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid("must be a JSON object", code="INVALID_ATTRIBUTES", field=field) from error
    if "\\u0000" in stored or any(f"\\ud{digit}" in stored for digit in "89abcdef"):
        _check_storable(stored, field)
    return stored


def _check_storable(stored: str, field: Path) -> None:
    """PostgreSQL keeps neither NUL nor half a surrogate pair; a backslash before `u0000` in the text itself is fine."""
    text = json.dumps(json.loads(stored), ensure_ascii=False)
    lone = any("\ud800" <= letter <= "\udfff" for letter in text)
    if lone or re.search(r"(?<!\\)(\\\\)*\\u0000", stored):
        raise Invalid("must be text that can be stored", code="INVALID_ATTRIBUTES", field=field)


def check_decimal(
    value: Decimal,
    field: Path,
    *,
    above: Decimal | None = None,
    least: Decimal | None = None,
    digits: int = 18,
) -> Decimal:
    """A finite number of at most `digits` whole digits and 6 decimals, above or not below a bound.

    INVALID_NUMBER, TOO_PRECISE, TOO_LARGE, NOT_POSITIVE, NEGATIVE.
    """
    if not value.is_finite():
        raise Invalid("must be a number", code="INVALID_NUMBER", field=field)
    if above is not None and value <= above:
        raise Invalid(f"must be above {above}", code="NOT_POSITIVE", field=field)
    if least is not None and value < least:
        raise Invalid(f"must be {least} or more", code="NEGATIVE", field=field)
    if abs(value) >= Decimal(10) ** digits:
        raise Invalid(f"must have at most {digits} whole digits", code="TOO_LARGE", field=field)
    if value != round(value, DECIMALS):
        raise Invalid(f"must have at most {DECIMALS} decimals", code="TOO_PRECISE", field=field)
    return value


def check_points(value: int, field: Path) -> int:
    """A whole number of points, 1 to 2^53 − 1. NOT_POSITIVE, TOO_LARGE."""
    if value <= 0:
        raise Invalid("must be above 0", code="NOT_POSITIVE", field=field)
    if value > LARGEST_POINTS:
        raise Invalid(f"must be at most {LARGEST_POINTS}", code="TOO_LARGE", field=field)
    return value


def decimal_text(value: Decimal) -> str:
    """A decimal as it stands in stored JSON: without exponent and without trailing zeros."""
    return format(value.normalize(), "f")


def check_instant(instant: datetime, field: Path) -> None:
    """With its zone, and far enough from both ends of the calendar for every place. ZONE_MISSING, INVALID_DATE."""
    if instant.tzinfo is None:
        raise Invalid("must carry its zone or offset", code="ZONE_MISSING", field=field)
    if not EARLIEST <= instant < LATEST:
        message = f"must lie from {EARLIEST.year} to {LATEST.year - 1}"
        raise Invalid(message, code="INVALID_DATE", field=field)


def check_dates(
    starts_at: datetime | None, ends_at: datetime | None, *, prefix: Path = ()
) -> tuple[datetime | None, datetime | None]:
    """`[starts_at, ends_at)`, each as `check_instant` asks, the end after the start. ENDS_BEFORE_START."""
    for name, instant in (("startsAt", starts_at), ("endsAt", ends_at)):
        if instant is not None:
            check_instant(instant, (*prefix, name))
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise Invalid("must be after the start", code="ENDS_BEFORE_START", field=(*prefix, "endsAt"))
    return starts_at, ends_at


def check_count(items: Sequence[object], field: Path, *, least: int = 0, most: int = MOST_ITEMS) -> None:
    """How many items an input may hold. REQUIRED, TOO_MANY."""
    if len(items) < least:
        raise Invalid(f"must name at least {least}", code="REQUIRED", field=field)
    if len(items) > most:
        raise Invalid(f"must hold at most {most} items", code="TOO_MANY", field=field)


def check_unique(values: Iterable[str], field: Path, *, name: str | None = None) -> None:
    """No value twice in a list: the second one is the offender, at `field`, its index and `name`. DUPLICATE."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            raise Invalid(
                f"{value!r} stands here twice", code="DUPLICATE", field=item_path(field, index, name)
            )
        seen.add(value)


def check_known(
    values: Iterable[str | None], known: Iterable[str], field: Path, *, noun: str, name: str | None = None
) -> None:
    """All values that are set are known; the first that is not is the offender. UNKNOWN_<NOUN>."""
    known = frozenset(known)
    for index, value in enumerate(values):
        if value is not None and value not in known:
            raise unknown(noun, value, item_path(field, index, name))


def unknown(noun: str, value: str, field: Path) -> Invalid:
    """The refusal of a reference to what the program does not have. UNKNOWN_<NOUN>."""
    return Invalid(
        f"there is no {noun} {value!r}", code=f"UNKNOWN_{noun.upper().replace(' ', '_')}", field=field
    )


def item_path(field: Path, index: int, name: str | None = None) -> tuple[str, ...]:
    """The path of an item of a list, or of one of its fields."""
    return (*field, str(index), *(() if name is None else (name,)))
