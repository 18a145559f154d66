"""A mapping tried on a file: what each of its first rows would become, and what would be refused. Writes nothing.

Only the file is looked at: whether partners and products exist, and what is left of a sale, the program knows.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from base.numbers import plain
from imports.files import read_rows
from imports.lines import BrokenFile
from imports.mapping import FileFormat, SalesMapping
from imports.mapping_toml import parse_sales_mapping
from imports.masters.balances import check_balance, read_balance
from imports.masters.mapping import MasterMapping, parse_master_mapping
from imports.masters.merging import merge_partner, merge_product
from imports.masters.reading import MasterReader, MasterRow
from imports.masters.sorting import Said, sort_rows
from imports.rows import RawRow, Refused, SalesRow
from imports.sales_rows import Fault, SalesReader
from imports.store import ImportKind
from imports.wording import count_of, count_rows
from partners.inputs import PartnerInput, PartnerKind, ProductInput

MOST_ROWS: Final = 100_000
"""Rows that are tried; a mapping that is wrong is wrong from the beginning."""

REPEAT: Final = "repeat"
"""What a row becomes that says what an earlier one said."""

Told: TypeAlias = tuple[str, str]
"""What a row becomes: the kind of thing, and a sentence of it."""
Read: TypeAlias = Callable[[RawRow], Told | Refused]


@dataclass(slots=True)
class Trial:
    """What became of the rows. `shown` are the first ones: (line, what it becomes or why it is refused)."""

    rows: int = 0
    is_whole: bool = True
    shown: list[tuple[int, str | Refused]] = field(default_factory=list)
    becomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, Refused] = field(default_factory=dict)
    """Of each reason the first row that it struck."""
    broken: str = ""
    """Why the file could not be read on."""


def try_mapping(path: Path, text: str, kind: ImportKind, *, shown: int, now: datetime) -> Trial:
    """Try a mapping on a file, and keep what the first `shown` rows become.

    Raises what an import of it would: INVALID_MAPPING, UNKNOWN_COLUMN, MISSING_COLUMN, and BROKEN_FILE for a header.
    """
    found = Trial()
    with path.open("rb") as stream:
        fmt, make_reader = _parse(text, kind, now)
        file = read_rows(stream, fmt)
        read = make_reader(file.header)
        try:
            for raw in islice(file, MOST_ROWS):
                _add(found, raw, read(raw), shown)
            found.is_whole = next(iter(file), None) is None
        except BrokenFile as error:
            found.broken, found.is_whole = error.message, False
    return found


def _add(found: Trial, raw: RawRow, told: Told | Refused, shown: int) -> None:
    found.rows += 1
    if isinstance(told, Refused):
        found.reasons[told.code] += 1
        found.first.setdefault(told.code, told)
    else:
        found.becomes[told[0]] += 1
    if len(found.shown) < shown:
        found.shown.append((raw.line, told if isinstance(told, Refused) else told[1]))


def _parse(
    text: str, kind: ImportKind, now: datetime
) -> tuple[FileFormat, Callable[[tuple[str, ...]], Read]]:
    if kind is ImportKind.SALES:
        sales = parse_sales_mapping(text)
        return sales.file, lambda header: _sales(sales, header)
    masters = parse_master_mapping(text, kind)
    return masters.file, lambda header: _masters(masters, header, now)


def _sales(mapping: SalesMapping, header: tuple[str, ...]) -> Read:
    reader, zone = SalesReader(mapping, header), ZoneInfo(mapping.dates.time_zone)

    def read(raw: RawRow) -> Told | Refused:
        row = reader.read(raw)
        return row if isinstance(row, Refused) else _tell_sale(row, zone)

    return read


def _tell_sale(row: SalesRow, zone: ZoneInfo) -> Told:
    kind = "return" if row.is_return else "sale"
    goods = f"{plain(row.quantity)} {f'{row.unit} of ' if row.unit else '× '}{row.sku}"
    at = f"{row.occurred_at.astimezone(zone):%Y-%m-%d %H:%M}"
    of = f" (of {row.sale})" if row.sale else ""
    return kind, f"{kind} {row.document}{of}, {row.partner}, {at}: {goods} for {plain(row.amount)}"


def _masters(mapping: MasterMapping, header: tuple[str, ...], now: datetime) -> Read:
    reader = MasterReader(mapping, header)
    seen: dict[str, Said] = {}

    def read(raw: RawRow) -> Told | Refused:
        row = reader.read(raw)
        found = sort_rows([row], seen=seen, faults={})
        if isinstance(row, Refused) or found.refused:
            return found.refused[0]
        if found.duplicates_in:
            return REPEAT, f"repeats line {seen[row.code].line:,}"
        try:
            told = _tell_master(row, mapping, now)
        except Fault as fault:
            return reader.refuse(row, fault)
        seen[row.code] = Said(row.digest, raw.line)
        return told

    return read


def _tell_master(row: MasterRow, mapping: MasterMapping, now: datetime) -> Told:
    """What a row says of something that stands already: whether it does, only the program knows. Raises `Fault`."""
    if mapping.kind is ImportKind.BALANCES:
        balance = read_balance(row, mapping)
        check_balance(balance, row, now=now)
        lasting = f"to the end of {balance.expires_on}" if balance.expires_on else "for ever"
        return (
            "balance",
            f"balance {balance.key}: {balance.points:,} {balance.unit} of {balance.partner}, {lasting}",
        )
    if mapping.kind is ImportKind.PARTNERS:
        merge_partner(row, PartnerInput(row.code, row.code, PartnerKind.RETAILER, row.code), mapping)
    else:
        merge_product(row, ProductInput(row.code, row.code))
    kind = "partner" if mapping.kind is ImportKind.PARTNERS else "product"
    said = {name: text for name, text in row.texts.items() if name not in ("code", "sku", "packs")}
    said |= {f"attributes.{name}": text for name, text in row.attributes.items()}
    if row.packs is not None:
        said["packs"] = ";".join(f"{unit}={plain(quantity)}" for unit, quantity in row.packs.items())
    words = ", ".join(f"{name} {text}" for name, text in said.items() if text)
    return kind, f"{kind} {row.code}{': ' if words else ''}{words}"


def sum_up(found: Trial) -> str:
    """What became of all rows, in a line."""
    told = [f"{count:,} of {kind}s" for kind, count in found.becomes.items() if kind != REPEAT]
    if repeats := found.becomes[REPEAT]:
        told.append(count_of(repeats, "repeats", "repeat") + " another row")
    more = "" if found.is_whole else "the first "
    return f"{more}{count_rows(found.rows)}: {', '.join([*told, f'{found.reasons.total():,} refused'])}"
