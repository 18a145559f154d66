"""What a row makes of a partner or product that stands, or of none. Pure.

Columns that the file does not have keep what stands. An empty cell clears, except where something must stand: there
the mapping's default does, or the row is refused. A status and the day of joining are never
cleared.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from base.errors import Invalid
from imports.masters.days import read_day
from imports.masters.mapping import MasterMapping
from imports.masters.reading import MasterRow
from imports.sales_rows import Fault
from imports.toml import nearest
from partners.inputs import (
    PartnerInput,
    PartnerKind,
    PartnerStatus,
    ProductInput,
    check_partners,
    check_products,
)

Choice = TypeVar("Choice", bound=StrEnum)

UNNAMED: Final = ProductInput(sku="", name="")
"""What a product is where nothing is said of it."""
NAMES: Final = {"timeZone": "time_zone", "joinedOn": "joined_on"}
"""Fields whose name in an error is not that of their column."""


def merge_partner(row: MasterRow, stored: PartnerInput | None, mapping: MasterMapping) -> PartnerInput:
    """The partner as the row states it. Raises `Fault`."""
    default = None if mapping.partner_kind is None else mapping.partner_kind.value
    found: dict[str, Any] = {
        "name": _required(row, "name", stored),
        "kind": _choice(PartnerKind, _required(row, "kind", stored, default), "kind"),
        "region": _required(row, "region", stored, mapping.region),
        **{name: row.texts[name] for name in ("parent", "time_zone", "locale") if name in row.texts},
    }
    if status := row.texts.get("status"):
        found["status"] = _choice(PartnerStatus, status, "status")
    if joined_on := read_day(row, "joined_on", mapping):
        found["joined_on"] = joined_on
    if stored is None:
        merged = PartnerInput(code=row.code, **found, attributes=_attributes(row, {}))
    else:
        merged = replace(stored, **found, attributes=_attributes(row, stored.attributes or {}))
    _check(lambda: check_partners([merged]))
    return merged


def merge_product(row: MasterRow, stored: ProductInput | None) -> ProductInput:
    """The product as the row states it. Raises `Fault`."""
    found: dict[str, Any] = {
        "name": _required(row, "name", stored),
        **{name: row.texts[name] for name in ("category", "brand") if name in row.texts},
    }
    if "unit" in row.texts:
        found["unit"] = row.texts["unit"] or UNNAMED.unit
    if row.packs is not None:
        found["packs"] = row.packs
    if stored is None:
        merged = ProductInput(sku=row.code, **found, attributes=_attributes(row, {}))
    else:
        merged = replace(stored, **found, attributes=_attributes(row, stored.attributes or {}))
    _check(lambda: check_products([merged]))
    return merged


def _required(
    row: MasterRow, field: str, stored: PartnerInput | ProductInput | None, default: str | None = None
) -> str:
    """What must stand: as the row says, as it stands, or the default."""
    if field in row.texts or stored is None:
        found = row.texts.get(field) or default
        if found is None:
            raise Fault(f"{row.code} needs a {field}", code="REQUIRED", field=field)
        return found
    standing: str = getattr(stored, field)
    return standing


def _choice(kind: type[Choice], text: str, field: str) -> Choice:
    try:
        return kind(text.upper())
    except ValueError as error:
        message = f"there is no {field} {text!r}; {nearest(text, kind)}"
        raise Fault(message, code=f"UNKNOWN_{field.upper()}", field=field) from error


def _attributes(row: MasterRow, stored: Mapping[str, Any]) -> dict[str, Any]:
    """An empty cell takes its attribute away; attributes without a column stay."""
    said = {name: text for name, text in row.attributes.items() if text is not None}
    return {name: value for name, value in stored.items() if name not in row.attributes} | said


def _check(check: Callable[[], object]) -> None:
    """What the service would refuse the item for by itself."""
    try:
        check()
    except Invalid as error:
        raise fault_of(error) from error


def fault_of(error: Invalid) -> Fault:
    """What a service refuses an item of its input for, as the fault of a field; the path is list, place, field."""
    named = error.field[2] if len(error.field) > 2 else ""
    code = error.code
    if named == "packs":
        named = ".".join(error.field[2:])
        code = "INVALID_PACKS" if code == "DUPLICATE" else code  # a duplicate, of a row, is a repeat of it
    return Fault(error.message, code=code, field=NAMES.get(named, named))
