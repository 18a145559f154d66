"""A mapping of sales, from its TOML: exact about what is wrong with it, and where. Pure.

The tables that every kind of file has are read by functions of their own, which `imports.masters` uses too.
"""

import codecs
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from base.errors import Invalid
from imports.mapping import (
    CLEANED,
    NEEDED,
    SALES_FIELDS,
    Cleaner,
    Column,
    Condition,
    DateFormat,
    DocumentRules,
    FileFormat,
    PartnerRules,
    ProductRules,
    ReturnRules,
    SalesMapping,
    Unknown,
)
from imports.toml import Table, parse_document
from partners.checks import check_time_zone

DECIMALS: Final = (".", ",")
THOUSANDS: Final = ("", ".", ",", " ", "'", "’", "_")
NO_TEXT: Final = frozenset(
    ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem")
)
"""What Python calls encodings of text, and no file is in."""
SAMPLE: Final = datetime(2011, 12, 28, 13, 47, 9, tzinfo=UTC)
"""A date that no other is mistaken for, whichever parts of it a format swaps or leaves out."""


def parse_sales_mapping(text: str) -> SalesMapping:
    """A mapping of sales as its TOML says it. INVALID_MAPPING, with the path of the key and what is allowed."""
    document = parse_document(text)
    source = document.text("source", "", least=1)
    if not source.strip():
        raise document.fault("is needed: a name for the system that the file is of", "source")
    file = read_file_format(document.table("file"))
    columns = _read_columns(document.table("columns"), file)
    mapping = SalesMapping(
        source=source,
        columns=columns,
        file=file,
        dates=read_dates(document.table("dates")),
        clean=read_cleaners(document.table("clean"), CLEANED),
        documents=_read_documents(document.table("documents"), file),
        returns=_read_returns(document.table("returns"), file),
        partners=_read_partners(document.table("partners"), columns),
        products=_read_products(document.table("products")),
    )
    document.close()
    return mapping


def parse_file_format(text: str) -> FileFormat:
    """What a mapping of any kind says of the file itself. INVALID_MAPPING."""
    return read_file_format(parse_document(text).table("file"))


def read_file_format(table: Table) -> FileFormat:
    """The table [file]."""
    default = FileFormat()
    file = FileFormat(
        encoding=table.text("encoding", default.encoding, least=1),
        delimiter=table.text("delimiter", default.delimiter, least=1, most=1),
        quote=table.text("quote", default.quote, most=1),
        header=table.flag("header", default.header),
        skip_lines=table.whole("skip_lines", default.skip_lines, least=0, most=1_000),
        decimal=table.text("decimal", default.decimal),
        thousands=table.text("thousands", default.thousands),
        empty=tuple(dict.fromkeys(("", *(one.strip() for one in table.texts("empty"))))),
    )
    table.close()
    try:
        known = codecs.lookup(file.encoding)
    except (LookupError, ValueError):
        known = None
    # The same flag by which Python itself tells encodings of text from others, such as base64.
    if known is None or not known._is_text_encoding or known.name.replace("_", "-") in NO_TEXT:
        raise table.fault(
            f"{file.encoding!r} is no encoding that Python knows (like utf-8 or cp1252)", "encoding"
        )
    if file.delimiter in "\r\n" or file.delimiter == file.quote:
        raise table.fault('must be one character, such as "," or ";" or "\\t"', "delimiter")
    if file.quote in ("\r", "\n"):
        raise table.fault("must be one character, or nothing where the file quotes nothing", "quote")
    if file.decimal not in DECIMALS:
        raise table.fault('must be "." or ","', "decimal")
    if file.thousands not in THOUSANDS or file.thousands == file.decimal:
        raise table.fault(
            "must be nothing, a point, comma, space, apostrophe or _, and not the decimal's", "thousands"
        )
    return file


def _read_columns(table: Table, file: FileFormat) -> dict[str, Column]:
    found = {name: read_column(table, name, file) for name in SALES_FIELDS}
    table.close()
    columns = {name: column for name, column in found.items() if column is not None}
    for name in NEEDED:
        if name not in columns:
            raise table.fault("is needed: the header or the place of its column", name)
    if ("price" in columns) == ("amount" in columns):
        raise table.fault("name one of them: the price of one piece, or the amount of the line", "price")
    return columns


def read_column(table: Table, name: str, file: FileFormat) -> Column | None:
    """A column of a file of this format."""
    column = table.column(name)
    _check_header(table, name, file, column)
    return column


def read_columns(table: Table, name: str, file: FileFormat) -> tuple[Column, ...]:
    """Columns of a file of this format."""
    columns = table.columns(name)
    for column in columns:
        _check_header(table, name, file, column)
    return columns


def _check_header(table: Table, name: str, file: FileFormat, column: Column | None) -> None:
    if isinstance(column, str) and not file.header:
        raise table.fault("must be a place that counts from 1: the file has no header", name)


def read_dates(table: Table) -> DateFormat:
    """The table [dates]."""
    dates = DateFormat(
        format=table.text("format", "iso", least=1), time_zone=table.text("time_zone", "UTC", least=1)
    )
    table.close()
    try:
        check_time_zone(dates.time_zone, ())
    except Invalid as error:
        raise table.fault(error.message, "time_zone") from error
    if dates.format != "iso" and not _tells_day(dates.format):
        message = f'{dates.format!r} tells no day, month and year; write "iso", or one like "%d.%m.%Y %H:%M"'
        raise table.fault(message, "format")
    return dates


def _tells_day(form: str) -> bool:
    """Whether a date comes back as it was written. Names of zones are no offsets: strptime forgets what they say."""
    if "%Z" in form:
        return False
    try:
        return datetime.strptime(SAMPLE.strftime(form), form).date() == SAMPLE.date()  # noqa: DTZ007 of its date
    except (ValueError, re.error):
        return False


def read_cleaners(table: Table, names: Iterable[str]) -> dict[str, tuple[Cleaner, ...]]:
    """The table [clean], of the fields that may be cleaned."""
    cleaners = {name: tuple(table.one_of(Cleaner, one, name) for one in table.texts(name)) for name in names}
    table.close()
    return {name: found for name, found in cleaners.items() if found}


def _read_documents(table: Table, file: FileFormat) -> DocumentRules:
    rules = DocumentRules(within=read_columns(table, "within", file))
    table.close()
    return rules


def _read_returns(table: Table, file: FileFormat) -> ReturnRules:
    given = table.table("when") if "when" in table else None
    rules = ReturnRules(
        when=None if given is None else _read_condition(given, file), sale=read_column(table, "sale", file)
    )
    if given is None:
        table.take("when")
    table.close()
    if rules.sale is not None and rules.when is None:
        raise table.fault("is needed: what marks a return", "when")
    return rules


def _read_condition(table: Table, file: FileFormat) -> Condition:
    condition = Condition(
        column=read_column(table, "column", file),
        starts_with=table.texts("starts_with"),
        equals=table.texts("equals"),
        negative=table.flag("negative", False),
    )
    table.close()
    if bool(condition.starts_with) + bool(condition.equals) + condition.negative != 1:
        raise table.fault("give one of starts_with, equals, and negative = true")
    if condition.negative and condition.column is not None:
        raise table.fault("`negative` is said of the quantity: leave the column out", "column")
    if not all(condition.starts_with):
        raise table.fault("every text begins with nothing: give at least one character", "starts_with")
    return condition


def _read_partners(table: Table, columns: dict[str, Column]) -> PartnerRules:
    default = PartnerRules()
    rules = PartnerRules(
        unknown=table.choice("unknown", default.unknown),
        kind=table.choice("kind", default.kind),
        region=table.optional_text("region"),
        unknown_regions=table.choice("unknown_regions", default.unknown_regions),
    )
    table.close()
    if rules.unknown is Unknown.CREATE and rules.region is None and "region" not in columns:
        raise table.fault("is needed where partners are created and no column says their region", "region")
    return rules


def _read_products(table: Table) -> ProductRules:
    default = ProductRules()
    rules = ProductRules(
        unknown=table.choice("unknown", default.unknown),
        no_products=table.texts("no_products"),
    )
    table.close()
    return rules
