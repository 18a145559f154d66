"""Opening balances out of a chunk of rows, posted to the ledger with the account of the chunk.

A row's code is the key of its balance: it is posted once, in whatever file it comes.
"""

from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from imports.cells import parse_decimal, parse_instant, read_written
from imports.masters.mapping import MasterMapping
from imports.masters.reading import MasterReader, MasterRow
from imports.rows import Refused
from imports.sales_rows import Fault
from loyalty.ledger.books import POINT
from loyalty.ledger.opening import OpeningBalance, OpeningOutcome

FIELDS: Final = {"key": "reference", "grantedOn": "granted_on", "expiresOn": "expires_on"}
"""Fields of a balance whose name in an error is not that of their column."""

NEVER_YEAR: Final = 9999
"""What ERP systems write where something never expires: the last year that a date can have."""


def read_balance(row: MasterRow, mapping: MasterMapping) -> OpeningBalance:
    """What the row opens. Raises `Fault`."""
    return OpeningBalance(
        key=row.code,
        partner=row.texts["partner"] or "",
        points=_points(row, mapping),
        unit=(row.texts.get("unit") or POINT).upper(),
        expires_on=_day(row, "expires_on", mapping),
        granted_on=_day(row, "granted_on", mapping),
    )


def refuse_balance(row: MasterRow, outcome: OpeningOutcome, reader: MasterReader) -> Refused:
    """The row whose balance was rejected."""
    named = outcome.field[0] if outcome.field else ""
    return reader.refuse(row, Fault(outcome.message, code=outcome.code, field=FIELDS.get(named, named)))


def _points(row: MasterRow, mapping: MasterMapping) -> int:
    text = row.texts["points"]
    if text is None:
        raise Fault("no points are named", code="INVALID_AMOUNT", field="points")
    try:
        points = parse_decimal(text, mapping.file.decimal, mapping.file.thousands)
    except ValueError as error:
        raise Fault(str(error), code="INVALID_AMOUNT", field="points") from error
    if points != points.to_integral_value():
        raise Fault(f"{text!r} is no whole number", code="INVALID_AMOUNT", field="points")
    return int(points)


def _day(row: MasterRow, field: str, mapping: MasterMapping) -> date | None:
    """A day as it is written; of a time with an offset, the day in the mapping's zone. None: never."""
    text = row.texts.get(field)
    if text is None:
        return None
    try:
        if field == "expires_on" and read_written(text, "", mapping.dates.format).year == NEVER_YEAR:
            return None
        return parse_instant(text, "", mapping.dates).astimezone(ZoneInfo(mapping.dates.time_zone)).date()
    except (ValueError, OverflowError) as error:
        raise Fault(f"{text!r} is no date that can be read", code="INVALID_DATE", field=field) from error
