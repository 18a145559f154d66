"""How the columns of a system's export are to be read: a mapping, written in TOML. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from partners.inputs import PartnerKind

Column: TypeAlias = str | int
"""A header, or a place that counts from 1."""


class Unknown(StrEnum):
    """What becomes of a partner, product or region that the program does not have."""

    REFUSE = "refuse"
    CREATE = "create"


class Cleaner(StrEnum):
    """What is done to a cell that holds an id or a name, in the order given; white space around it always goes."""

    UPPER = "upper"
    LOWER = "lower"
    INTEGER = "integer"
    """A whole number without its decimals: 17850.0 is 17850."""
    DIGITS = "digits"
    """Digits only: 0812-3456 is 08123456."""
    UNPAD = "unpad"
    """Without leading zeros."""
    COLLAPSE = "collapse"
    """One space for any white space within."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How bytes become rows."""

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    skip_lines: int = 0
    """Lines before the header."""
    decimal: str = "."
    thousands: str = ""
    empty: tuple[str, ...] = ("",)
    """What stands for nothing."""


@dataclass(frozen=True, slots=True)
class DateFormat:
    """How dates are written. A naive time is of `time_zone`; a date alone is its noon there."""

    format: str = "iso"
    """`iso`, or the directives of strptime."""
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Condition:
    """What is true of a row: its cell begins with, is one of, or (a quantity) lies below zero."""

    column: Column | None = None
    """None: the document, as it is after cleaning; of `negative`, the quantity."""
    starts_with: tuple[str, ...] = ()
    equals: tuple[str, ...] = ()
    negative: bool = False


@dataclass(frozen=True, slots=True)
class ReturnRules:
    """What marks a return, and how it finds its sale: the newest earlier sales of the partner and product, or those of
    the document that a column names."""

    when: Condition | None = None
    sale: Column | None = None


@dataclass(frozen=True, slots=True)
class PartnerRules:
    """Which partners a row may name, and what one that is created is."""

    unknown: Unknown = Unknown.REFUSE
    kind: PartnerKind = PartnerKind.RETAILER
    region: str | None = None
    """Of those whose row names none."""
    unknown_regions: Unknown = Unknown.REFUSE


@dataclass(frozen=True, slots=True)
class ProductRules:
    """Which products a row may name."""

    unknown: Unknown = Unknown.REFUSE
    no_products: tuple[str, ...] = ()
    """Codes, as they are after cleaning, that are none: postage, fees. `*` is any text, `?` one character."""


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """What makes a document's number the only one of its kind."""

    within: tuple[Column, ...] = ()
    """Columns that the number is unique within: the shop and the day of a till's receipts."""


@dataclass(frozen=True, slots=True)
class SalesMapping:
    """A whole mapping of sales. `columns` by field: see `SALES_FIELDS`."""

    source: str
    columns: dict[str, Column]
    file: FileFormat = field(default_factory=FileFormat)
    dates: DateFormat = field(default_factory=DateFormat)
    clean: dict[str, tuple[Cleaner, ...]] = field(default_factory=dict)
    documents: DocumentRules = field(default_factory=DocumentRules)
    returns: ReturnRules = field(default_factory=ReturnRules)
    partners: PartnerRules = field(default_factory=PartnerRules)
    products: ProductRules = field(default_factory=ProductRules)


SALES_FIELDS: Final = (
    "document", "partner", "date", "time", "sku", "quantity", "price", "amount", "unit", "currency",
    "partner_name", "region", "product_name", "category", "brand",
)  # fmt: skip
"""What a column may be of. `price` is of one; `amount` is of the line. Needed: document, partner, date, sku, quantity,
and one of price and amount."""

NEEDED: Final = ("document", "partner", "date", "sku", "quantity")
CLEANED: Final = (
    "document", "partner", "sku", "unit", "currency", "partner_name", "region", "product_name", "category", "brand",
)  # fmt: skip
"""What may be cleaned: ids and names. What a return names as its sale is cleaned as documents are."""
