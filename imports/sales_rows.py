"""A row of cells as a line of a sale or a return, or as a refusal that says why. Pure.

The reason of a row that is wrong in several ways is the first of these: what the file's reader found, document,
partner, SKU, whether it is a product, date, quantity, amount, and then the texts beside them.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final, NamedTuple, TypeAlias

import orjson

from activity.rules import AMOUNT_STEP, EARLIEST, MAX_NUMBER, MAX_TEXT, QUANTITY_STEP
from base.numbers import EXACT, plain
from imports.cells import clean_name, clean_text, parse_decimal, parse_instant
from imports.columns import find_column
from imports.mapping import SalesMapping
from imports.rows import RawRow, Refused, SalesRow
from imports.wording import count_of

LONGEST_DOCUMENT: Final = MAX_TEXT - 20
"""A further activity of a document has a line number after the document's own."""
LONGEST_CELL: Final = 1_000
"""Of those that are looked at, with the white space around them."""
WITHIN: Final = ":"
"""What stands between a document's number and what it is unique within."""
NOTHING: Final = r"(?!)"
"""The pattern that no text matches."""
LONGEST_NAME: Final = 500
MOST_TEXTS: Final = 4_096
"""How many distinct cells of a column are remembered: most come again and again."""
NAMES: Final = frozenset({"partner_name", "region", "product_name", "category", "brand"})
BESIDE: Final = ("unit", "currency", "partner_name", "region", "product_name", "category", "brand")
"""Fields that are taken as they are, in the order in which a digest has them."""

Cells: TypeAlias = Sequence[str]
Text: TypeAlias = Callable[[Cells], str | None]
"""What a column says, cleaned; None where it says nothing. Raises `Fault`."""


class Fault(Exception):
    """Why the row at hand cannot be taken; `field` is to blame."""

    def __init__(self, message: str, *, code: str, field: str) -> None:
        super().__init__(message)
        self.message, self.code, self.field = message, code, field


class Measure(NamedTuple):
    """Quantity and amount of a line, and how a digest writes them."""

    quantity: Decimal
    amount: Decimal
    quantity_text: str
    amount_text: str


class SalesReader:
    """Reads the rows of one file. A row is read alike wherever it stands: all that is remembered are equal cells."""

    def __init__(self, mapping: SalesMapping, header: Sequence[str]) -> None:
        """INVALID_MAPPING where the file lacks a column that the mapping names. `header`: empty where there is none."""
        self._mapping = mapping
        self._header = tuple(header)
        columns = {name: (column, ("columns", name)) for name, column in mapping.columns.items()}
        if mapping.returns.sale is not None:
            columns["sale"] = (mapping.returns.sale, ("returns", "sale"))
        self._place = {name: find_column(column, header, path) for name, (column, path) in columns.items()}
        self._date, self._time = self._place["date"], self._place.get("time")
        self._quantity = self._place["quantity"]
        self._is_price = "price" in self._place
        self._money = self._place["price" if self._is_price else "amount"]
        self._document = self._text("document")
        self._partner = self._text("partner")
        self._sku = self._text("sku")
        self._sale = self._text("sale")
        self._beside = [
            (at, self._place[name], lru_cache(MOST_TEXTS)(partial(self._clean, name)))
            for at, name in enumerate(BESIDE)
            if name in self._place
        ]
        self._is_return = self._condition()
        within = mapping.documents.within
        self._within = [find_column(column, header, ("documents", "within")) for column in within]
        self._read_places = {*self._place.values(), *self._within}
        self._width = max(self._read_places) + 1
        # As translated, a pattern goes over a code once, whatever it is.
        patterns = "|".join(
            fnmatch.translate(one.replace("[", "[[]")) for one in mapping.products.no_products
        )
        self._is_no_product = re.compile(patterns or NOTHING).match
        self._check_product = lru_cache(MOST_TEXTS)(self._tell_product)
        self._read_instant = lru_cache(MOST_TEXTS)(self._tell_instant)
        self._read_measure = lru_cache(MOST_TEXTS)(self._tell_measure)

    def read(self, raw: RawRow) -> SalesRow | Refused:
        """The row, understood or refused."""
        if raw.fault is not None:
            return Refused(raw, *raw.fault)
        cells = raw.cells
        if len(cells) < self._width:
            message = f"{count_of(len(cells), 'column')} instead of {self._width}"
            return Refused(raw, code="WRONG_COLUMNS", message=message)
        if max(map(len, cells)) > LONGEST_CELL and any(
            len(cells[at]) > LONGEST_CELL for at in self._read_places
        ):
            message = f"a cell has more than {LONGEST_CELL:,} characters"
            return Refused(raw, code="INVALID_TEXT", message=message)
        try:
            return self._understand(raw, cells)
        except Fault as fault:
            return Refused(raw, fault.code, fault.message, self.column_of(fault.field))

    def _understand(self, raw: RawRow, cells: Cells) -> SalesRow:
        document = self._document(cells)
        if document is None:
            raise Fault("no document is named", code="NO_DOCUMENT", field="document")
        is_return = self._is_return(document, cells)
        partner = self._partner(cells)
        if partner is None:
            raise Fault("no partner is named", code="NO_PARTNER", field="partner")
        sku = self._sku(cells)
        if sku is None:
            raise Fault("no product is named", code="NO_SKU", field="sku")
        self._check_product(sku)
        occurred_at, instant = self._read_instant(
            cells[self._date], "" if self._time is None else cells[self._time]
        )
        money = cells[self._money]
        quantity, amount, quantity_text, amount_text = self._read_measure(
            is_return, cells[self._quantity], money
        )
        sale = self._sale(cells) if is_return else None
        if self._within:
            document = self._placed(document, cells)
            sale = sale and self._placed(sale, cells)
        beside: list[str | None] = [None] * len(BESIDE)
        for at, place, clean in self._beside:
            beside[at] = clean(cells[place])
        unit, currency, *names = beside
        told = orjson.dumps(
            (is_return, partner, instant, sku, quantity_text, amount_text, unit, currency, sale)
        )
        digest = blake2b(told, digest_size=16).digest()
        return SalesRow(
            raw, document, is_return, partner, occurred_at, sku, quantity, amount, digest,
            unit, currency, sale, *names,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------------ columns

    def column_of(self, field: str) -> str | None:
        """The header of a field's column, its place where there is no header; None where the file has none."""
        place = self._place.get(field)
        if place is None:
            return None
        return self._header[place] if place < len(self._header) else str(place + 1)

    # -------------------------------------------------------------------------------------------------------- texts

    def _text(self, field: str) -> Text:
        place = self._place.get(field)
        if place is None:
            return lambda _: None
        clean = lru_cache(MOST_TEXTS)(partial(self._clean, field))
        return lambda cells: clean(cells[place])

    def _placed(self, document: str, cells: Cells) -> str:
        """A document's number behind what it is unique within."""
        found = WITHIN.join((*(cells[place].strip() for place in self._within), document))
        if len(found) > LONGEST_DOCUMENT or not found.isprintable():
            message = (
                f"{found[:20]!r}… has more than {LONGEST_DOCUMENT} characters, or some that cannot be printed"
            )
            raise Fault(message, code="INVALID_TEXT", field="document")
        return found

    def _clean(self, field: str, cell: str) -> str | None:
        text = cell.strip()
        if text in self._mapping.file.empty:
            return None
        cleaners = self._mapping.clean.get("document" if field == "sale" else field, ())
        text = clean_text(text, cleaners, decimal=self._mapping.file.decimal)
        longest = LONGEST_DOCUMENT if field in ("document", "sale") else MAX_TEXT
        if field in NAMES:
            text = clean_name(text)
            longest = LONGEST_NAME if field.endswith("_name") else MAX_TEXT
        if len(text) > longest:
            message = f"{text[:20]!r}… has more than {longest} characters"
            raise Fault(message, code="INVALID_TEXT", field=field)
        if not text.isprintable():
            raise Fault(f"{text!r} holds what cannot be printed", code="INVALID_TEXT", field=field)
        return text or None

    def _tell_product(self, sku: str) -> None:
        if self._is_no_product(sku):
            raise Fault(f"{sku} is no product", code="NO_PRODUCT", field="sku")

    # ------------------------------------------------------------------------------------------- dates and numbers

    def _tell_instant(self, date_text: str, time_text: str) -> tuple[datetime, str]:
        empty = self._mapping.file.empty
        time_text = "" if time_text.strip() in empty else time_text
        try:
            found = parse_instant(date_text, time_text, self._mapping.dates)
        except ValueError as error:
            raise Fault(str(error), code="INVALID_DATE", field="date") from error
        if found < EARLIEST:
            raise Fault(f"{date_text!r} lies before {EARLIEST.year}", code="INVALID_DATE", field="date")
        return found, found.isoformat()

    def _number(self, text: str) -> Decimal:
        file = self._mapping.file
        return parse_decimal(text, file.decimal, file.thousands)

    def _tell_measure(self, is_return: bool, quantity_text: str, money_text: str) -> Measure:
        quantity = self._tell_quantity(is_return, quantity_text)
        if self._is_price:
            price = self._tell_money(money_text, "price")
            amount = EXACT.multiply(price, quantity).quantize(
                AMOUNT_STEP, rounding=ROUND_HALF_EVEN, context=EXACT
            )
            if amount >= MAX_NUMBER:
                raise Fault(f"{plain(amount)} is too large", code="INVALID_AMOUNT", field="price")
        else:
            amount = self._tell_money(money_text, "amount", is_return=is_return)
            if amount % AMOUNT_STEP:
                message = f"{money_text!r} has more than four decimals"
                raise Fault(message, code="INVALID_AMOUNT", field="amount")
        return Measure(quantity, amount, plain(quantity), plain(amount))

    def _tell_quantity(self, is_return: bool, text: str) -> Decimal:
        try:
            quantity = self._number(text)
        except ValueError as error:
            raise Fault(str(error), code="INVALID_QUANTITY", field="quantity") from error
        if quantity < 0 and not is_return:
            message = f"{plain(quantity)} is below 0, and the row is no return"
            raise Fault(message, code="INVALID_QUANTITY", field="quantity")
        quantity = quantity.copy_abs()
        if not 0 < quantity < MAX_NUMBER:
            message = f"{text!r} is not above 0, or too large"
            raise Fault(message, code="INVALID_QUANTITY", field="quantity")
        if quantity % QUANTITY_STEP:
            message = f"{text!r} has more than six decimals"
            raise Fault(message, code="INVALID_QUANTITY", field="quantity")
        return quantity

    def _tell_money(self, text: str, field: str, *, is_return: bool = False) -> Decimal:
        """A price or an amount; that of a return may be written below 0, as its quantity may."""
        try:
            money = self._number(text)
        except ValueError as error:
            raise Fault(str(error), code="INVALID_AMOUNT", field=field) from error
        if money < 0 and not is_return:
            raise Fault(f"{plain(money)} is below 0", code="INVALID_AMOUNT", field=field)
        if abs(money) >= MAX_NUMBER:
            raise Fault(f"{text!r} is too large", code="INVALID_AMOUNT", field=field)
        return money.copy_abs()

    # ------------------------------------------------------------------------------------------------------ returns

    def _condition(self) -> Callable[[str, Cells], bool]:
        """Tells whether a row is of a return, from its document and its cells."""
        when = self._mapping.returns.when
        if when is None:
            return lambda _document, _cells: False
        if when.negative:
            is_negative = lru_cache(MOST_TEXTS)(self._is_negative)
            place = self._quantity
            return lambda _document, cells: is_negative(cells[place])
        holds = _begins(when.starts_with) if when.starts_with else frozenset(when.equals).__contains__
        if when.column is None:
            return lambda document, _cells: holds(document)
        place = self._place["when"] = find_column(when.column, self._header, ("returns", "when", "column"))
        return lambda _document, cells: holds(cells[place].strip())

    def _is_negative(self, text: str) -> bool:
        try:
            return self._number(text) < 0
        except ValueError:
            return False  # the quantity's own fault is told later


def _begins(prefixes: Iterable[str]) -> Callable[[str], bool]:
    given = tuple(prefixes)
    return lambda text: text.startswith(given)
