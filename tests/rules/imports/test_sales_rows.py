"""Rows of cells as lines of sales and returns, or as refusals with the column to blame."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity.rules import ActivityInput, LineInput, check
from imports.mapping_toml import parse_sales_mapping
from imports.rows import RawRow, Refused, SalesRow
from imports.sales_rows import LONGEST_DOCUMENT, SalesReader
from imports.toml import InvalidMapping

COLUMNS = {"document": "doc", "partner": "shop", "date": "at", "sku": "item", "quantity": "qty"}
HEADER = ("doc", "shop", "at", "item", "qty", "each", "kind", "of")
GOOD = {"doc": "1", "shop": "a", "at": "2026-03-02 10:00", "item": "tea", "qty": "2", "each": "1.25"}


def reader(
    more: str = "", *, money: str = "price", header: tuple[str, ...] = HEADER, **columns: str | int
) -> SalesReader:
    named = {**COLUMNS, money: "each", **columns}
    lines = "\n".join(f"{name} = {column!r}" for name, column in named.items())
    return SalesReader(parse_sales_mapping(f"source = 'erp'\n[columns]\n{lines}\n{more}"), header)


def read(given: SalesReader, **cells: str) -> SalesRow | Refused:
    return given.read(RawRow(2, 2, tuple({**GOOD, **cells}.get(name, "") for name in HEADER)))


def understood(given: SalesReader, **cells: str) -> SalesRow:
    row = read(given, **cells)
    assert isinstance(row, SalesRow), row
    return row


def refusal(given: SalesReader, **cells: str) -> tuple[str, str | None]:
    row = read(given, **cells)
    assert isinstance(row, Refused)
    return row.code, row.column


@pytest.mark.parametrize(
    ("cells", "blame"),
    [
        ({"doc": " "}, ("NO_DOCUMENT", "doc")),
        ({"shop": ""}, ("NO_PARTNER", "shop")),
        ({"item": "\t"}, ("NO_SKU", "item")),
        ({"item": "POST"}, ("NO_PRODUCT", "item")),
        ({"item": "FEE-12"}, ("NO_PRODUCT", "item")),
        ({"at": "1.3.2026"}, ("INVALID_DATE", "at")),
        ({"at": "1899-12-31"}, ("INVALID_DATE", "at")),
        ({"at": "9999-12-31T23:59:59-12:00"}, ("INVALID_DATE", "at")),
        ({"qty": ""}, ("INVALID_QUANTITY", "qty")),
        ({"qty": "0"}, ("INVALID_QUANTITY", "qty")),
        ({"qty": "-1"}, ("INVALID_QUANTITY", "qty")),
        ({"qty": "1e12"}, ("INVALID_QUANTITY", "qty")),
        ({"qty": "0.0000001"}, ("INVALID_QUANTITY", "qty")),
        ({"each": ""}, ("INVALID_AMOUNT", "each")),
        ({"each": "-1"}, ("INVALID_AMOUNT", "each")),
        ({"each": "1e12"}, ("INVALID_AMOUNT", "each")),
        ({"each": "6e11"}, ("INVALID_AMOUNT", "each")),
        ({"doc": "9" * (LONGEST_DOCUMENT + 1)}, ("INVALID_TEXT", "doc")),
        ({"shop": "9" * 201}, ("INVALID_TEXT", "shop")),
        ({"item": "a\x01b"}, ("INVALID_TEXT", "item")),
        ({"shop": "", "item": "POST", "qty": "x"}, ("NO_PARTNER", "shop")),
        ({"item": "POST", "qty": "x", "at": "x"}, ("NO_PRODUCT", "item")),
        ({"at": "x", "qty": "x", "each": "x"}, ("INVALID_DATE", "at")),
        ({"qty": "x", "each": "x"}, ("INVALID_QUANTITY", "qty")),
    ],
)
def test_the_first_reason_and_the_column_to_blame(cells: dict[str, str], blame: tuple[str, str]) -> None:
    products = "[products]\nno_products = ['POST', 'FEE-*']"
    assert refusal(reader(products), **cells) == blame


def test_what_the_file_could_not_read_stays_refused() -> None:
    row = reader().read(RawRow(5, 3, ("x",), ("WRONG_COLUMNS", "1 columns instead of 8")))
    assert isinstance(row, Refused)
    assert (row.code, row.message, row.raw.first_line) == ("WRONG_COLUMNS", "1 columns instead of 8", 3)


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [
        ("2", "1.25", "2.5"),
        ("3", "0.33335", "1"),
        ("1", "0.00005", "0"),
        ("1", "0.00015", "0.0002"),
        ("5", "0", "0"),
        ("0.333333", "3", "1"),
    ],
)
def test_price_times_quantity_is_rounded_half_even(quantity: str, price: str, amount: str) -> None:
    assert understood(reader(), qty=quantity, each=price).amount == Decimal(amount)


def test_amounts_are_not_rounded() -> None:
    assert understood(reader(money="amount"), each="7.1234").amount == Decimal("7.1234")
    assert refusal(reader(money="amount"), each="7.12345") == ("INVALID_AMOUNT", "each")
    assert refusal(reader(money="amount"), each="-7") == ("INVALID_AMOUNT", "each")


@pytest.mark.parametrize(
    ("when", "cells", "is_return"),
    [
        ("starts_with = ['C', 'K']", {"doc": "K1"}, True),
        ("starts_with = ['C', 'K']", {"doc": "1K"}, False),
        ("equals = ['1']", {"doc": " 1 "}, True),
        ("column = 'kind'\nequals = ['Credit']", {"kind": "Credit "}, True),
        ("column = 'kind'\nequals = ['Credit']", {"kind": "credit"}, False),
        ("column = 7\nstarts_with = ['C']", {"kind": "Credit"}, True),
        ("negative = true", {"qty": "-2"}, True),
        ("negative = true", {"qty": "2-"}, True),
        ("negative = true", {"qty": "2"}, False),
    ],
)
def test_what_marks_a_return(when: str, cells: dict[str, str], is_return: bool) -> None:
    assert understood(reader(f"[returns.when]\n{when}"), **cells).is_return is is_return


def test_a_return_counts_without_its_sign_and_names_its_sale() -> None:
    when = "[returns]\nsale = 'of'\n[returns.when]\nstarts_with = ['C']\n[clean]\ndocument = ['upper']"
    row = understood(reader(when), doc="c1", qty="-2", of=" inv7 ")
    assert (row.document, row.quantity, row.amount, row.sale) == ("C1", Decimal(2), Decimal("2.5"), "INV7")
    assert understood(reader(when), doc="c1", qty="2").quantity == 2
    assert understood(reader(when), doc="1", of="inv7").sale is None
    assert understood(reader(when, money="amount"), doc="c1", qty="-2", each="-2.5").amount == Decimal("2.5")
    assert refusal(reader(when), doc="c1", qty="-2", each="-1") == ("INVALID_AMOUNT", "each")
    assert refusal(reader(when), doc="c1", qty="0") == ("INVALID_QUANTITY", "qty")


def test_ids_are_cleaned_and_empty_cells_are_none() -> None:
    clean = "[clean]\npartner = ['integer']\nsku = ['upper']\n[file]\nempty = ['NULL']"
    row = understood(
        reader(clean, region="kind", currency="of"), shop=" 7.0 ", item="tea", kind="NULL", of=" EUR"
    )
    assert (row.partner, row.sku, row.region, row.currency) == ("7", "TEA", None, "EUR")
    assert refusal(reader(clean), shop="NULL") == ("NO_PARTNER", "shop")


def test_names_come_in_one_line() -> None:
    row = understood(reader(product_name="kind"), kind=" Tea\r\n\x92 green ")
    assert row.product_name == "Tea green"
    assert understood(reader(product_name="kind"), kind="x" * 500).product_name == "x" * 500
    assert refusal(reader(product_name="kind"), kind="x" * 501) == ("INVALID_TEXT", "kind")
    assert refusal(reader(category="kind"), kind="x" * 201) == ("INVALID_TEXT", "kind")


def test_date_and_time_in_two_columns() -> None:
    both = reader("[dates]\nformat = '%d.%m.%Y %H:%M'\ntime_zone = 'Europe/Berlin'", time="kind")
    assert f"{understood(both, at='02.03.2026', kind='10:00').occurred_at:%d %H:%M}" == "02 09:00"
    assert refusal(both, at="02.03.2026", kind="") == ("INVALID_DATE", "at")


def test_columns_by_place_without_a_header() -> None:
    mapping = "[file]\nheader = false"
    places: dict[str, Any] = {"document": 1, "partner": 2, "date": 3, "sku": 4, "quantity": 5}
    given = SalesReader(
        parse_sales_mapping(
            "source = 'erp'\n[columns]\nprice = 6\n"
            + "".join(f"{name} = {place}\n" for name, place in places.items())
            + mapping
        ),
        (),
    )
    assert isinstance(given.read(RawRow(1, 1, ("1", "a", "2026-03-02", "tea", "1", "1"))), SalesRow)
    short = given.read(RawRow(1, 1, ("1", "a", "2026-03-02", "tea", "1")))
    assert isinstance(short, Refused)
    assert short.code == "WRONG_COLUMNS"
    wrong = given.read(RawRow(1, 1, ("1", "a", "2026-03-02", "tea", "x", "1")))
    assert isinstance(wrong, Refused)
    assert wrong.column == "5"


@pytest.mark.parametrize(
    ("columns", "field", "hint"),
    [
        ({"sku": "Item"}, "columns.sku", "did you mean item?"),
        ({"region": "zzz"}, "columns.region", "doc, shop"),
        ({"region": 9}, "columns.region", "only 8 columns"),
    ],
)
def test_a_file_without_a_column(columns: dict[str, Any], field: str, hint: str) -> None:
    with pytest.raises(InvalidMapping) as error:
        reader(**columns)
    assert ".".join(error.value.field) == field
    assert hint in error.value.message


def test_columns_of_returns_must_be_there_too() -> None:
    for more, field in (
        ("[returns]\nsale = 'zzz'\n[returns.when]\nnegative = true", "returns.sale"),
        ("[returns.when]\ncolumn = 'zzz'\nequals = ['x']", "returns.when.column"),
    ):
        with pytest.raises(InvalidMapping) as error:
            reader(more)
        assert ".".join(error.value.field) == field


def test_a_header_that_stands_twice_is_meant_by_its_place() -> None:
    header = ("doc", "shop", "at", "item", "qty", "each", "qty", "of")
    with pytest.raises(InvalidMapping):
        reader(header=header)
    assert understood(reader(header=header, quantity=5), qty="3").quantity == 3


# ---------------------------------------------------------------------------------------------------------- digests


def test_equal_rows_have_equal_digests_however_they_are_written() -> None:
    one = reader("[dates]\ntime_zone = 'Europe/Berlin'\n[clean]\nsku = ['upper']")
    row = understood(one)
    assert (
        row.digest
        == understood(reader("[dates]\ntime_zone = 'Europe/Berlin'\n[clean]\nsku = ['upper']")).digest
    )
    same = understood(one, at="2026-03-02T09:00:00Z", item=" TEA", qty="2.00", each="1.250")
    assert same.digest == row.digest
    assert understood(one, doc="2").digest == row.digest  # the document stands beside it


@pytest.mark.parametrize(
    "cells",
    [
        {"shop": "b"},
        {"at": "2026-03-02 10:01"},
        {"item": "soap"},
        {"qty": "3"},
        {"each": "1.26"},
        {"kind": "x"},
        {"of": "x"},
    ],
)
def test_rows_that_differ_have_other_digests(cells: dict[str, str]) -> None:
    given = reader(unit="kind", currency="of")
    assert understood(given, **cells).digest != understood(given).digest


def test_neighbors_do_not_run_together_in_a_digest() -> None:
    given = reader(unit="kind", currency="of")
    assert understood(given, kind="x").digest != understood(given, of="x").digest


def test_names_do_not_tell_rows_apart() -> None:
    given = reader(product_name="kind", region="of")
    assert understood(given, kind="x", of="y").digest == understood(given).digest


def test_digests_do_not_change() -> None:
    """They are kept for ever: a row that was recorded must be known again by later versions."""
    assert understood(reader(unit="kind"), kind="Té").digest.hex() == "db6b8d29267bcc215cabf70c2ac3c3f2"


TEXTS = st.one_of(
    st.sampled_from(["", "1", "-1", "0.5", "é", "\x00", "9" * 300, "2026-03-02", "1e11", "(3)", "½", "1e-9"]),
    st.text(max_size=6),
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that does other things too
@given(changed=st.dictionaries(st.sampled_from(HEADER), TEXTS, max_size=3))
def test_whatever_is_understood_can_be_an_activity(changed: dict[str, str]) -> None:
    row = read(reader("[returns.when]\nnegative = true", unit="kind", product_name="of"), **changed)
    if isinstance(row, Refused):
        assert row.message
        return
    lines = [LineInput(row.sku, row.quantity, row.amount, row.unit)]
    sale = ActivityInput("erp", row.document, "SALE", row.partner, row.occurred_at, lines)
    assert check(sale, kinds=frozenset({"SALE"}), currency="EUR", now=row.occurred_at) is None


def test_a_document_within_a_shop_and_a_day() -> None:
    within = "[documents]\nwithin = ['shop', 1]\n[returns]\nsale = 'of'\nwhen = { starts_with = ['C'] }"
    row = understood(reader(within), doc="C7", of="3", shop=" s1 ")
    at = HEADER[0]
    assert row.is_return
    assert row.document == f"s1:{ {**GOOD, 'doc': 'C7'}[at] }:C7"
    assert row.sale == f"s1:{ {**GOOD, 'doc': 'C7'}[at] }:3"
    assert refusal(reader(within), doc="7", shop="s" * 180) == ("INVALID_TEXT", "doc")


def test_codes_that_are_no_products_are_texts_with_stars() -> None:
    given = reader("[products]\nno_products = ['FEE-*', 'X?', '[1]']")
    for code in ("FEE-", "FEE-A-B", "X1", "[1]"):
        assert refusal(given, item=code) == ("NO_PRODUCT", "item")
    for code in ("FEE", "AFEE-1", "X", "X12", "1"):
        assert understood(given, item=code).sku == code
