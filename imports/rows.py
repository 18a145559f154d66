"""What a file holds. Pure.

A row is what stands between two line ends outside quotes; its line is the physical line that it begins on, counted from
1, the header's included. Rows that were refused once carry the line that they had then. Rows are named tuples, because
there are millions of them: to make a frozen dataclass takes five times as long.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

LINE_COLUMN: Final = "mitra_line"
REASON_COLUMN: Final = "mitra_reason"
MESSAGE_COLUMN: Final = "mitra_message"
ADDED_COLUMNS: Final = (LINE_COLUMN, REASON_COLUMN, MESSAGE_COLUMN)
"""What a file of refused rows has before the columns of the file that they were refused from."""


class RawRow(NamedTuple):
    """A row as it stands in the file, without the columns that a file of refused rows adds.

    `line` is where it begins in this file; `first_line` is where it stood when it was first refused, else the same.
    `fault` says why the file could not be read there: (code, message).
    """

    line: int
    first_line: int
    cells: tuple[str, ...]
    fault: tuple[str, str] | None = None


class SalesRow(NamedTuple):
    """A line of a sale or a return, understood. Quantity above 0 for a return too; amounts as in `activity.rules`.

    `digest` says which row this is among those of its document: equal for exact repeats, whatever file they stand in.
    """

    raw: RawRow
    document: str
    is_return: bool
    partner: str
    occurred_at: datetime
    sku: str
    quantity: Decimal
    amount: Decimal
    digest: bytes
    unit: str | None = None
    currency: str | None = None
    sale: str | None = None
    """The document that a return says it takes back, where the file tells."""
    partner_name: str | None = None
    region: str | None = None
    product_name: str | None = None
    category: str | None = None
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken, and why; `column` is the header of the cell that is to blame, where it is one."""

    raw: RawRow
    code: str
    message: str
    column: str | None = None
