"""How files with every kind of dirt are read, row by row. What the program makes of them stands in tests/services."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from imports.files import read_rows
from imports.mapping_toml import parse_sales_mapping
from imports.rows import Refused, SalesRow
from imports.sales_rows import SalesReader

DIRT: Final = Path(__file__).parents[2] / "services" / "imports"


def read(name: str) -> Iterator[SalesRow | Refused]:
    """The rows of a file, by its mapping."""
    mapping = parse_sales_mapping((DIRT / f"{name}.toml").read_text())
    with (DIRT / f"{name}.csv").open("rb") as stream:
        reader = read_rows(stream, mapping.file)
        rows = SalesReader(mapping, reader.header)
        yield from (rows.read(raw) for raw in reader)


def told(name: str) -> tuple[dict[int, str], list[SalesRow]]:
    """Codes of refused rows by line, and the rows that were understood."""
    rows = list(read(name))
    refused = {row.raw.line: row.code for row in rows if isinstance(row, Refused)}
    return refused, [row for row in rows if isinstance(row, SalesRow)]


def test_each_kind_of_dirt_has_its_reason() -> None:
    refused, _ = told("dirt")
    assert refused == {
        7: "NO_PARTNER", 8: "NO_PARTNER",
        10: "INVALID_AMOUNT",  # a price below 0
        11: "INVALID_QUANTITY",  # below 0 outside a credit note
        12: "INVALID_QUANTITY",  # 0
        13: "NO_PRODUCT", 14: "NO_PRODUCT", 15: "NO_PRODUCT", 16: "NO_PRODUCT", 17: "NO_PRODUCT", 18: "NO_PRODUCT",
        19: "NO_PRODUCT",  # bad debt
        24: "NO_PRODUCT",  # a discount that is taken back
        35: "WRONG_QUOTES", 36: "WRONG_QUOTES",
        39: "WRONG_COLUMNS", 40: "WRONG_COLUMNS",
        41: "INVALID_ENCODING",
        42: "NO_DOCUMENT", 43: "NO_SKU",
        44: "INVALID_DATE", 45: "INVALID_DATE", 46: "INVALID_DATE",
        47: "INVALID_QUANTITY", 48: "INVALID_QUANTITY", 49: "INVALID_QUANTITY",
        50: "INVALID_AMOUNT",
        55: "INVALID_TEXT", 56: "INVALID_TEXT",
    }  # fmt: skip


def test_what_is_understood_is_clean() -> None:
    _, rows = told("dirt")
    by_line = {row.raw.line: row for row in rows}
    assert {row.partner for row in rows} == {"1001", "1002", "1003", "1004"}
    assert by_line[2].sku == by_line[3].sku == "T-100A"
    assert by_line[4].digest == by_line[5].digest != by_line[6].digest
    assert by_line[9].amount == 0
    assert [row.document for row in rows if row.is_return] == [
        "C7006",
        "C7007",
        "C7008",
        "C7011",
        "C7013",
        "C7013",
    ]
    assert by_line[26].quantity == by_line[25].quantity == 74_215
    assert by_line[32].product_name == "Lamp with a shade"
    assert by_line[34].product_name == 'Lamp "Moon"'
    assert by_line[37].product_name == 'Lamp 5" wide'
    assert (by_line[38].sku, by_line[38].partner, by_line[38].product_name) == ("V-700", "1004", "Vase")
    assert by_line[51].quantity == 15
    assert f"{by_line[51].occurred_at:%H:%M}" == "11:00"  # noon in Amsterdam
    assert f"{by_line[52].amount:f}" == "0.1111"
    assert f"{by_line[53].occurred_at:%H:%M}" == "00:30"  # the first 02:30 of that night
    assert f"{by_line[54].occurred_at:%H:%M}" == "01:30"  # there was no 02:30 that night
    assert by_line[57].product_name == "Väse – groß"
    assert by_line[58].document == "7021"  # without a line end


def test_a_german_export() -> None:
    refused, rows = told("dirt_german")
    assert refused == {
        9: "NO_PRODUCT",
        11: "INVALID_DATE",
        12: "INVALID_AMOUNT",
        13: "INVALID_QUANTITY",
        14: "INVALID_QUANTITY",
        15: "NO_DOCUMENT",  # a sum below the rows
    }
    assert [
        (row.document, row.is_return, row.partner, row.sku, f"{row.quantity:f}", f"{row.amount:f}", row.sale)
        for row in rows
    ] == [
        ("R-0001", False, "42", "KA-10", "1200", "12345.60", None),
        ("R-0001", False, "42", "KA-20", "2.5", "7.00", None),
        ("G-0002", True, "42", "KA-10", "200", "2057.60", "R-0001"),
        ("G-0003", True, "42", "KA-20", "0.5", "1.40", "R-0001"),
        ("R-0004", False, "43", "KA-20", "12", "33.60", None),
    ]
    assert rows[0].product_name == "Kaffeekanne grün"
    assert f"{rows[0].occurred_at:%d %H:%M}" == "31 06:05"
    assert rows[-1].product_name == 'Löffel; "fein"'
