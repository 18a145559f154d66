"""What a file looks like, and that the mapping it suggests reads it."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from imports.lines import BrokenFile
from imports.mapping import Cleaner, Condition, SalesMapping, Unknown
from imports.mapping_toml import parse_sales_mapping
from imports.sniffing.checking import Findings, check_file
from imports.sniffing.columns import Column, guess_notation
from imports.sniffing.fields import WORDS, score
from imports.sniffing.form import guess_form
from imports.sniffing.marks import guess_no_products
from imports.sniffing.proposal import source_name, try_proposal, write_proposal

DIRT: Final = Path(__file__).parents[2] / "services" / "imports"


def looked_at(path: Path) -> tuple[Findings, SalesMapping, str]:
    findings = check_file(path, tell=lambda _: None)
    proposal = write_proposal(findings, path)
    return findings, parse_sales_mapping(proposal), proposal


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def save(
        rows: list[list[str]], *, encoding: str = "utf-8", delimiter: str = ",", name: str = "till.csv"
    ) -> Path:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter).writerows(rows)
        path = tmp_path / name
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    return save


def sold(number: int) -> list[str]:
    """A row of an invented till: document, day, shop, article, name, pieces, price."""
    day = f"2026-{number % 12 + 1:02}-{number % 27 + 1:02} 10:{number % 60:02}"
    return [f"{4000 + number // 3}", day, f"{100 + number % 7}.0", f"T{number % 11:03}x", f"Tea {number % 11}",
            str(number % 5 + 1), f"{number % 9 + 1}.25"]  # fmt: skip


HEADER: Final = ["Receipt No", "Sale date", "Shop", "Item code", "Item name", "Qty", "Unit price"]


def test_a_file_of_sales_suggests_a_mapping_that_reads_it(save: Callable[..., Path]) -> None:
    rows = [sold(number) for number in range(300)]
    rows[7][3] = rows[7][3].upper()
    rows += [["C9", "2026-05-05 10:00", "101.0", "T001x", "Tea 1", "-1", "2.25"]] * 4
    rows += [["5999", "2026-05-05 10:00", "101.0", "T001x", "Tea 1", "-1", "2.25"]]
    rows += [["6000", "2026-05-05 10:00", "102.0", "POST", "Postage", "1", "3.00"]]
    findings, mapping, proposal = looked_at(save([HEADER, *rows]))
    assert mapping.columns == {
        "document": "Receipt No", "date": "Sale date", "partner": "Shop", "sku": "Item code",
        "product_name": "Item name", "quantity": "Qty", "price": "Unit price",
    }  # fmt: skip
    assert mapping.source == "till"
    assert mapping.clean == {"partner": (Cleaner.INTEGER,), "sku": (Cleaner.UPPER,)}
    assert mapping.returns.when == Condition(starts_with=("C",))
    assert mapping.products.no_products == ("POST",)
    assert mapping.partners.unknown is Unknown.REFUSE
    assert "# 1 row: Postage" in proposal
    assert try_proposal(findings, proposal) == {
        "SALE": 300,
        "RETURN": 4,
        "INVALID_QUANTITY": 1,
        "NO_PRODUCT": 1,
    }


def test_a_german_export_is_recognized() -> None:
    findings, mapping, proposal = looked_at(DIRT / "dirt_german.csv")
    assert (mapping.file.encoding, mapping.file.delimiter, mapping.file.skip_lines) == ("cp1252", ";", 3)
    assert (mapping.file.decimal, mapping.dates.format) == (",", "%d.%m.%Y %H:%M")
    assert mapping.columns == {
        "document": "Beleg-Nr.", "partner": "Kunden-Nr.", "date": "Belegdatum", "time": "Uhrzeit",
        "sku": "Artikel-Nr.", "product_name": "Bezeichnung", "quantity": "Menge", "amount": "Nettobetrag",
    }  # fmt: skip
    assert mapping.returns.when is not None
    assert mapping.products.no_products == ("FRACHT",)
    assert try_proposal(findings, proposal)["SALE"] >= 3


def test_the_dirty_file_is_recognized() -> None:
    findings, mapping, proposal = looked_at(DIRT / "dirt.csv")
    assert mapping.columns["partner"] == "Shop"
    assert mapping.columns["price"] == "Each"
    assert mapping.columns["region"] == "Area"
    assert mapping.partners.unknown is Unknown.CREATE
    assert {"POST", "D", "M", "B", "BANK CHARGES"} <= set(mapping.products.no_products)
    assert findings.faults == {"WRONG_QUOTES": 2, "WRONG_COLUMNS": 2, "INVALID_ENCODING": 1}
    assert any(doubt.startswith("no UTF-8 in ") for doubt in findings.doubts)
    assert try_proposal(findings, proposal)["SALE"] > 15


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("InvoiceNo", "document"), ("No. Faktur", "document"), ("Rechnungsnummer", "document"),
        ("N° facture", "document"), ("Número factura", "document"),
        ("CustomerID", "partner"), ("Kode Pelanggan", "partner"), ("Kunden-Nr.", "partner"),
        ("Code client", "partner"), ("Código cliente", "partner"),
        ("Invoice Date", "date"), ("Tanggal", "date"), ("Belegdatum", "date"), ("Date facture", "date"),
        ("Fecha", "date"),
        ("StockCode", "sku"), ("Kode Barang", "sku"), ("Artikelnummer", "sku"), ("Référence", "sku"),
        ("Código artículo", "sku"),
        ("Qty", "quantity"), ("Jumlah Barang", "quantity"), ("Menge", "quantity"), ("Quantité", "quantity"),
        ("Cantidad", "quantity"),
        ("UnitPrice", "price"), ("Harga Satuan", "price"), ("Stückpreis", "price"), ("Prix unitaire", "price"),
        ("Precio unitario", "price"),
        ("Line Total", "amount"), ("Total Harga", "amount"), ("Nettobetrag", "amount"), ("Montant HT", "amount"),
        ("Importe total", "amount"),
        ("Description", "product_name"), ("Nama Barang", "product_name"), ("Bezeichnung", "product_name"),
        ("Désignation", "product_name"), ("Descripción", "product_name"),
        ("Customer Name", "partner_name"), ("Nama Toko", "partner_name"), ("Raison sociale", "partner_name"),
        ("Country", "region"), ("Wilayah", "region"), ("Bundesland", "region"), ("Pays", "region"),
        ("Provincia", "region"),
        ("UoM", "unit"), ("Satuan", "unit"), ("Mengeneinheit", "unit"),
        ("Warengruppe", "category"), ("Kategori", "category"), ("Merek", "brand"), ("Marca", "brand"),
    ],
)  # fmt: skip
def test_headers_in_five_languages(header: str, field: str) -> None:
    assert max(WORDS, key=lambda one: score(header, one)) == field


@pytest.mark.parametrize(
    ("texts", "notation", "unsure"),
    [
        (["1.5", "20.25"], (".", ""), False),
        (["1,5", "20,25"], (",", ""), False),
        (["1,234.5", "2"], (".", ","), False),
        (["1.234,5", "2,25"], (",", "."), False),
        (["1 234,5", "2,25"], (",", " "), False),
        (["1.234", "2.500"], (".", ""), True),
        (["12", "7"], (".", ""), False),
    ],
)
def test_notations(texts: list[str], notation: tuple[str, str], unsure: bool) -> None:
    column = Column("x", 1)
    for text in texts:
        column.add(text)
    found, doubts = guess_notation([column])
    assert found == notation
    assert bool(doubts) is unsure


@pytest.mark.parametrize(
    ("days", "form", "unsure"),
    [
        (["01/02/2026", "03/04/2026"], "%d/%m/%Y", True),
        (["01/02/2026", "13/02/2026"], "%d/%m/%Y", False),
        (["01/02/2026", "02/13/2026"], "%m/%d/%Y", False),
        (["9-Dec-11", "10-Dec-11"], "%d-%b-%y", False),
        (["20261201", "20261231"], "%Y%m%d", False),
        (["2026-12-01T10:00:00Z", "2026-12-02T10:00:00Z"], "iso", False),
        (["12/09/2026 01:50 PM", "12/30/2026 01:50 AM"], "%m/%d/%Y %I:%M %p", False),
    ],
)
def test_dates_say_when_a_day_may_be_a_month(
    save: Callable[..., Path], days: list[str], form: str, unsure: bool
) -> None:
    rows = [sold(number) for number in range(len(days))]
    for row, day in zip(rows, days, strict=True):
        row[1] = day
    findings, mapping, _ = looked_at(save([HEADER, *rows]))
    assert mapping.dates.format == form
    assert any("January" in doubt for doubt in findings.doubts) is unsure


@pytest.mark.parametrize(
    ("kinds", "condition"),
    [
        (["Invoice", "Credit note"], Condition(column="Kind", equals=("Credit note",))),
        (["", ""], Condition(negative=True)),
    ],
)
def test_returns_are_marked_by_what_stands_beside_them(
    save: Callable[..., Path], kinds: list[str], condition: Condition
) -> None:
    rows = [[*sold(number), kinds[number % 10 == 0]] for number in range(100)]
    for row in rows[::10]:
        row[5] = "-1"
    _, mapping, _ = looked_at(save([[*HEADER, "Kind"], *rows]))
    assert mapping.returns.when == condition


@pytest.mark.parametrize(
    ("headers", "rows", "quantity", "amount", "decimal"),
    [
        ("Kts Jumlah", [("3", "12500,50"), ("4", "7250,25"), ("10", "99,75")], "Kts", "Jumlah", ","),
        (
            "Kuantum Jumlah",
            [("3", "12.500,50"), ("4", "7.250,00"), ("10", "99,75")],
            "Kuantum",
            "Jumlah",
            ",",
        ),
        ("Kuantum Jumlah", [("3", "12500"), ("4", "7250"), ("10", "99000")], "Kuantum", "Jumlah", "."),
        ("Kuantum Jumlah", [("3", "12.500"), ("4", "7.200"), ("10", "99.000")], "Kuantum", "Jumlah", ","),
        ("Jumlah Harga", [("3", "12500,5"), ("4", "7250,0"), ("10", "99,75")], "Jumlah", None, ","),
        ("Jml Nilai", [("3", "12500,50"), ("4", "7250,00"), ("10", "99,75")], "Jml", "Nilai", ","),
        ("No Harga Jumlah", [("1", "12,5", "3"), ("2", "7,2", "4"), ("3", "9,7", "8")], "Jumlah", None, ","),
        ("Jumlah", [("12500,50",), ("7250,00",), ("99,75",)], None, "Jumlah", ","),
        ("Jumlah", [("125000",), ("7250",), ("8000",)], None, "Jumlah", "."),
        ("Jumlah", [("12",), ("7",), ("8",)], "Jumlah", None, "."),
        ("Qty Harga Jumlah", [("3", "12,5", "37,5"), ("4", "7,2", "28,8")], "Qty", "Jumlah", ","),
        ("Jumlah Total_Qty", [("12500,5", "3"), ("7250,0", "4")], "Total Qty", "Jumlah", ","),
    ],
)
def test_a_word_for_how_many_and_how_much_is_what_its_numbers_are(
    save: Callable[..., Path],
    headers: str,
    rows: list[tuple[str, ...]],
    quantity: str | None,
    amount: str | None,
    decimal: str,
) -> None:
    named = [name.replace("_", " ") for name in headers.split()]
    sold = [
        [
            f"F{number}",
            f"{number % 27 + 1:02}/03/2026",
            f"T{number % 7}",
            f"B{number % 5}",
            *rows[number % len(rows)],
        ]
        for number in range(30)
    ]
    path = save([["No Faktur", "Tanggal", "Kode Toko", "Kode Barang", *named], *sold], delimiter=";")
    findings = check_file(path, tell=lambda _: None)
    found = {name: column.name for name, column in findings.fields.items()}
    assert (found.get("quantity"), found.get("amount")) == (quantity, amount)
    assert findings.file.decimal == decimal
    taken_for = "quantity" if quantity and quantity.startswith("J") else "amount"
    assert any(f"it is taken for the {taken_for}" in doubt for doubt in findings.doubts)


def test_returns_without_a_sign_are_marked_by_a_word(save: Callable[..., Path]) -> None:
    rows = [[*sold(number), "RETUR" if number % 10 == 0 else "JUAL"] for number in range(100)]
    _, mapping, _ = looked_at(save([[*HEADER, "Jenis"], *rows]))
    assert mapping.returns.when == Condition(column="Jenis", equals=("RETUR",))


def test_what_is_missing_is_told(save: Callable[..., Path]) -> None:
    path = save([["One", "Two"], ["a", "b"], ["c", "d"]])
    findings = check_file(path, tell=lambda _: None)
    assert "quantity" in findings.missing
    assert "# ? quantity is needed" in write_proposal(findings, path)


def test_a_file_without_a_header_goes_by_places(save: Callable[..., Path]) -> None:
    path = save([sold(number) for number in range(50)])
    findings = check_file(path, tell=lambda _: None)
    assert not findings.file.header
    assert findings.fields["date"].place == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_forms(save: Callable[..., Path], delimiter: str, encoding: str) -> None:
    rows = [
        HEADER,
        *([*sold(number)[:4], f"Thé, «{number}»; é|è", *sold(number)[5:]] for number in range(40)),
    ]
    path = save(rows, encoding=encoding, delimiter=delimiter)
    with path.open("rb") as stream:
        form = guess_form(stream)
    assert form.file.encoding == encoding.removesuffix("-sig")
    assert form.file.delimiter == delimiter
    assert form.file.header
    assert form.file.skip_lines == 0


def test_a_broken_file_is_looked_at_as_far_as_it_goes(tmp_path: Path) -> None:
    rows = [",".join(HEADER), *(",".join(sold(number * 7919 % 100_003)) for number in range(20_000))]
    whole = gzip.compress("\n".join(rows).encode())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    findings = check_file(path, tell=lambda _: None)
    assert not findings.is_whole
    assert 1_000 < findings.rows < 20_000
    assert "the first" in write_proposal(findings, path)
    path.write_bytes(b"")
    with pytest.raises(BrokenFile):
        check_file(path, tell=lambda _: None)


def test_codes_that_are_no_products() -> None:
    codes = {"T1": 900, "DOT": 3, "XMASBOX": 5, "4711": 20, "ADJ9": 2}
    names = {
        "DOT": {"Dotcom postage"},
        "XMASBOX": {"A box"},
        "4711": {"Soap", "adjustment"},
        "ADJ9": {"Adjustment"},
    }
    assert guess_no_products(codes, names) == ["DOT", "ADJ9"]


@pytest.mark.parametrize(
    ("name", "source"),
    [("Online Retail.csv.gz", "online-retail"), ("Ümsätze.TXT", "ms-tze"), ("…", "export")],
)
def test_a_name_for_the_source(name: str, source: str) -> None:
    assert source_name(Path(name)) == source


def test_a_proposal_quotes_what_stands_in_the_file(save: Callable[..., Path]) -> None:
    header = ['Receipt "No"', "Sale\ndate", "Shop \\ till", "Item code", "Item name", "Qty", "Unit price"]
    _, mapping, _ = looked_at(save([header, *(sold(number) for number in range(30))]))
    assert mapping.columns["document"] == 'Receipt "No"'
    assert mapping.columns["date"] == "Sale\ndate"
    assert mapping.columns["partner"] == "Shop \\ till"


def receipt(number: int, day: int, shop: int, *, time: str = "") -> list[str]:
    """A row of a receipt that each shop numbers from 1 each day; customers are the partners."""
    date = f"2026-03-{day:02}{time}"
    return [str(number), date, f"S{shop}", f"K{number * 7 + day * 3 + shop:03}", "T001x", "2", "1.25"]


RECEIPTS: Final = ["Receipt No", "Sale date", "Branch", "Customer", "Item code", "Qty", "Unit price"]


def test_receipt_numbers_that_begin_again_are_noticed(save: Callable[..., Path]) -> None:
    rows = [receipt(number, day, shop) for day in (1, 2, 3) for shop in (1, 2) for number in range(1, 31)]
    findings, mapping, proposal = looked_at(save([RECEIPTS, *rows]))
    assert mapping.documents.within == ("Branch", "Sale date")
    assert (
        "# ? document numbers seem to begin again: of 30 looked at, 30 with several of 'Branch'" in proposal
    )
    assert try_proposal(findings, proposal) == {"SALE": 180}


def test_a_day_that_has_no_column_cannot_tell_receipts_apart(save: Callable[..., Path]) -> None:
    rows = [receipt(number, day, 1, time=" 10:00") for day in (1, 2) for number in range(1, 31)]
    for row in rows:
        row[3] = "K1"
    _, mapping, proposal = looked_at(save([RECEIPTS, *rows]))
    assert mapping.documents.within == ()
    assert "30 on several days come again; the day has no column of its own" in proposal


def test_partners_tell_receipts_apart_where_nothing_else_does(save: Callable[..., Path]) -> None:
    rows = [receipt(number, 1, shop) for shop in (1, 2) for number in range(1, 31)]
    kept = [0, 1, 3, 4, 5, 6]
    _, mapping, _ = looked_at(
        save([[RECEIPTS[at] for at in kept], *([row[at] for at in kept] for row in rows)])
    )
    assert mapping.documents.within == ("Customer",)


def test_a_few_slips_and_returns_under_the_number_of_their_sale_are_no_new_beginning(
    save: Callable[..., Path],
) -> None:
    rows = [receipt(number, number % 9 + 1, number % 2) for number in range(400)]
    rows += [receipt(number, 20, 1) for number in (5, 6, 7)]
    for number in range(0, 400, 20):
        row = receipt(number, 21, number % 2)
        row[5] = "-1"
        rows.append(row)
    _, mapping, proposal = looked_at(save([RECEIPTS, *rows]))
    assert mapping.documents.within == ()
    assert "begin again" not in proposal
