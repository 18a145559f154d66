"""The mapping that a file suggests, as TOML with comments; and what it would make of the rows."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from imports.mapping import SALES_FIELDS, Condition
from imports.mapping_toml import parse_sales_mapping
from imports.rows import Refused
from imports.sales_rows import SalesReader
from imports.sniffing.checking import Findings
from imports.sniffing.columns import Column
from imports.wording import count_of, count_rows

EXAMPLES: Final = 3
SHOWN: Final = 28
"""Characters of an example."""
HARDLY_MORE: Final = 40
"""Codes that are listed as no products."""


def write_proposal(findings: Findings, path: Path) -> str:
    """The mapping. It can be used as it is, unless it says which columns are missing."""
    return "\n".join(_lines(findings, path)) + "\n"


def try_proposal(findings: Findings, proposal: str) -> Counter[str]:
    """What the mapping makes of the rows that were kept: SALE, RETURN, and refusals by code. INVALID_MAPPING."""
    mapping = parse_sales_mapping(proposal)
    header = [column.name for column in findings.columns] if findings.file.header else []
    reader = SalesReader(mapping, header)
    found: Counter[str] = Counter()
    for raw in findings.kept:
        row = reader.read(raw)
        if isinstance(row, Refused):
            found[row.code] += 1
        else:
            found["RETURN" if row.is_return else "SALE"] += 1
    return found


def source_name(path: Path) -> str:
    """A name for the system that a file is of, from the file's own."""
    name = path.name.lower()
    for ending in (".gz", ".csv", ".txt", ".tsv"):
        name = name.removesuffix(ending)
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:100] or "export"


def _lines(findings: Findings, path: Path) -> Iterator[str]:
    rows = f"{'' if findings.is_whole else 'the first '}{count_rows(findings.rows)}"
    yield f"# Proposed by a look at {rows} of {_comment(path.name)}. A ? marks what is not sure: read it first."
    for doubt in findings.doubts:
        yield f"# ? {_comment(doubt)}"
    yield ""
    yield "# A name for the system. Documents are known by source and number: keep it for all files of one system."
    yield f"source = {_quoted(source_name(path))}"
    yield from _file(findings)
    yield from _dates(findings)
    yield from _columns(findings)
    yield from _cleaners(findings)
    yield from _documents(findings)
    yield from _returns(findings)
    yield from _partners(findings)
    yield from _products(findings)


def _file(findings: Findings) -> Iterator[str]:
    file = findings.file
    yield from (
        "",
        "[file]",
        f"encoding = {_quoted(file.encoding)}",
        f"delimiter = {_quoted(file.delimiter)}",
    )
    if not file.header:
        yield "header = false"
    if file.skip_lines:
        yield f"skip_lines = {file.skip_lines}  # before the header"
    yield f"decimal = {_quoted(file.decimal)}"
    if file.thousands:
        yield f"thousands = {_quoted(file.thousands)}"


def _dates(findings: Findings) -> Iterator[str]:
    yield from ("", "[dates]", f"format = {_quoted(findings.date_format)}")
    yield 'time_zone = "UTC"  # ? The zone of the clocks that wrote these times, such as "Europe/Berlin".'


def _columns(findings: Findings) -> Iterator[str]:
    yield from ("", "[columns]")
    for name in findings.missing:
        yield f"# ? {name} is needed: which column is it?"
    fields = findings.fields
    both = "price" in fields and "amount" in fields
    for name in SALES_FIELDS:
        if name in fields:
            line = f"{name} = {_place(fields[name])}"
            if both and name == "price":
                line = f"# {line}  # not beside the amount of the line"
            yield f"{line}  # {_comment(_seen(fields[name]))}" if "#" not in line else line
    used = {column.place for column in fields.values()}
    if left := [column for column in findings.columns if column.place not in used]:
        yield f"# Not used: {_comment(', '.join(str(column.name or column.place) for column in left))}."


def _seen(column: Column) -> str:
    """A column in a few words."""
    filled = 100 * column.filled / column.rows if column.rows else 0
    more = " or more" if column.is_more else ""
    share = "all filled" if column.filled == column.rows else f"{filled:.1f} % filled"
    return f"{share}, {len(column.values):,}{more} different: {', '.join(examples(column))}"


def examples(column: Column) -> list[str]:
    """The first few cells that differ, in short."""
    found = list(column.values)[:EXAMPLES]
    return [text if len(text) <= SHOWN else text[: SHOWN - 1] + "…" for text in found]


def _cleaners(findings: Findings) -> Iterator[str]:
    lines = []
    for name in ("document", "partner", "sku"):
        column = findings.fields.get(name)
        if column is None:
            continue
        cleaners, why = [], []
        if column.has_float_ids:
            cleaners, why = ["integer"], [f"{next(iter(column.values))} is {next(iter(column.values))[:-2]}"]
        if name != "document" and column.differs_by_case:
            cleaners.append("upper")
            several = count_of(column.differs_by_case, "code differs", "codes differ")
            why.append(f"{several} from another only in their capitals")
        if cleaners:
            lines.append(f"{name} = {_quoted_all(cleaners)}  # {_comment('; '.join(why))}")
    if lines:
        yield from ("", "[clean]", *lines)


def _documents(findings: Findings) -> Iterator[str]:
    restarts = findings.restarts
    if restarts is None:
        return
    yield from ("", f"# ? {_comment(restarts.why)}.")
    if restarts.within:
        yield "# These columns make a number the only one of its kind: take out what it does not begin again with."
        yield from ("[documents]", f"within = [{', '.join(map(_place, restarts.within))}]")


def _returns(findings: Findings) -> Iterator[str]:
    sale = findings.fields.get("sale")
    if findings.returns is None:
        yield from ("", f"# ? No [returns.when]: {findings.returns_why}.")
        return
    yield ""
    if sale is not None:
        yield from ("[returns]", f"sale = {_place(sale)}  # ? the document that comes back", "")
    yield f"# What marks a return: {_comment(findings.returns_why)}. Quantities below 0 elsewhere are refused."
    yield "[returns.when]"
    yield from _condition(findings.returns)


def _condition(condition: Condition) -> Iterator[str]:
    if condition.column is not None:
        yield f"column = {json.dumps(condition.column, ensure_ascii=False)}"
    if condition.starts_with:
        yield f"starts_with = {_quoted_all(condition.starts_with)}"
    if condition.equals:
        yield f"equals = {_quoted_all(condition.equals)}"
    if condition.negative:
        yield "negative = true"


def _partners(findings: Findings) -> Iterator[str]:
    yield from ("", "[partners]")
    if "region" not in findings.fields:
        yield 'unknown = "refuse"  # or "create", with a region = "…" of their own'
        return
    yield 'unknown = "create"  # ? or "refuse": only partners that are there already'
    yield 'kind = "retailer"  # ? of partners that are created'
    yield 'unknown_regions = "create"'
    if findings.fields["region"].filled < findings.fields["region"].rows:
        yield 'region = "unknown"  # ? of partners whose row names none'


def _products(findings: Findings) -> Iterator[str]:
    yield from ("", "[products]", 'unknown = "create"  # ? or "refuse": only products that are there already')
    codes = findings.no_products[:HARDLY_MORE]
    if not codes:
        return
    yield "# ? Codes that look like no product: take out those that are one."
    yield "no_products = ["
    for code in codes:
        name = next(iter(findings.names.get(code, ())), "")
        yield f"    {_quoted(code)},  # {count_rows(findings.codes[code])}{': ' if name else ''}{_comment(name)}"
    yield "]"
    if len(findings.no_products) > HARDLY_MORE:
        yield f"# … and {len(findings.no_products) - HARDLY_MORE} more"


def _place(column: Column) -> str:
    return _quoted(column.name) if column.name else str(column.place)


def _quoted(text: str) -> str:
    """A basic string of TOML, which is one of JSON but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _quoted_all(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _comment(text: str) -> str:
    """One line without what a comment of TOML may not hold."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
