"""How the columns of a file of partners, products or balances are read. Pure.

Without a table [columns] a file's columns are known by the names of the fields, and a column of another name is a
mistake. With one, only the columns that it names are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from base.errors import Invalid
from imports.columns import find_column
from imports.mapping import Cleaner, Column, DateFormat, FileFormat, Unknown
from imports.mapping_toml import read_cleaners, read_column, read_dates, read_file_format
from imports.store import ImportKind
from imports.toml import Table, nearest, parse_document
from partners.inputs import PartnerKind

FIELDS: Final = {
    ImportKind.PARTNERS: (
        "code",
        "name",
        "kind",
        "region",
        "parent",
        "time_zone",
        "locale",
        "status",
        "joined_on",
    ),
    ImportKind.PRODUCTS: ("sku", "name", "category", "brand", "unit", "packs"),
    ImportKind.BALANCES: ("partner", "points", "unit", "expires_on", "granted_on", "reference"),
}
NEEDED: Final = {
    ImportKind.PARTNERS: ("code",),
    ImportKind.PRODUCTS: ("sku",),
    ImportKind.BALANCES: ("partner", "points"),
}
CLEANED: Final = {
    ImportKind.PARTNERS: ("code", "name", "kind", "region", "time_zone", "locale", "status"),
    ImportKind.PRODUCTS: ("sku", "name", "category", "brand", "unit"),
    ImportKind.BALANCES: ("partner", "unit", "reference"),
}
"""What may be cleaned. A parent is cleaned as codes are."""
PACK_UNIT: Final = "pack_unit"
PACK_QUANTITY: Final = "pack_quantity"
ATTRIBUTES: Final = "attributes"
SOURCE: Final = "import"
"""What begins the keys of balances where a mapping names no source."""


@dataclass(frozen=True, slots=True)
class MasterMapping:
    """A whole mapping. `columns` is None where they go by their names; `packs` are pairs of unit and quantity."""

    kind: ImportKind
    columns: Mapping[str, Column] | None = None
    packs: Sequence[tuple[Column, Column]] = ()
    attributes: Mapping[str, Column] = field(default_factory=dict)
    file: FileFormat = field(default_factory=FileFormat)
    dates: DateFormat = field(default_factory=DateFormat)
    clean: Mapping[str, tuple[Cleaner, ...]] = field(default_factory=dict)
    source: str = SOURCE
    partner_kind: PartnerKind | None = None
    """Of partners whose row names none."""
    region: str | None = None
    """Of partners whose row names none."""
    unknown_regions: Unknown = Unknown.REFUSE


@dataclass(frozen=True, slots=True)
class Places:
    """Where the columns stand, counted from 0."""

    fields: Mapping[str, int]
    packs: Sequence[tuple[int, int]] = ()
    attributes: Mapping[str, int] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """How many cells a row has at least."""
        packs = [place for pack in self.packs for place in pack]
        return max((*self.fields.values(), *packs, *self.attributes.values())) + 1


def parse_master_mapping(text: str, kind: ImportKind) -> MasterMapping:
    """A mapping as its TOML says it; an empty one reads columns by their own names. INVALID_MAPPING."""
    document = parse_document(text)
    source = document.text("source", SOURCE, least=1) if kind is ImportKind.BALANCES else SOURCE
    file = read_file_format(document.table("file"))
    table = document.table("columns")
    columns = None
    packs: Sequence[tuple[Column, Column]] = ()
    attributes: Mapping[str, Column] = {}
    if table.content:
        columns = _read_columns(table, kind, file)
        packs = _read_packs(table, file) if kind is ImportKind.PRODUCTS else ()
        attributes = _read_attributes(table, file) if kind is not ImportKind.BALANCES else {}
        table.close()
        if packs and "packs" in columns:
            raise table.fault("name either the column of all packs or the columns of each", "packs")
    elif not file.header:
        raise document.fault("is needed: the file has no header", "columns")
    partners = document.table("partners") if kind is ImportKind.PARTNERS else Table({})
    mapping = MasterMapping(
        kind=kind,
        columns=columns,
        packs=packs,
        attributes=attributes,
        file=file,
        dates=DateFormat() if kind is ImportKind.PRODUCTS else read_dates(document.table("dates")),
        clean=read_cleaners(document.table("clean"), CLEANED[kind]),
        source=source,
        partner_kind=partners.choice("kind", PartnerKind.RETAILER) if "kind" in partners else None,
        region=partners.optional_text("region"),
        unknown_regions=partners.choice("unknown_regions", Unknown.REFUSE),
    )
    partners.asked.append("kind")
    partners.close()
    document.close()
    return mapping


def with_new_regions(text: str) -> str:
    """The same mapping of partners, with unknown regions created. INVALID_MAPPING where it says so itself."""
    document = parse_document(text)
    if "partners" in document:
        message = 'say unknown_regions = "create" here: the mapping has this table'
        raise document.fault(message, "partners")
    return f'{text.rstrip()}\n\n[partners]\nunknown_regions = "create"\n'.lstrip()


def _read_columns(table: Table, kind: ImportKind, file: FileFormat) -> dict[str, Column]:
    found = {name: read_column(table, name, file) for name in FIELDS[kind]}
    for name in NEEDED[kind]:
        if found[name] is None:
            raise table.fault("is needed: the header or the place of its column", name)
    return {name: column for name, column in found.items() if column is not None}


def _read_packs(table: Table, file: FileFormat) -> list[tuple[Column, Column]]:
    units, quantities = (_read_list(table, name, file) for name in (PACK_UNIT, PACK_QUANTITY))
    if len(units) != len(quantities):
        raise table.fault(f"must have as many columns as {PACK_QUANTITY}", PACK_UNIT)
    return list(zip(units, quantities, strict=True))


def _read_list(table: Table, name: str, file: FileFormat) -> list[Column]:
    """A column, or a list of them."""
    given = table.take(name)
    if given is None:
        return []
    items = given if isinstance(given, list) else [given]
    found = (read_column(Table({name: item}, table.path), name, file) for item in items)
    return [column for column in found if column is not None]


def _read_attributes(table: Table, file: FileFormat) -> dict[str, Column]:
    inner = table.table(ATTRIBUTES)
    found = {name: read_column(inner, name, file) for name in inner.content}
    return {name: column for name, column in found.items() if column is not None}


def place_columns(mapping: MasterMapping, header: Sequence[str]) -> Places:
    """Where the columns of a mapping stand in a file. INVALID_MAPPING, UNKNOWN_COLUMN, MISSING_COLUMN."""
    if mapping.columns is None:
        return _place_by_names(mapping.kind, header)
    return Places(
        {name: find_column(column, header, ("columns", name)) for name, column in mapping.columns.items()},
        [
            (
                find_column(unit, header, ("columns", PACK_UNIT)),
                find_column(quantity, header, ("columns", PACK_QUANTITY)),
            )
            for unit, quantity in mapping.packs
        ],
        {
            name: find_column(column, header, ("columns", ATTRIBUTES, name))
            for name, column in mapping.attributes.items()
        },
    )


def _place_by_names(kind: ImportKind, header: Sequence[str]) -> Places:
    fields: dict[str, int] = {}
    attributes: dict[str, int] = {}
    packs: dict[str, list[int]] = {PACK_UNIT: [], PACK_QUANTITY: []}
    for place, given in enumerate(header):
        name = given.lower().replace(" ", "_")
        prefix, _, attribute = given.partition(".")
        if not given:
            continue
        if kind is ImportKind.PRODUCTS and name in packs:
            packs[name].append(place)
        elif name in FIELDS[kind] and name not in fields:
            fields[name] = place
        elif _is_attribute(kind, prefix, attribute) and attribute not in attributes:
            attributes[attribute] = place
        else:
            raise _unknown_column(kind, given, is_twice=name in fields or attribute in attributes)
    for name in NEEDED[kind]:
        if name not in fields:
            raise Invalid(f"the file has no column {name!r}", code="MISSING_COLUMN", field=(name,))
    if len(packs[PACK_UNIT]) != len(packs[PACK_QUANTITY]):
        message = f"each {PACK_UNIT} needs a {PACK_QUANTITY}, in the same order"
        raise Invalid(message, code="MISSING_COLUMN", field=(PACK_QUANTITY,))
    if packs[PACK_UNIT] and "packs" in fields:
        message = f"packs stand in one column, or in those of {PACK_UNIT} and {PACK_QUANTITY}: not in both"
        raise Invalid(message, code="UNKNOWN_COLUMN", field=("packs",))
    return Places(fields, list(zip(packs[PACK_UNIT], packs[PACK_QUANTITY], strict=True)), attributes)


def _is_attribute(kind: ImportKind, prefix: str, attribute: str) -> bool:
    return kind is not ImportKind.BALANCES and prefix.lower() == ATTRIBUTES and bool(attribute)


def _unknown_column(kind: ImportKind, given: str, *, is_twice: bool) -> Invalid:
    if is_twice:
        message = f"{given!r} stands twice in the header"
    else:
        message = f"{given!r} is no column of these; {nearest(given, FIELDS[kind])}; a mapping reads others"
    return Invalid(message, code="UNKNOWN_COLUMN", field=(given,))
