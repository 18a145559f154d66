"""Whether document numbers begin again, each day or in each branch, and which columns tell them apart. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from imports.mapping import SALES_FIELDS, Condition, DateFormat, FileFormat, ReturnRules, SalesMapping
from imports.rows import RawRow, SalesRow
from imports.sales_rows import SalesReader
from imports.sniffing.columns import Column
from imports.sniffing.fields import squeeze

LEAST: Final = 3
"""Documents that come apart before numbers are taken to begin again: fewer are slips."""
SHARE: Final = 0.02
"""Of all documents."""
BRANCHES: Final = (
    "branch", "store", "shop", "outlet", "site", "till", "register", "terminal", "warehouse", "cabang", "toko", "gerai",
    "kasir", "gudang", "filiale", "markt", "kasse", "standort", "lager", "magasin", "agence", "succursale", "caisse",
    "sucursal", "tienda", "caja", "almacen",
)  # fmt: skip
"""Words of headers of what has numbers of its own, in five languages."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """Numbers begin again: `why`, and the columns that they are unique within, as far as there are such."""

    within: tuple[Column, ...]
    why: str


def find_restarts(
    rows: Sequence[RawRow],
    columns: Sequence[Column],
    fields: Mapping[str, Column],
    *,
    file: FileFormat,
    date_format: str,
    returns: Condition | None,
) -> Restarts | None:
    """What some rows of a file say of their documents; None where each number is of one document, as it mostly is.

    Returns are left out: they may well carry the number of the sale that they take back.
    """
    # Price and amount exclude one another; which of them a line has does not matter here.
    places = {name: fields[name].place for name in SALES_FIELDS if name in fields}
    if "amount" in places:
        places.pop("price", None)
    mapping = SalesMapping(
        source="look",
        columns=dict(places),
        file=file,
        dates=DateFormat(format=date_format),
        returns=ReturnRules(when=returns),
    )
    sales = list(
        _sales(rows, SalesReader(mapping, [column.name for column in columns] if file.header else []))
    )
    documents = len({row.document for row in sales})

    def come_apart(told_by: Callable[[SalesRow], str]) -> int:
        """How many numbers come with several of these; 0 where they are too few to mean anything."""
        found: dict[str, set[str]] = {}
        for row in sales:
            if told := told_by(row):
                found.setdefault(row.document, set()).add(told)
        several = sum(len(one) > 1 for one in found.values())
        return several if several >= max(LEAST, SHARE * documents) else 0

    used = {column.place for column in fields.values()}
    branches = [one for one in columns if one.place not in used and _is_branch(one)]
    at_branches = [(come_apart(partial(_cell, one.place - 1)), one) for one in branches]
    count, branch = max(at_branches, key=lambda entry: entry[0], default=(0, None))
    at_partners = come_apart(lambda row: row.partner)
    on_days = come_apart(lambda row: row.occurred_at.date().isoformat())
    within: list[Column] = []
    told: list[str] = []
    if branch is not None and count:
        within.append(branch)
        told.append(f"{count:,} with several of {branch.name!r}")
    elif at_partners:
        within.append(fields["partner"])
        told.append(f"{at_partners:,} with several partners")
    if on_days:
        told.append(f"{on_days:,} on several days")
    if not told:
        return None
    why = f"document numbers seem to begin again: of {documents:,} looked at, {' and '.join(told)} come again"
    if on_days and _has_times(fields["date"]):
        why += "; the day has no column of its own, and `within` needs one: let the export have it"
    elif on_days:
        within.append(fields["date"])
    return Restarts(tuple(within), why)


def _sales(rows: Sequence[RawRow], reader: SalesReader) -> Iterator[SalesRow]:
    for raw in rows:
        row = reader.read(raw)
        if isinstance(row, SalesRow) and not row.is_return:
            yield row


def _cell(at: int, row: SalesRow) -> str:
    cells = row.raw.cells
    return cells[at].strip() if at < len(cells) else ""


def _is_branch(column: Column) -> bool:
    header = squeeze(column.name)
    return len(column.values) > 1 and any(word in header for word in BRANCHES)


def _has_times(column: Column) -> bool:
    return any(":" in text for text in column.some[:100])
