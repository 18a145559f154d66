"""Which column is to blame for what the program refuses."""

import pytest

from imports.blaming import blame_column
from imports.mapping_toml import parse_sales_mapping
from imports.rows import RawRow, Refused
from imports.sales_rows import SalesReader

COLUMNS = {
    "document": "Faktur",
    "partner": "Toko",
    "date": "Tanggal",
    "sku": "Barang",
    "quantity": "Kts",
    "price": "Harga",
}
READER = SalesReader(
    parse_sales_mapping(
        "source = 'erp'\n[columns]\n" + "".join(f"{name} = '{header}'\n" for name, header in COLUMNS.items())
    ),
    tuple(COLUMNS.values()),
)


@pytest.mark.parametrize(
    ("code", "path", "column"),
    [
        ("FUTURE_DATE", (), "Tanggal"),
        ("FUTURE_DATE", ("occurredAt",), "Tanggal"),
        ("INVALID_TEXT", ("lines", "3", "sku"), "Barang"),
        ("INVALID_QUANTITY", ("lines", "0", "quantity"), "Kts"),
        ("INVALID_AMOUNT", ("lines", "0", "amount"), "Harga"),
        ("UNKNOWN_PARTNER", (), "Toko"),
        ("UNKNOWN_REGION", (), "Toko"),
        ("UNKNOWN_UNIT", ("lines", "0", "unit"), "Barang"),
        ("RETURN_WITHOUT_SALE", (), "Barang"),
        ("MORE_THAN_LEFT", (), "Kts"),
        ("DOCUMENT_RECORDED", (), "Faktur"),
        ("UNKNOWN_CURRENCY", ("currency",), None),
        ("TOO_MANY_LINES", ("lines",), None),
    ],
)
def test_a_refusal_names_the_column_it_is_about(code: str, path: tuple[str, ...], column: str | None) -> None:
    refused = Refused(RawRow(2, 2, ()), code, "why")
    assert blame_column(refused, READER.column_of, path).column == column


def test_a_column_that_is_known_stays() -> None:
    refused = Refused(RawRow(2, 2, ()), "FUTURE_DATE", "why", "Uhrzeit")
    assert blame_column(refused, READER.column_of).column == "Uhrzeit"


def test_without_a_header_a_column_has_its_place() -> None:
    mapping = parse_sales_mapping(
        "source = 'erp'\n[file]\nheader = false\n[columns]\n"
        "document = 1\npartner = 2\ndate = 3\nsku = 4\nquantity = 5\nprice = 6\n"
    )
    refused = Refused(RawRow(2, 2, ()), "FUTURE_DATE", "why")
    assert blame_column(refused, SalesReader(mapping, ()).column_of).column == "3"
