"""Days in files of master data, as their mapping writes them. Pure."""

from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from imports.cells import parse_instant, read_written
from imports.masters.mapping import MasterMapping
from imports.masters.reading import MasterRow
from imports.sales_rows import Fault

NEVER_YEAR: Final = 9999
"""What ERP systems write where something never expires: the last year that a date can have."""


def read_day(row: MasterRow, field: str, mapping: MasterMapping) -> date | None:
    """A day as it is written; of a time with an offset, the day in the mapping's zone. None where there is none."""
    text = row.texts.get(field)
    if text is None:
        return None
    try:
        return parse_instant(text, "", mapping.dates).astimezone(ZoneInfo(mapping.dates.time_zone)).date()
    except (ValueError, OverflowError) as error:
        raise _unreadable(text, field) from error


def read_expiry(row: MasterRow, mapping: MasterMapping) -> date | None:
    """The last day on which something is good. None: it never expires."""
    text = row.texts.get("expires_on")
    try:
        is_never = text is not None and read_written(text, "", mapping.dates.format).year == NEVER_YEAR
    except (ValueError, OverflowError) as error:
        raise _unreadable(text or "", "expires_on") from error
    return None if is_never else read_day(row, "expires_on", mapping)


def _unreadable(text: str, field: str) -> Fault:
    return Fault(f"{text!r} is no date that can be read", code="INVALID_DATE", field=field)
