"""Opening balances out of a chunk of rows, posted to the ledger with the account of the chunk.

A row's code is the key of its balance: it is posted once, in whatever file it comes.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from imports.cells import parse_decimal
from imports.masters.days import read_day, read_expiry
from imports.masters.mapping import MasterMapping
from imports.masters.reading import MasterReader, MasterRow
from imports.rows import Refused
from imports.sales_rows import Fault
from loyalty.ledger.books import POINT
from loyalty.ledger.opening_rules import OpeningBalance, OpeningOutcome, check, check_days
from metrics.windows import local_day

FIELDS: Final = {"key": "reference", "grantedOn": "granted_on", "expiresOn": "expires_on"}
"""Fields of a balance whose name in an error is not that of their column."""
NAMED: Final = re.compile(rf"^(?:{'|'.join(FIELDS)})\b")
"""Such a name at the beginning of a message: the column says it already, as the file does."""
LAST_ZONE: Final = "Etc/GMT+12"
FIRST_ZONE: Final = "Etc/GMT-14"
"""Where a day begins last, and first: what is refused in both is refused on every partner's calendar."""


def read_balance(row: MasterRow, mapping: MasterMapping) -> OpeningBalance:
    """What the row opens. Raises `Fault`."""
    return OpeningBalance(
        key=row.code,
        partner=row.texts["partner"] or "",
        points=_points(row, mapping),
        unit=(row.texts.get("unit") or POINT).upper(),
        expires_on=read_expiry(row, mapping),
        granted_on=read_day(row, "granted_on", mapping),
    )


def refuse_balance(row: MasterRow, outcome: OpeningOutcome, reader: MasterReader) -> Refused:
    """The row whose balance was rejected."""
    return reader.refuse(row, _fault(outcome.code, outcome.message, outcome.field, row))


def check_balance(balance: OpeningBalance, row: MasterRow, *, now: datetime) -> None:
    """What the ledger refuses a balance for whatever the program has. Raises `Fault`."""
    refusal = check(balance)
    if refusal is None:
        early, late = (check_days(balance, today=local_day(now, zone)) for zone in (LAST_ZONE, FIRST_ZONE))
        refusal = late if early is not None and late is not None and early.code == late.code else None
    if refusal is not None:
        raise _fault(refusal.code, refusal.message, refusal.field, row)


def _fault(code: str, message: str, path: Sequence[str], row: MasterRow) -> Fault:
    """A refusal of the ledger, in the words of the file."""
    named = path[0] if path else ""
    field = FIELDS.get(named, named)
    if field == "reference" and not row.texts.get(field):
        field = "partner"  # it is the key where there is no reference
    return Fault(NAMED.sub("it", message), code=code, field=field)


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
