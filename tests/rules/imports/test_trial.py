"""A mapping tried on a file: what the rows would become, and what would be refused."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imports.rows import Refused
from imports.store import ImportKind
from imports.toml import InvalidMapping
from imports.trial import MOST_ROWS, Trial, sum_up, try_mapping
from ops.cli import build_app

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
MAPPING = """
source = "toko"
[file]
delimiter = ";"
decimal = ","
thousands = "."
[dates]
format = "%d/%m/%Y %H:%M"
time_zone = "Asia/Jakarta"
[columns]
document = "Faktur"
partner = "Toko"
date = "Tanggal"
sku = "Barang"
quantity = "Kts"
amount = "Jumlah"
unit = "Satuan"
[returns]
when = { column = "Faktur", starts_with = ["R"] }
"""
SALES = """\
Faktur;Toko;Tanggal;Barang;Kts;Jumlah;Satuan
F1;T1;02/03/2026 09:30;B1;3;12.500,50;
F1;T1;02/03/2026 09:30;B2;1;1.000;DUS
R1;T1;03/03/2026 10:00;B1;1;4.000;
F2;T1;2026-03-04;B1;1;1.000;
"""


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITRA_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")


def tried(
    tmp_path: Path, content: str, mapping: str = "", kind: ImportKind = ImportKind.SALES, shown: int = 10
) -> Trial:
    file = tmp_path / "file.csv"
    file.write_text(content)
    return try_mapping(file, mapping, kind, shown=shown, now=NOW)


def told(trial: Trial) -> list[str]:
    return [f"{one.code} {one.column}" if isinstance(one, Refused) else one for _, one in trial.shown]


def test_rows_are_told_as_what_they_become_in_the_mappings_zone(tmp_path: Path) -> None:
    found = tried(tmp_path, SALES, MAPPING)
    assert told(found) == [
        "sale F1, T1, 2026-03-02 09:30: 3 × B1 for 12500.5",
        "sale F1, T1, 2026-03-02 09:30: 1 DUS of B2 for 1000",
        "return R1, T1, 2026-03-03 10:00: 1 × B1 for 4000",
        "INVALID_DATE Tanggal",
    ]
    assert [line for line, _ in found.shown] == [2, 3, 4, 5]
    assert (found.rows, found.is_whole, dict(found.reasons)) == (4, True, {"INVALID_DATE": 1})
    assert sum_up(found) == "4 rows: 2 of sales, 1 of returns, 1 refused"


def test_few_rows_are_shown_and_all_are_counted_as_far_as_a_trial_goes(tmp_path: Path) -> None:
    found = tried(tmp_path, "sku,name\n" + "a,b\n" * (MOST_ROWS + 1), kind=ImportKind.PRODUCTS, shown=2)
    assert (found.rows, found.is_whole, len(found.shown)) == (MOST_ROWS, False, 2)
    assert sum_up(found) == "the first 100,000 rows: 1 of products, 99,999 repeat another row, 0 refused"


def test_master_data_is_tried_too(tmp_path: Path) -> None:
    partners = "code,kind,attributes.size\nT1,RETAILER,big\nT2,SHOP,\n,RETAILER,\n"
    assert told(tried(tmp_path, partners, kind=ImportKind.PARTNERS)) == [
        "partner T1: kind RETAILER, attributes.size big",
        "UNKNOWN_KIND kind",
        "NO_PARTNER code",
    ]
    products = "sku,name,packs\nB1,Tea,DUS=12;PAK=6\nB2,Tea,DUS\n"
    assert told(tried(tmp_path, products, kind=ImportKind.PRODUCTS)) == [
        "product B1: name Tea, packs DUS=12;PAK=6",
        "INVALID_PACKS packs",
    ]
    balances = "partner,points,expires_on\nT1,1500,2026-12-31\nT2,20,\nT3,1.5,\n"
    assert told(tried(tmp_path, balances, kind=ImportKind.BALANCES)) == [
        "balance import/T1: 1,500 POINT of T1, to the end of 2026-12-31",
        "balance import/T2: 20 POINT of T2, for ever",
        "INVALID_AMOUNT points",
    ]


def test_a_row_that_says_otherwise_than_an_earlier_one_is_refused_as_on_import(tmp_path: Path) -> None:
    found = tried(tmp_path, "sku,name,packs\nB1,,\nB1,Tea,\nB1,Tea,\nB1,Coffee,\n", kind=ImportKind.PRODUCTS)
    repeat = "repeats line 3"
    assert told(found) == ["REQUIRED name", "product B1: name Tea", repeat, "CONFLICTING_ROWS None"]
    assert sum_up(found) == "4 rows: 1 of products, 1 repeats another row, 2 refused"


def test_a_pack_is_blamed_on_the_cell_that_is_wrong(tmp_path: Path) -> None:
    header = "sku,name,pack_unit,pack_quantity,VE2,Menge2\n"
    columns = """
        [columns]
        sku = "sku"
        name = "name"
        pack_unit = ["pack_unit", "VE2"]
        pack_quantity = ["pack_quantity", "Menge2"]
    """
    lines = [
        "B1,Tea,DUS,x,,",
        "B2,Tea,,,PAK,x",
        "B3,Tea,DUS,12,DUS,6",
        "B4,Tea,DUS,12,EA,6",
        "B5,Tea,,,PAK,-6",
        "B6,Tea,DUS,12,,6",
    ]
    found = tried(tmp_path, header + "\n".join(lines), columns, kind=ImportKind.PRODUCTS)
    assert told(found) == [
        "INVALID_PACKS pack_quantity",
        "INVALID_PACKS Menge2",
        "INVALID_PACKS VE2",
        "INVALID_PACKS VE2",
        "NOT_POSITIVE Menge2",
        "INVALID_PACKS VE2",
    ]


def test_a_mapping_that_does_not_fit_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidMapping, match="the file has no column 'Faktur'"):
        tried(tmp_path, "a;b\n1;2\n", MAPPING)


def test_a_file_that_breaks_off_is_tried_up_to_there(tmp_path: Path) -> None:
    file = tmp_path / "file.csv.gz"
    file.write_bytes(gzip.compress(b"sku,name\na,b\n")[:-4])
    found = try_mapping(file, "", ImportKind.PRODUCTS, shown=1, now=NOW)
    assert "not whole" in found.broken
    assert not found.is_whole


def check(*words: str) -> Result:
    return CliRunner().invoke(build_app(), ["import", "check", *words])


def test_the_command_tells_it_all_and_writes_nothing(tmp_path: Path) -> None:
    file, mapping = tmp_path / "file.csv", tmp_path / "mapping.toml"
    file.write_text(SALES)
    mapping.write_text(MAPPING)
    done = check(str(file), "--mapping", str(mapping))
    assert done.exit_code == 0
    assert "line 5  refused: INVALID_DATE, Tanggal: '2026-03-04' is not a date like" in done.stdout
    assert "4 rows: 2 of sales, 1 of returns, 1 refused." in done.stdout
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file.csv", "mapping.toml"]

    mapping.write_text(MAPPING.replace("%d/%m", "%d-%m"))
    done = check(str(file), "--mapping", str(mapping), "--rows", "0")
    assert done.exit_code == 3
    assert "Warning: all 4 rows are refused." in done.stdout
    assert "look at `format` under [dates]" in done.stdout


def test_master_data_needs_no_mapping_to_be_tried(tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text("code,name\nT1,Toko\n")
    done = check(str(file), "--kind", "partners")
    assert (done.exit_code, "partner T1: name Toko" in done.stdout) == (0, True)
