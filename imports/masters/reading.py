"""A row of cells as what it says of one partner, product or balance, or as a refusal that says why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Final

import orjson

from base.numbers import plain
from imports.cells import clean_name, clean_text, parse_decimal
from imports.masters.mapping import NEEDED, MasterMapping, place_columns
from imports.rows import RawRow, Refused
from imports.sales_rows import Fault
from imports.store import ImportKind
from imports.wording import count_of

PACKS: Final = "packs"
NO_CODE: Final = {
    ImportKind.PARTNERS: ("NO_PARTNER", "no partner is named"),
    ImportKind.PRODUCTS: ("NO_SKU", "no product is named"),
    ImportKind.BALANCES: ("NO_PARTNER", "no partner is named"),
}


@dataclass(frozen=True, slots=True)
class MasterRow:
    """What a row says. `code` is what it is about: a partner, a SKU, or of a balance the key.

    `texts` has the fields whose column the file has, None where the cell is empty; so has `attributes`. `packs` is None
    where no column tells them. `digest` is equal for rows that say the same.
    """

    raw: RawRow
    code: str
    texts: Mapping[str, str | None]
    digest: bytes
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    packs: Mapping[str, Decimal] | None = None


class MasterReader:
    """Reads the rows of one file."""

    def __init__(self, mapping: MasterMapping, header: Sequence[str]) -> None:
        """INVALID_MAPPING, UNKNOWN_COLUMN, MISSING_COLUMN where the file has other columns than it should."""
        self._mapping = mapping
        self._header = tuple(header)
        self._places = place_columns(mapping, header)
        self._width = self._places.width
        self._empty = frozenset(mapping.file.empty)
        self._key = NEEDED[mapping.kind][0]

    def name(self, named: str, cells: Sequence[str]) -> str | None:
        """The header of a field's column, in a row of these cells; its place where there is no header.

        `packs.2.quantity` is the quantity of the third pack that the row names.
        """
        field, _, pack = named.partition(".")
        place = self._places.fields.get(field)
        if place is None and field == PACKS and self._places.packs:
            place = self._pack_place(pack, cells)
        if place is None:
            return None
        return self._header[place] if place < len(self._header) else str(place + 1)

    def _pack_place(self, pack: str, cells: Sequence[str]) -> int:
        pairs = self._places.packs
        index, _, part = pack.partition(".")
        if len(cells) >= self._width:
            pairs = [pair for pair in pairs if any(self._text(None, cells[place]) for place in pair)] or pairs
        unit, quantity = pairs[min(int(index or 0), len(pairs) - 1)]
        return quantity if part == "quantity" else unit

    def refuse(self, row: MasterRow, fault: Fault) -> Refused:
        """The row, refused for a fault of one of its fields."""
        return Refused(row.raw, fault.code, fault.message, self.name(fault.field, row.raw.cells))

    def read(self, raw: RawRow) -> MasterRow | Refused:
        """The row, understood or refused."""
        if raw.fault is not None:
            return Refused(raw, *raw.fault)
        if len(raw.cells) < self._width:
            return Refused(
                raw, "WRONG_COLUMNS", f"{count_of(len(raw.cells), 'column')} instead of {self._width}"
            )
        try:
            return self._understand(raw)
        except Fault as fault:
            return Refused(raw, fault.code, fault.message, self.name(fault.field, raw.cells))

    def _understand(self, raw: RawRow) -> MasterRow:
        texts = {name: self._text(name, raw.cells[place]) for name, place in self._places.fields.items()}
        code = texts[self._key]
        if code is None:
            missing, message = NO_CODE[self._mapping.kind]
            raise Fault(message, code=missing, field=self._key)
        if self._mapping.kind is ImportKind.BALANCES:
            code = f"{self._mapping.source}/{texts.get('reference') or code}"
        attributes = {
            name: self._text(None, raw.cells[place]) for name, place in self._places.attributes.items()
        }
        packs = self._packs(texts.get("packs"), raw.cells)
        told = None if packs is None else {unit: plain(quantity) for unit, quantity in packs.items()}
        said = orjson.dumps([texts, attributes, told], option=orjson.OPT_SORT_KEYS)
        return MasterRow(raw, code, texts, blake2b(said, digest_size=16).digest(), attributes, packs)

    def _text(self, name: str | None, cell: str) -> str | None:
        """A cell, cleaned; None where it says nothing."""
        text = cell.strip()
        if text in self._empty:
            return None
        if name is not None:
            cleaners = self._mapping.clean.get("code" if name == "parent" else name, ())
            text = clean_text(text, cleaners, decimal=self._mapping.file.decimal)
        return (clean_name(text) if name in ("name", "category", "brand", "region") else text) or None

    def _packs(self, text: str | None, cells: Sequence[str]) -> dict[str, Decimal] | None:
        """Packs as `CASE=12;PALLET=480`, or out of columns of their own."""
        if PACKS in self._places.fields:
            pairs = [_split(pack) for pack in (text or "").split(";") if pack.strip()]
        elif self._places.packs:
            found = (
                (self._text(None, cells[unit]) or "", self._text(None, cells[quantity]) or "")
                for unit, quantity in self._places.packs
            )
            pairs = [pack for pack in found if any(pack)]
        else:
            return None
        packs: dict[str, Decimal] = {}
        for at, (unit, quantity) in enumerate(pairs):
            if unit in packs:
                message = f"the pack {unit!r} stands here twice"
                raise Fault(message, code="INVALID_PACKS", field=f"{PACKS}.{at}.unit")
            packs[unit] = self._quantity(unit, quantity, at)
        return packs

    def _quantity(self, unit: str, text: str, at: int) -> Decimal:
        field = f"{PACKS}.{at}.quantity"
        if not unit or not text:
            message = "a pack is its unit and how much it holds, like CASE=12"
            raise Fault(message, code="INVALID_PACKS", field=field if unit else f"{PACKS}.{at}.unit")
        try:
            return parse_decimal(text, self._mapping.file.decimal, self._mapping.file.thousands)
        except ValueError as error:
            raise Fault(str(error), code="INVALID_PACKS", field=field) from error


def _split(pack: str) -> tuple[str, str]:
    unit, _, quantity = pack.partition("=")
    return unit.strip(), quantity.strip()
