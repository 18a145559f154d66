"""Partners, products and opening balances out of files: every row accounted for, and what has no column is kept."""

import gzip
import io
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import pytest

from base.clock import SetClock
from base.database import reading
from base.errors import DomainError
from imports.lines import BrokenFile
from imports.masters.mapping import with_new_regions
from imports.masters.work import import_masters
from imports.store import Import, ImportKind, ImportMoved, ImportState, Step, begin_import
from partners.service import (
    PartnerInput,
    PartnerKind,
    PartnerStatus,
    ProductInput,
    RegionInput,
    upsert_partners,
    upsert_products,
    upsert_regions,
)
from partners.standing import load_partner_inputs, load_product_inputs
from tests.invariants import check_audit, check_invariants
from tests.services.imports.taking import Account, account, rows
from tests.services.programs import NOW, make_program, value
from tests.services.programs import rows as answer

pytestmark = pytest.mark.usefixtures("database")

PARTNERS: Final = ImportKind.PARTNERS
PRODUCTS: Final = ImportKind.PRODUCTS
BALANCES: Final = ImportKind.BALANCES
HEADER: Final = "code,name,kind,region,parent"
CREATING: Final = with_new_regions("")


def unheard(_: Step) -> None:
    """Nobody listens."""


async def make_channel() -> int:
    """A program with a region."""
    program = await make_program()
    await upsert_regions(program_id=program.id, regions=[RegionInput("java", "Java")])
    return program.id


async def take(
    program_id: int,
    kind: ImportKind,
    text: str | bytes,
    mapping: str = "",
    *,
    tell: Callable[[Step], None] = unheard,
) -> Import:
    """Take a file in, from where its import stands."""
    content = text.encode() if isinstance(text, str) else text
    one = await begin_import(
        program_id=program_id,
        kind=kind,
        file_name="file.csv",
        file_digest=blake2b(content, digest_size=32).digest(),
        file_size=len(content),
        mapping=mapping,
        history=False,
        created_by="test",
        now=NOW,
    )
    return await import_masters(one, io.BytesIO(content), SetClock(NOW), tell)


async def taken(program_id: int, kind: ImportKind, text: str | bytes, mapping: str = "") -> Account:
    """Take a file in and say what became of its rows."""
    return await account(await take(program_id, kind, text, mapping))


async def partners_of(program_id: int) -> dict[str, PartnerInput]:
    codes = [
        row["code"] for row in await answer("SELECT code FROM partner WHERE program_id = $1", program_id)
    ]
    async with reading() as connection:
        return await load_partner_inputs(connection, program_id=program_id, codes=codes)


async def products_of(program_id: int) -> dict[str, ProductInput]:
    skus = [row["sku"] for row in await answer("SELECT sku FROM product WHERE program_id = $1", program_id)]
    async with reading() as connection:
        return await load_product_inputs(connection, program_id=program_id, skus=skus)


async def everything(program_id: int) -> list[tuple[Any, ...]]:
    """All that partners, products and regions are, to tell whether anything was written."""
    found: list[tuple[Any, ...]] = []
    for table in ("region", "partner", "product"):
        query = f"SELECT '{table}', xmin::text, t.* FROM {table} t WHERE program_id = $1 ORDER BY id"
        found += [tuple(row) for row in await answer(query, program_id)]
    return found


# ----------------------------------------------------------------------------------------------------------- partners


async def test_partners_are_created_and_rows_add_up() -> None:
    program_id = await make_channel()
    text = rows(
        "D1,Distributor,distributor,java,",
        "S1,Shop,RETAILER,java,D1",
        "S1,Shop,RETAILER,java,D1",  # an exact repeat
        "S1,Other,RETAILER,java,D1",  # contradicts line 3
        "S2,Shop,RETAILER,moon,",
        ",Nobody,RETAILER,java,",
        "S3,,RETAILER,java,",
        "S4,Shop,SHOP,java,",
        "S5,Shop,RETAILER,java,D9",
        "S6,Shop,RETAILER,java",
        f"{'x' * 201},Shop,RETAILER,java,",
        header=HEADER,
    )
    refused = {
        5: "CONFLICTING_ROWS",
        6: "UNKNOWN_REGION",
        7: "NO_PARTNER",
        8: "REQUIRED",
        9: "UNKNOWN_KIND",
        10: "UNKNOWN_PARTNER",
        11: "WRONG_COLUMNS",
        12: "INVALID_CODE",
    }
    done = await take(program_id, PARTNERS, text)
    assert await account(done) == Account(11, 2, 1, refused)
    assert (done.state, done.duplicates_in, done.activities) == (ImportState.DONE, 1, 2)
    found = await partners_of(program_id)
    assert {code: (one.name, one.kind, one.parent) for code, one in found.items()} == {
        "D1": ("Distributor", PartnerKind.DISTRIBUTOR, None),
        "S1": ("Shop", PartnerKind.RETAILER, "D1"),
    }

    before = await everything(program_id)
    again = await take(program_id, PARTNERS, text)
    assert again.id != done.id
    assert await account(again) == Account(11, 0, 3, refused)
    assert await everything(program_id) == before
    assert await value("SELECT count(*) FROM import_code WHERE program_id = $1", program_id) == 0


async def test_a_column_that_the_file_does_not_have_keeps_what_stands() -> None:
    program_id = await make_channel()
    stood = PartnerInput(
        "S1",
        "Shop",
        PartnerKind.AGENT,
        "java",
        parent="D1",
        time_zone="Asia/Jakarta",
        locale="id",
        attributes={"size": "big", "since": 2019, "owner": "x"},
        status=PartnerStatus.SUSPENDED,
    )
    await upsert_partners(
        program_id=program_id,
        partners=[stood, PartnerInput("D1", "D", PartnerKind.DISTRIBUTOR, "java")],
        now=NOW,
    )
    text = rows("S1,Renamed,,small,", header="code,name,locale,attributes.size,attributes.owner")
    assert await taken(program_id, PARTNERS, text) == Account(1, 1, 0, {})
    now = (await partners_of(program_id))["S1"]
    assert (now.name, now.locale, now.attributes) == ("Renamed", None, {"size": "small", "since": 2019})
    assert (now.kind, now.parent, now.time_zone, now.status) == (
        PartnerKind.AGENT,
        "D1",
        "Asia/Jakarta",
        PartnerStatus.SUSPENDED,
    )
    # An empty cell clears what may be empty, and keeps a status.
    text = rows("S1,,", header="code,parent,status")
    assert await taken(program_id, PARTNERS, text) == Account(1, 1, 0, {})
    now = (await partners_of(program_id))["S1"]
    assert (now.parent, now.status) == (None, PartnerStatus.SUSPENDED)
    assert await taken(program_id, PARTNERS, rows("S1,", header="code,name")) == Account(
        1, 0, 0, {2: "REQUIRED"}
    )


async def test_a_partner_joined_long_before_it_came_here() -> None:
    program_id = await make_channel()
    rows = ("old,Old,RETAILER,java,2019-02-28", "new,New,RETAILER,java,", "bad,Bad,RETAILER,java,x")
    text = "\n".join(("code,name,kind,region,joined_on", *rows, ""))
    found = await taken(program_id, PARTNERS, text)
    assert (found.recorded, found.refused) == (2, {4: "INVALID_DATE"})
    again = await taken(program_id, PARTNERS, "code,joined_on,name\nold,,Old shop\n")
    assert again.recorded == 1
    partners = await partners_of(program_id)
    assert (partners["old"].joined_on, partners["old"].name) == (date(2019, 2, 28), "Old shop")
    assert partners["new"].joined_on is None
    mapping = '[columns]\ncode = "code"\njoined_on = "since"\n[dates]\nformat = "%d.%m.%Y"\n'
    await taken(program_id, PARTNERS, "code,since\nnew,01.03.2020\n", mapping)
    assert (await partners_of(program_id))["new"].joined_on == date(2020, 3, 1)


async def test_regions_are_created_where_that_is_asked_for_and_only_for_partners_that_are_taken() -> None:
    program_id = await make_channel()
    text = rows(
        "S1,Shop,RETAILER,bali,",
        "S2,Shop,RETAILER,java,",
        "S3,Shop,RETAILER,moon,D9",
        "S4,Shop,RETAILER,mars,S4",
        f"S5,Shop,RETAILER,{'x' * 201},",
        header=HEADER,
    )
    found = await taken(program_id, PARTNERS, text, CREATING)
    assert found == Account(5, 2, 0, {4: "UNKNOWN_PARTNER", 5: "CYCLE", 6: "INVALID_CODE"})
    regions = await answer("SELECT code, name FROM region WHERE program_id = $1 ORDER BY id", program_id)
    assert [tuple(row) for row in regions] == [("java", "Java"), ("bali", "bali")]


async def test_a_parent_may_stand_in_a_later_chunk() -> None:
    program_id = await make_channel()
    shops = [f"S{number},Shop,RETAILER,java,D{number % 7}" for number in range(2_500)]
    distributors = [f"D{number},Distributor,DISTRIBUTOR,java,TOP" for number in range(7)]
    text = rows(
        "LOST,Shop,RETAILER,java,NOBODY",
        "UNDER,Shop,RETAILER,java,LOST",
        "A,Shop,RETAILER,java,B",
        *shops,
        *distributors,
        "TOP,Top,DISTRIBUTOR,java,",
        "B,Shop,RETAILER,java,A",
        header=HEADER,
    )
    refused = {2: "UNKNOWN_PARTNER", 3: "UNKNOWN_PARTNER", 4: "UNKNOWN_PARTNER", 2_513: "CYCLE"}
    done = await take(program_id, PARTNERS, text)
    assert await account(done) == Account(2_512, 2_508, 0, refused)
    found = await partners_of(program_id)
    assert len(found) == 2_508
    assert (found["S9"].parent, found["D2"].parent) == ("D2", "TOP")
    before = await everything(program_id)
    assert await taken(program_id, PARTNERS, text) == Account(2_512, 0, 2_508, refused)
    assert await everything(program_id) == before


async def test_what_waits_for_its_parent_may_turn_out_to_lie_under_itself() -> None:
    program_id = await make_channel()
    filler = [f"S{number},Shop,RETAILER,java," for number in range(1_000)]
    text = rows(
        "A,Shop,RETAILER,java,B", *filler, "B,Shop,RETAILER,java,C", "C,Shop,RETAILER,java,A", header=HEADER
    )
    # Whoever closes the circle is refused; the others then lack a parent.
    found = await taken(program_id, PARTNERS, text)
    assert (found.recorded, found.duplicates) == (1_000, 0)
    assert sorted(found.refused) == [2, 1_003, 1_004]
    assert set(found.refused.values()) <= {"CYCLE", "UNKNOWN_PARTNER"}


async def test_an_existing_partner_whose_new_parent_is_missing_stays_as_it_is() -> None:
    program_id = await make_channel()
    stood = PartnerInput("S1", "Shop", PartnerKind.AGENT, "java", status=PartnerStatus.ACTIVE, attributes={})
    await upsert_partners(program_id=program_id, partners=[stood], now=NOW)
    text = rows("S1,Other,AGENT,java,D9", "S2,Shop,AGENT,java,S1", header=HEADER)
    assert await taken(program_id, PARTNERS, text) == Account(2, 1, 0, {2: "UNKNOWN_PARTNER"})
    assert (await partners_of(program_id))["S1"] == stood


async def test_another_row_may_say_right_what_one_said_wrong() -> None:
    program_id = await make_channel()
    text = rows(
        "S1,Shop,SHOP,java,",
        "S1,Shop,SHOP,java,",  # as wrong as the first
        "S1,Shop,RETAILER,java,",
        "S1,Shop,AGENT,java,",
        header=HEADER,
    )
    refused = {2: "UNKNOWN_KIND", 3: "UNKNOWN_KIND", 5: "CONFLICTING_ROWS"}
    assert await taken(program_id, PARTNERS, text) == Account(4, 1, 0, refused)


async def test_nothing_depends_on_where_a_chunk_ends() -> None:
    program_id = await make_channel()
    filler = [f"S{number},Shop,RETAILER,java," for number in range(1_000)]
    text = rows(
        "A,Shop,SHOP,java,",
        "A,Shop,RETAILER,java,",
        *filler,
        "A,Shop,RETAILER,java,",  # repeats line 3
        "A,Shop,AGENT,java,",  # contradicts line 3
        header=HEADER,
    )
    done = await take(program_id, PARTNERS, text)
    assert await account(done) == Account(1_004, 1_001, 1, {2: "UNKNOWN_KIND", 1_005: "CONFLICTING_ROWS"})
    assert done.duplicates_in == 1


async def test_a_mapping_reads_other_columns() -> None:
    program_id = await make_channel()
    mapping = """
        [file]
        encoding = "cp1252"
        delimiter = ";"
        [columns]
        code = "Kunde"
        name = "Name 1"
        parent = 3
        [columns.attributes]
        size = "Größe"
        [clean]
        code = ["integer", "unpad"]
        [partners]
        kind = "wholesaler"
        region = "java"
    """
    text = "Kunde;Name 1;Verband;Größe;Ort\n0100.0;Müller;007;groß;Köln\n7;Verband;;;\n".encode("cp1252")
    assert await taken(program_id, PARTNERS, gzip.compress(text), mapping) == Account(2, 2, 0, {})
    found = (await partners_of(program_id))["100"]
    assert (found.name, found.kind, found.region, found.parent, found.attributes) == (
        "Müller",
        PartnerKind.WHOLESALER,
        "java",
        "7",
        {"size": "groß"},
    )


@pytest.mark.parametrize(
    ("kind", "header", "mapping", "code"),
    [
        (PARTNERS, "code,nam", "", "UNKNOWN_COLUMN"),
        (PARTNERS, "code,code", "", "UNKNOWN_COLUMN"),
        (PARTNERS, "name,kind", "", "MISSING_COLUMN"),
        (PRODUCTS, "sku,packs,pack_unit,pack_quantity", "", "UNKNOWN_COLUMN"),
        (PRODUCTS, "sku,pack_unit", "", "MISSING_COLUMN"),
        (BALANCES, "partner,attributes.x,points", "", "UNKNOWN_COLUMN"),
        (BALANCES, "partner", "", "MISSING_COLUMN"),
        (PARTNERS, "code", '[columns]\ncode = "Code"', "INVALID_MAPPING"),
        (PARTNERS, "code", '[columns]\nname = "code"', "INVALID_MAPPING"),
        (PARTNERS, "code", '[columns]\ncode = "code"\nsku = "code"', "INVALID_MAPPING"),
        (PARTNERS, "code", "[file]\nheader = false", "INVALID_MAPPING"),
        (PARTNERS, "code", '[partners]\nkind = "shop"', "INVALID_MAPPING"),
        (PRODUCTS, "sku", '[dates]\ntime_zone = "UTC"', "INVALID_MAPPING"),
        (PRODUCTS, "sku", '[partners]\nkind = "agent"', "INVALID_MAPPING"),
    ],
)
async def test_a_file_or_mapping_that_does_not_fit_is_refused_whole(
    kind: ImportKind, header: str, mapping: str, code: str
) -> None:
    program_id = await make_channel()
    with pytest.raises(DomainError) as caught:
        await take(program_id, kind, f"{header}\nx,y\n", mapping)
    assert caught.value.code == code


async def test_new_regions_are_asked_for_in_one_place() -> None:
    with pytest.raises(DomainError) as caught:
        with_new_regions('[partners]\nkind = "agent"')
    assert caught.value.field == ("partners",)
    assert with_new_regions('source = "x"\n').startswith('source = "x"\n')


# ------------------------------------------------------------------------------------------ stopped, and taken up again


class Stop(Exception):
    """Whatever stops a process."""


def stop_after(steps: int) -> Callable[[Step], None]:
    """Stop once so many steps are committed."""
    left = steps

    def tell(_: Step) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stop

    return tell


async def test_an_import_that_is_stopped_goes_on_where_it_was_and_counts_each_row_once() -> None:
    program_id = await make_channel()
    lines = [f"S{number},Shop,RETAILER,java,TOP" for number in range(3_500)]
    lines[2_222] = lines[1_111]
    text = rows(*lines, "TOP,Top,DISTRIBUTOR,java,", header=HEADER)
    runs = 0
    while True:
        runs += 1
        try:
            done = await take(program_id, PARTNERS, text, tell=stop_after(1))
            break
        except Stop:
            continue
    assert runs == 5
    assert await account(done) == Account(3_501, 3_500, 1, {})
    assert done.duplicates_in == 1


async def test_of_a_file_that_breaks_off_all_whole_rows_are_taken() -> None:
    program_id = await make_channel()
    dice = random.Random(5)
    lines = [f"S{number},{dice.randbytes(20).hex()},RETAILER,java," for number in range(1_500)]
    whole = gzip.compress(rows(*lines, header=HEADER).encode())
    content = whole[: len(whole) * 9 // 10]
    for _ in range(2):
        with pytest.raises(BrokenFile):
            await take(program_id, PARTNERS, content)
        [found] = await answer("SELECT * FROM import WHERE program_id = $1", program_id)
        assert 1_000 < found["read"] == found["recorded"] < 1_500
        assert found["position"] == found["read"] + 2
    assert len(await partners_of(program_id)) == found["read"]


async def test_of_two_that_take_the_same_import_one_goes_on() -> None:
    program_id = await make_channel()
    text = rows(*(f"S{number},Shop,RETAILER,java," for number in range(1_500)), header=HEADER)
    with pytest.raises(Stop):
        await take(program_id, PARTNERS, text, tell=stop_after(1))
    [stale] = await answer("SELECT * FROM import WHERE program_id = $1", program_id)
    assert stale["position"] == 1_002

    other: list[Import] = []

    async def overtaken() -> Import:
        content = text.encode()
        one = await begin_import(
            program_id=program_id,
            kind=PARTNERS,
            file_name="file.csv",
            file_digest=blake2b(content, digest_size=32).digest(),
            file_size=len(content),
            mapping="",
            history=False,
            created_by="test",
            now=NOW,
        )
        other.append(await take(program_id, PARTNERS, text))
        return await import_masters(one, io.BytesIO(content), SetClock(NOW), unheard)

    with pytest.raises(ImportMoved):
        await overtaken()
    assert await account(other[0]) == Account(1_500, 1_500, 0, {})


async def test_refused_rows_are_mended_and_imported_alone() -> None:
    program_id = await make_channel()
    text = rows("S1,Shop,SHOP,java,", "S2,Shop,AGENT,java,", header=HEADER)
    assert await taken(program_id, PARTNERS, text) == Account(2, 1, 0, {2: "UNKNOWN_KIND"})
    mended = rows(
        "2,UNKNOWN_KIND,x,S1,Shop,AGENT,java,", header=f"mitra_line,mitra_reason,mitra_message,{HEADER}"
    )
    assert await taken(program_id, PARTNERS, mended) == Account(1, 1, 0, {})
    assert set(await partners_of(program_id)) == {"S1", "S2"}


# ----------------------------------------------------------------------------------------------------------- products


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("sku,name,category,unit,packs", "tea,Tea,drinks,EA,CASE=12; PALLET=480.5"),
        ("sku,name,category,unit,packs", 'tea,Tea,drinks,,"PALLET = 480.5 ;CASE=12;"'),
        (
            "sku,name,category,pack_unit,pack_quantity,pack_unit,pack_quantity,pack_unit,pack_quantity",
            "tea,Tea,drinks,CASE,12,PALLET,480.5,,",
        ),
    ],
)
async def test_products_come_with_their_packs(header: str, cells: str) -> None:
    program_id = await make_channel()
    text = rows(cells, header=header)
    assert await taken(program_id, PRODUCTS, text) == Account(1, 1, 0, {})
    assert (await products_of(program_id))["tea"] == ProductInput(
        "tea",
        "Tea",
        category="drinks",
        packs={"CASE": Decimal(12), "PALLET": Decimal("480.5")},
        attributes={},
    )
    before = await everything(program_id)
    assert await taken(program_id, PRODUCTS, text) == Account(1, 0, 1, {})
    assert await everything(program_id) == before


async def test_products_keep_what_has_no_column() -> None:
    program_id = await make_channel()
    stood = ProductInput(
        "tea",
        "Tea",
        category="drinks",
        brand="Harbour",
        unit="KG",
        packs={"CASE": Decimal(12)},
        attributes={"a": 1},
    )
    await upsert_products(program_id=program_id, products=[stood])
    text = rows("tea,Green tea,", "oil,Oil,", "new,,x", header="sku,name,brand")
    assert await taken(program_id, PRODUCTS, text) == Account(3, 2, 0, {4: "REQUIRED"})
    now = (await products_of(program_id))["tea"]
    assert (now.name, now.brand, now.category, now.unit, now.packs, now.attributes) == (
        "Green tea",
        None,
        "drinks",
        "KG",
        {"CASE": Decimal(12)},
        {"a": 1},
    )
    assert await taken(program_id, PRODUCTS, rows("tea,", header="sku,packs")) == Account(1, 1, 0, {})
    assert (await products_of(program_id))["tea"].packs == {}


async def test_products_that_are_wrong_are_refused_one_by_one() -> None:
    program_id = await make_channel()
    text = rows(
        "a,A,CASE",
        "b,B,CASE=x",
        "c,C,CASE=1;CASE=2",
        "d,D,CASE=0",
        "e,E,EA=12",
        "f,F,CASE=1.0000001",
        ",G,",
        "h,H,CASE=12",
        header="sku,name,packs",
    )
    refused = {
        2: "INVALID_PACKS",
        3: "INVALID_PACKS",
        4: "INVALID_PACKS",
        5: "NOT_POSITIVE",
        6: "INVALID_PACKS",
        7: "TOO_PRECISE",
        8: "NO_SKU",
    }
    assert await taken(program_id, PRODUCTS, text) == Account(8, 1, 0, refused)
    told = await answer("SELECT line, column_name FROM import_refusal WHERE program_id = $1", program_id)
    assert {row["line"]: row["column_name"] for row in told} == dict.fromkeys(range(2, 8), "packs") | {
        8: "sku"
    }


async def test_packs_in_columns_of_any_name() -> None:
    program_id = await make_channel()
    mapping = """
        [file]
        decimal = ","
        [columns]
        sku = "Artikel"
        name = "Artikel"
        pack_unit = ["VE1", "VE2"]
        pack_quantity = ["Menge1", 5]
    """
    text = rows('tee,Karton,"12,5",Palette,480', header="Artikel,VE1,Menge1,VE2,Menge2")
    assert await taken(program_id, PRODUCTS, text, mapping) == Account(1, 1, 0, {})
    assert (await products_of(program_id))["tee"].packs == {
        "Karton": Decimal("12.5"),
        "Palette": Decimal(480),
    }


# ----------------------------------------------------------------------------------------------------------- balances


async def make_shops() -> int:
    program_id = await make_channel()
    shops = [PartnerInput(code, code, PartnerKind.RETAILER, "java") for code in ("S1", "S2", "S3")]
    await upsert_partners(program_id=program_id, partners=shops, now=NOW)
    return program_id


async def balances_of(program_id: int) -> dict[str, int]:
    query = """
        SELECT p.code, w.available FROM wallet w JOIN partner p ON p.program_id = $1 AND p.id = w.partner_id
        WHERE w.program_id = $1
    """
    return {row["code"]: row["available"] for row in await answer(query, program_id)}


async def test_opening_balances_are_posted_once_each_with_its_expiry() -> None:
    program_id = await make_shops()
    text = rows(
        "S1,120,2027-03-31,2026-01-05,",
        'S2,"1,000",,,',
        "S1,30,2027-06-30,,second",
        "S1,120,2027-03-31,2026-01-05,",  # an exact repeat
        "S1,121,2027-03-31,2026-01-05,",  # contradicts line 2
        "S3,0,,,",
        "S3,1.5,,,",
        "S3,five,,,",
        "S3,5,2026-01-01,,late",
        "S3,5,soon,,",
        "S9,5,,,",
        "S3,5,,,",
        header="partner,points,expires_on,granted_on,reference",
    )
    mapping = 'source = "old"\n[file]\nthousands = ","\n'
    refused = {
        6: "CONFLICTING_ROWS",
        7: "INVALID_AMOUNT",
        8: "INVALID_AMOUNT",
        9: "INVALID_AMOUNT",
        10: "EXPIRED_BALANCE",
        11: "INVALID_DATE",
        12: "UNKNOWN_PARTNER",
    }
    done = await take(program_id, BALANCES, text, mapping)
    assert await account(done) == Account(12, 4, 1, refused)
    assert done.duplicates_in == 1
    assert await balances_of(program_id) == {"S1": 150, "S2": 1_000, "S3": 5}
    keys = await answer("SELECT key FROM ledger_transaction WHERE program_id = $1 ORDER BY key", program_id)
    assert [row["key"].removeprefix("opening/") for row in keys] == [
        "old/S1",
        "old/S2",
        "old/S3",
        "old/second",
    ]
    expiries = await answer(
        "SELECT granted, expires_at FROM lot WHERE program_id = $1 ORDER BY id", program_id
    )
    assert [tuple(row) for row in expiries] == [
        (120, datetime(2027, 4, 1, tzinfo=UTC)),
        (1_000, None),
        (30, datetime(2027, 7, 1, tzinfo=UTC)),
        (5, None),
    ]

    assert await taken(program_id, BALANCES, text, mapping) == Account(12, 0, 5, refused)
    assert await balances_of(program_id) == {"S1": 150, "S2": 1_000, "S3": 5}
    await check_invariants(program_id)
    await check_audit(program_id)


async def test_a_balance_under_a_key_that_was_used_is_a_conflict() -> None:
    program_id = await make_shops()
    header = "partner,points"
    assert await taken(program_id, BALANCES, rows("S1,5", header=header)) == Account(1, 1, 0, {})
    found = await taken(program_id, BALANCES, rows("S1,6", "S2,5", header=header))
    assert found == Account(2, 1, 0, {2: "IDEMPOTENCY_CONFLICT"})
    assert await balances_of(program_id) == {"S1": 5, "S2": 5}


async def test_dates_are_read_as_the_mapping_says() -> None:
    program_id = await make_shops()
    mapping = '[dates]\nformat = "%d.%m.%Y"\ntime_zone = "Pacific/Kiritimati"\n'
    text = rows("S1,5,31.03.2027", header="partner,points,expires_on")
    assert await taken(program_id, BALANCES, text, mapping) == Account(1, 1, 0, {})
    assert await value("SELECT expires_at FROM lot WHERE program_id = $1", program_id) == datetime(
        2027, 4, 1, tzinfo=UTC
    )


async def test_balances_that_are_stopped_go_on_and_are_counted_once() -> None:
    program_id = await make_shops()
    lines = [f"S{number % 3 + 1},{number % 5 + 1},ref-{number}" for number in range(2_500)]
    text = rows(*lines, header="partner,points,reference")
    for _ in range(2):
        with pytest.raises(Stop):
            await take(program_id, BALANCES, text, tell=stop_after(1))
    assert await taken(program_id, BALANCES, text) == Account(2_500, 2_500, 0, {})
    assert sum((await balances_of(program_id)).values()) == 7_500
    await check_invariants(program_id)
