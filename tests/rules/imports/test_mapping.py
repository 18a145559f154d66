"""That a mapping says what is wrong with it, where, and what may stand there."""

import pytest

from imports.mapping import Cleaner, Condition, Unknown
from imports.mapping_toml import parse_sales_mapping
from imports.toml import InvalidMapping
from partners.inputs import PartnerKind

COLUMNS = """
[columns]
document = "doc"
partner = "shop"
date = "at"
sku = "sku"
quantity = "qty"
"""
LEAST = f'source = "erp"{COLUMNS}price = "each"\n'


def test_the_least_that_a_mapping_says() -> None:
    mapping = parse_sales_mapping(LEAST)
    assert mapping.columns["price"] == "each"
    assert mapping.file.empty == ("",)
    assert mapping.returns.when is None
    assert mapping.partners.unknown is mapping.products.unknown is Unknown.REFUSE


def test_what_is_said_is_kept() -> None:
    mapping = parse_sales_mapping(
        LEAST
        + """
region = 7
[file]
empty = ["NULL", " - "]
[clean]
sku = ["digits", "unpad"]
[returns.when]
starts_with = ["C", "K"]
[partners]
unknown = "CREATE"
kind = "reseller"
"""
    )
    assert mapping.columns["region"] == 7
    assert mapping.file.empty == ("", "NULL", "-")
    assert mapping.clean == {"sku": (Cleaner.DIGITS, Cleaner.UNPAD)}
    assert mapping.returns.when == Condition(starts_with=("C", "K"))
    assert mapping.partners.kind is PartnerKind.RESELLER


@pytest.mark.parametrize(
    ("more", "field", "hint"),
    [
        ("[colums]", "colums", "did you mean columns?"),
        ("[file]\nencodng = 'utf-8'", "file.encodng", "did you mean encoding?"),
        ("[file]\nencoding = 'utf-88'", "file.encoding", "cp1252"),
        ("[file]\nencoding = 'base64'", "file.encoding", "cp1252"),
        ("[file]\nencoding = 'unicode_escape'", "file.encoding", "cp1252"),
        ("[file]\ndelimiter = ',,'", "file.delimiter", "1 to 1"),
        ('[file]\ndelimiter = "\\n"', "file.delimiter", "one character"),
        ("[file]\ndelimiter = '\"'", "file.delimiter", "one character"),
        ("[file]\ndecimal = ';'", "file.decimal", '"."'),
        ("[file]\nthousands = '.'", "file.thousands", "not the decimal's"),
        ("[file]\nskip_lines = -1", "file.skip_lines", "0 to 1000"),
        ("[file]\nskip_lines = true", "file.skip_lines", "0 to 1000"),
        ("[file]\nheader = 1", "file.header", "true or false"),
        ("[file]\nheader = false", "columns.document", "place"),
        ("[file]\nempty = 'NULL'", "file.empty", "list"),
        ("[dates]\ntime_zone = 'Mars/North'", "dates.time_zone", "IANA"),
        ("[dates]\nformat = '%d.%m.'", "dates.format", "%d.%m.%Y"),
        ("[dates]\nformat = '%-d.%m.%Y'", "dates.format", "%d.%m.%Y"),
        ("[dates]\nformat = '%d.%m.%Y %Z'", "dates.format", "%d.%m.%Y"),
        ("[clean]\nsku = ['uper']", "clean.sku", "did you mean upper?"),
        ("[clean]\nquantity = ['upper']", "clean.quantity", "allowed: document"),
        ("[returns]\nsale = 'of'", "returns.when", "what marks a return"),
        ("[returns.when]\nnegative = true\nequals = ['x']", "returns.when", "one of"),
        ("[returns.when]\ncolumn = 'x'", "returns.when", "one of"),
        ("[returns.when]\nnegative = true\ncolumn = 'x'", "returns.when.column", "quantity"),
        ("[returns.when]\nstarts_with = ['']", "returns.when.starts_with", "one character"),
        ("[returns]\nwhen = 'C'", "returns.when", "[returns.when]"),
        ("[partners]\nunknown = 'make'", "partners.unknown", "refuse, create"),
        ("[partners]\nunknown = 'create'", "partners.region", "needed"),
        ("[partners]\nkind = 'shop'", "partners.kind", "retailer"),
        ("[documents]\nwithin = 'shop'", "documents.within", "list of columns"),
        ("[documents]\nwithin = [0]", "documents.within", "place"),
        ("[products]\nno_products = [1]", "products.no_products", "list"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(more: str, field: str, hint: str) -> None:
    with pytest.raises(InvalidMapping) as error:
        parse_sales_mapping(LEAST + more)
    assert error.value.code == "INVALID_MAPPING"
    assert ".".join(error.value.field) == field
    assert hint in error.value.message


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("source = ", ""),
        ("", "source"),
        (LEAST.replace('"erp"', '" "'), "source"),
        (LEAST.replace('"erp"', f'"{"e" * 201}"'), "source"),
        ('source = "erp"', "columns.document"),
        ('source = "erp"\ncolumns = 1', "columns"),
        (f'source = "erp"{COLUMNS}', "columns.price"),
        (f'{LEAST}amount = "paid"', "columns.price"),
        (LEAST.replace('"doc"', "0"), "columns.document"),
        (LEAST.replace('"doc"', "true"), "columns.document"),
        (LEAST.replace('"doc"', '" "'), "columns.document"),
        (LEAST.replace("sku =", "skuu ="), "columns.skuu"),
        ("#" * 100_001, ""),
    ],
)
def test_what_is_needed(text: str, field: str) -> None:
    with pytest.raises(InvalidMapping) as error:
        parse_sales_mapping(text)
    assert ".".join(error.value.field) == field


@pytest.mark.parametrize(
    "form", ["%d.%m.%Y %H:%M", "%m/%d/%y %I:%M %p", "%Y%m%d", "%d %b %Y", "%Y-%m-%dT%H:%M:%S%z", "%j %Y"]
)
def test_formats_that_tell_the_day(form: str) -> None:
    assert parse_sales_mapping(f"{LEAST}[dates]\nformat = '{form}'").dates.format == form


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 20_000 + " = 1",
        "a = " + "[" * 50_000,
        "a = " + "9" * 5_000,
        '[file]\nencoding = "a\\u0000"',
        '[dates]\nformat = "%d.%m.%Y %d"',
        '[partners]\nregion = "n\\u0000"',
    ],
)
def test_what_would_harm_its_reader_is_refused_soon(text: str) -> None:
    columns = "document=1\npartner=2\ndate=3\nsku=4\nquantity=5\namount=6\n"
    with pytest.raises(InvalidMapping):
        parse_sales_mapping(f"source = 'erp'\n[columns]\n{columns}{text}\n")
