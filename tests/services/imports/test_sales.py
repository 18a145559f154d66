"""Sales out of a file: every row accounted for, and nothing counted twice."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from activity.rules import MAX_LINES
from imports.store import ImportMoved, ImportState
from metrics.rules import Measure
from metrics.windows import Period
from partners.service import PartnerInput, PartnerKind, PartnerStatus, ProductInput
from tests.invariants import check_audit, check_invariants
from tests.services.imports.taking import (
    CREATING,
    HEADER,
    Account,
    account,
    begin,
    journal,
    refusals,
    rows,
    take,
    taken,
)
from tests.world import World, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

NAMING = """
source = "erp"
[columns]
document = "doc"
partner = "shop"
date = "at"
sku = "sku"
quantity = "qty"
amount = "paid"
[returns]
when = { negative = true }
sale = "of"
"""
"""A return is told by its sign, and names its sale."""
LIFE = (Measure.AMOUNT, Period.LIFETIME)


async def shops(*codes: str) -> World:
    world = await make_world(codes or ("a", "b"))
    await world.count("amount", *LIFE)
    await world.count("pieces", Measure.QUANTITY, Period.LIFETIME)
    await world.earn("base", amount=1)
    return world


async def test_documents_become_activities_and_rows_add_up() -> None:
    world = await shops()
    found = await taken(
        world,
        rows(
            "1,a,2026-11-01 10:00,tea,2,20",
            "1,a,2026-11-01 10:00,soap,1,5",
            "2,b,2026-11-02 10:00,tea,1,10",
            "1,a,2026-11-01 10:00,tea,2,20",  # an exact repeat
            "3,nobody,2026-11-02 10:00,tea,1,10",
            "3,b,2026-11-02 10:00,gold,1,10",
            "3,b,2026-11-02 10:00,soap,1,10",
            "4,b,2027-11-02 10:00,tea,1,10",
            "5,b,2026-11-02 10:00,tea,-1,10",
        ),
    )
    refused = {6: "UNKNOWN_PARTNER", 7: "UNKNOWN_SKU", 9: "FUTURE_DATE", 10: "INVALID_QUANTITY"}
    assert found == Account(9, 4, 1, refused)
    assert await journal(world) == [
        ("1", "SALE", "a", [("tea", 2, 20), ("soap", 1, 5)]),
        ("2", "SALE", "b", [("tea", 1, 10)]),
        ("3", "SALE", "b", [("soap", 1, 10)]),
    ]
    assert (await world.wallet("a")).available == 25
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_repeated_and_an_overlapping_file_change_nothing() -> None:
    world = await shops()
    first = rows(
        "1,a,2026-11-01 10:00,tea,9,90", "C1,a,2026-11-02 10:00,tea,-2,20", "2,a,2026-11-03 10:00,tea,1,10"
    )
    assert await taken(world, first) == Account(3, 3, 0, {})
    before = await world.everything()
    assert await taken(world, first) == Account(3, 0, 3, {})
    overlapping = rows("C1,a,2026-11-02 10:00,tea,-2,20", "2,a,2026-11-03 10:00,tea,1,10")
    assert await taken(world, overlapping) == Account(2, 0, 2, {})
    assert await world.everything() == before
    further = rows("2,a,2026-11-03 10:00,tea,1,10", "3,a,2026-11-03 10:00,tea,1,10")
    assert await taken(world, further) == Account(2, 1, 1, {})


async def test_a_document_that_comes_again_with_other_rows_is_not_counted_twice() -> None:
    world = await shops()
    await taken(world, rows("1,a,2026-11-01 10:00,tea,2,20"))
    found = await taken(world, rows("1,a,2026-11-01 10:00,tea,3,30", "2,a,2026-11-01 10:00,tea,1,10"))
    assert found == Account(2, 1, 0, {2: "DOCUMENT_RECORDED"})
    assert await world.value("amount", Period.LIFETIME, "a") == 30


async def test_what_the_api_recorded_is_a_duplicate_or_a_conflict() -> None:
    world = await shops()
    at = datetime(2026, 11, 1, 10, tzinfo=UTC)
    await world.accept(
        sale("1", "a", [line("tea", 2, 20)], at=at, source="erp"),
        sale("2", "a", [line("tea", 2, 20)], at=at, source="erp"),
    )
    found = await taken(world, rows("1,a,2026-11-01 10:00,tea,2,20", "2,a,2026-11-01 10:00,tea,2,21"))
    assert found == Account(2, 0, 1, {3: "IDEMPOTENCY_CONFLICT"})


async def test_refused_rows_are_mended_and_imported_alone() -> None:
    world = await shops()
    await taken(
        world,
        rows("1,a,2026-11-01 10:00,tea,2,20", "1,a,2026-11-01 10:00,gold,1,99", "2,a,2026-11-01,silver,1,1"),
    )
    header = f"mitra_line,mitra_reason,mitra_message,{HEADER}"
    mended = rows(
        "3,UNKNOWN_SKU,none,1,a,2026-11-01 10:00,soap,1,99",
        "4,UNKNOWN_SKU,none,2,a,2026-11-01,soap,1,1",
        header=header,
    )
    assert await taken(world, mended) == Account(2, 2, 0, {})
    assert [(name, lines) for name, _, _, lines in await journal(world)] == [
        ("1", [("tea", 2, 20)]),
        ("1/3", [("soap", 1, 99)]),
        ("2/4", [("soap", 1, 1)]),
    ]
    again = rows("3,UNKNOWN_SKU,none,1,a,2026-11-01 10:00,soap,1,99", header=header)
    assert await taken(world, again) == Account(1, 0, 1, {})
    assert await world.value("amount", Period.LIFETIME, "a") == 120


REFUSED = f"mitra_line,mitra_reason,mitra_message,{HEADER}"


async def test_a_document_is_never_taken_for_a_further_activity_of_another() -> None:
    world = await shops()
    mended = rows("3,UNKNOWN_SKU,none,1,a,2026-11-01 10:00,soap,1,99", header=REFUSED)
    assert await taken(world, mended) == Account(1, 1, 0, {})
    # A document of that very name, and a second one of that name within it.
    later = rows("1/3,a,2026-11-01 10:00,soap,1,99", "1/3,b,2026-11-01 10:00,soap,1,99")
    assert await taken(world, later) == Account(2, 2, 0, {})
    # Another file's row of the same line, another one of which says the very same.
    for price in (98, 99):
        other = rows(f"3,UNKNOWN_SKU,none,1,b,2026-11-01 10:00,soap,1,{price}", header=REFUSED)
        assert await taken(world, other) == Account(1, 1, 0, {})
    assert sorted(await journal(world)) == [
        ("1/3", "SALE", "a", [("soap", 1, 99)]),
        ("1/3.2", "SALE", "b", [("soap", 1, 98)]),
        ("1/3.3", "SALE", "b", [("soap", 1, 99)]),
        ("1/3/2", "SALE", "a", [("soap", 1, 99)]),
        ("1/3/3", "SALE", "b", [("soap", 1, 99)]),
    ]
    assert await taken(world, later) == Account(2, 0, 2, {})


async def test_a_further_activity_is_never_taken_for_a_document() -> None:
    world = await shops()
    assert await taken(world, rows("1/3,a,2026-11-01 10:00,soap,1,99")) == Account(1, 1, 0, {})
    await world.accept(sale("1/4", "a", [line("tea", 1, 20)], at=world.clock.now(), source="erp"))
    mended = rows(
        "3,UNKNOWN_SKU,none,1,a,2026-11-01 10:00,soap,1,99",
        "4,UNKNOWN_SKU,none,1,b,2026-11-01 10:00,soap,1,99",
        header=REFUSED,
    )
    assert await taken(world, mended) == Account(2, 2, 0, {})
    names = {name for name, *_ in await journal(world)}
    assert names == {"1/3", "1/4", "1/3.2", "1/4.2"}
    returned = rows("C1,a,2026-11-02 10:00,soap,-2,99,1", header=f"{HEADER},of")
    assert await taken(world, returned, mapping=NAMING) == Account(1, 0, 0, {2: "MORE_THAN_LEFT"})


async def test_a_return_takes_back_the_newest_sales_and_is_split_over_them() -> None:
    world = await shops()
    found = await taken(
        world,
        rows(
            "1,a,2026-11-01 10:00,tea,5,50",
            "2,a,2026-11-02 10:00,tea,3,30",
            "2,a,2026-11-02 10:00,tea,1,11",
            "C3,a,2026-11-03 10:00,tea,-6,60",  # 1 and 3 of the second, 2 of the first
            "C4,a,2026-11-04 10:00,tea,-4,40",  # more than is left
            "C5,a,2026-11-04 10:00,soap,-1,10",  # never bought
            "C6,b,2026-11-04 10:00,tea,-1,10",  # by another
            "C7,a,2026-10-01 10:00,tea,-1,10",  # before it was sold
            "C8,a,2026-11-05 10:00,tea,-3,30",
            "C8,a,2026-11-05 10:00,tea,-3,30",
        ),
    )
    lost = "RETURN_WITHOUT_SALE"
    assert found == Account(10, 5, 1, {6: "MORE_THAN_LEFT", 7: lost, 8: lost, 9: lost})
    assert [(name, lines) for name, _, _, lines in await journal(world)][2:] == [
        ("C3", [("tea", 1, 10), ("tea", 3, 30), ("tea", 2, 20)]),
        ("C8", [("tea", 3, 30)]),
    ]
    assert await world.value("pieces", Period.LIFETIME, "a") == 0
    assert (await world.wallet("a")).available == 0
    await check_audit(world.program_id)


async def test_a_return_finds_what_was_sold_long_before_and_by_another_way() -> None:
    world = await shops()
    at = datetime(2026, 10, 1, 10, tzinfo=UTC)
    await world.accept(sale("till-9", "a", [line("soap", 1, 3), line("tea", 4, 40)], at=at))
    await world.accept(return_of("till-10", "a", [back("till-9", 2, "tea", 1, 10)], at=at))
    found = await taken(world, rows("C1,a,2026-11-01 10:00,tea,-3,30", "C2,a,2026-11-01 10:00,tea,-1,10"))
    assert found == Account(2, 1, 0, {3: "RETURN_WITHOUT_SALE"})
    assert await world.value("pieces", Period.LIFETIME, "a") == 1


async def test_a_return_may_name_its_document() -> None:
    world = await shops()
    text = rows(
        "1,a,2026-11-01 10:00,tea,2,20,",
        "2,a,2026-11-02 10:00,tea,2,22,",
        "2,a,2026-11-02 10:00,tea,-1,10,1",
        "3,a,2026-11-03 10:00,tea,-2,20,1",
        header=f"{HEADER},of",
    )
    assert await taken(world, text, mapping=NAMING) == Account(4, 3, 0, {5: "MORE_THAN_LEFT"})
    assert [(name, kind) for name, kind, *_ in await journal(world)] == [
        ("1", "SALE"),
        ("2", "SALE"),
        ("2/4", "RETURN"),
    ]
    assert await world.value("amount", Period.LIFETIME, "a") == 32


async def test_packs_count_as_what_they_hold_and_come_back_so() -> None:
    world = await shops()
    mapping = """
source = "erp"
[columns]
document = "doc"
partner = "shop"
date = "at"
sku = "sku"
quantity = "qty"
amount = "paid"
unit = "unit"
[returns]
when = { column = "doc", starts_with = ["C"] }
"""
    text = rows(
        "1,a,2026-11-01 10:00,tea,2,240,CASE",
        "C1,a,2026-11-02 10:00,tea,1,120,CASE",
        "C2,a,2026-11-02 10:00,tea,3,30,EA",
        "2,a,2026-11-02 10:00,tea,3,30,BARREL",
        header=f"{HEADER},unit",
    )
    assert await taken(world, text, mapping=mapping) == Account(4, 3, 0, {5: "UNKNOWN_UNIT"})
    assert await world.value("pieces", Period.LIFETIME, "a") == 9


async def test_newcomers_are_created_and_what_exists_stays_as_it_is() -> None:
    world = await shops("a")
    text = rows(
        "1,a,2026-11-01 10:00,tea,1,10,Nowhere,Other name",
        "2,n1,2026-11-01 10:00,new,1,10,Java,New thing",
        "3,n1,2026-11-01 10:00,new,1,10,Bali,Renamed thing",
        "4,n2,2026-11-01 10:00,new,1,10,,New thing",
        header=f"{HEADER},area,what",
    )
    assert await taken(world, text, mapping=CREATING) == Account(4, 3, 0, {5: "UNKNOWN_REGION"})
    partners = await world.rows(
        "SELECT p.code, r.code AS region FROM partner p JOIN region r USING (program_id) WHERE p.program_id = $1 "
        "AND r.id = p.region_id ORDER BY p.code"
    )
    assert [tuple(row) for row in partners] == [("a", "JKT"), ("n1", "Java")]
    products = await world.rows(
        "SELECT sku, name FROM product WHERE program_id = $1 AND sku IN ('tea', 'new') ORDER BY sku"
    )
    assert [tuple(row) for row in products] == [("new", "New thing"), ("tea", "Tea")]


async def test_a_refused_document_refuses_its_rows_and_the_returns_that_hang_on_it() -> None:
    world = await shops()
    await world.partners([PartnerInput("b", "B", PartnerKind.RETAILER, "JKT", status=PartnerStatus.CLOSED)])
    found = await taken(
        world,
        rows(
            "1,b,2026-11-01 10:00,tea,1,10",
            "1,b,2026-11-01 10:00,soap,1,10",
            "C1,b,2026-11-01 11:00,tea,1,10",
            "2,a,2026-11-01 10:00,tea,1,10",
        ),
    )
    assert found == Account(4, 1, 0, {2: "PARTNER_CLOSED", 3: "PARTNER_CLOSED", 4: "PARTNER_CLOSED"})


async def test_a_document_of_more_lines_than_an_activity_may_have() -> None:
    world = await shops()
    text = rows(*(f"1,a,2026-11-01 10:00,tea,{n + 1},10" for n in range(MAX_LINES + 3)))
    assert await taken(world, text) == Account(MAX_LINES + 3, MAX_LINES + 3, 0, {})
    assert [name for name, *_ in await journal(world)] == ["1", f"1/{MAX_LINES + 2}"]


@pytest.mark.parametrize("batch", [1, 5_000])
async def test_a_history_is_booked_at_its_own_time_and_only_forwards(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imports.batches.ROWS", batch)
    world = await shops()
    text = rows(
        "1,a,2025-01-05 10:00,tea,1,10",
        "2,a,2025-01-04 10:00,tea,1,10",
        "3,a,2025-01-04 11:00,tea,1,10",
        "4,b,2025-01-06 10:00,tea,1,10",
    )
    one = await take(world, text, history=True)
    found = await world.rows(
        "SELECT external_id, posted_at FROM activity WHERE program_id = $1 ORDER BY external_id"
    )
    assert [row["posted_at"].day for row in found] == [5, 5, 5, 6]
    assert one.posted_through == datetime(2025, 1, 6, 10, tzinfo=UTC)


async def test_an_import_that_is_done_is_not_taken_up_again() -> None:
    world = await shops()
    text = rows("1,a,2026-11-01 10:00,tea,1,10")
    one = await take(world, text)
    assert one.state is ImportState.DONE
    assert (await begin(world, text.encode())).id != one.id


async def test_two_processes_on_one_import_record_it_once() -> None:
    world = await shops()
    text = rows(*(f"{n},a,2026-11-01 10:00,tea,1,{n}" for n in range(3_000)))
    first, second = await asyncio.gather(take(world, text), take(world, text), return_exceptions=True)
    ended = [one for one in (first, second) if not isinstance(one, BaseException)]
    assert ended or isinstance(first, ImportMoved)
    done = await take(world, text)
    assert done.state is ImportState.DONE
    total = sum(Decimal(n) for n in range(3_000))
    assert await world.value("amount", Period.LIFETIME, "a") == total
    for one in ended:
        assert (await account(one)).refused == {}


async def test_two_overlapping_files_and_the_api_at_once() -> None:
    world = await shops("a", "b", "c")
    bought = [f"{n},{'abc'[n % 3]},2026-11-01 10:00,tea,2,20" for n in range(900)]
    returned = [f"C{n},{'abc'[n % 3]},2026-11-02 10:00,tea,-1,10" for n in range(300)]
    first, second = rows(*bought[:600], *returned[:200]), rows(*bought[300:], *returned[100:])

    async def by_api() -> None:
        for n in range(30):
            await world.accept(*(sale(f"api-{n}-{code}", code, [line("tea", 1, 10)]) for code in "cab"))

    one, two, _ = await asyncio.gather(take(world, first), take(world, second), by_api())
    accounts = [await account(one), await account(two)]
    assert [found.refused for found in accounts] == [{}, {}]
    assert [found.read for found in accounts] == [800, 800]
    assert sum(found.recorded for found in accounts) == 1_200
    assert sum(found.duplicates for found in accounts) == 400
    pieces = [await world.value("pieces", Period.LIFETIME, code) for code in "abc"]
    assert pieces == [530, 530, 530]
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_faulty_date_refuses_its_row() -> None:
    world = await shops()
    text = rows("1,a,2099-01-01,tea,1,10", "1,a,2026-11-01,tea,2,20", "1,a,2099-01-01,soap,1,10")
    assert await taken(world, text) == Account(3, 1, 0, {2: "FUTURE_DATE", 4: "FUTURE_DATE"})
    assert await world.value("pieces", Period.LIFETIME, "a") == 2


async def test_refused_rows_of_a_recorded_document_count_only_where_that_is_said() -> None:
    world = await shops()
    await taken(world, rows("1,a,2026-11-01,tea,10,20"))
    header = f"mitra_line,mitra_reason,mitra_message,{HEADER}"
    as_it_is = rows("2,DOCUMENT_RECORDED,before,1,a,2026-11-01,tea,12,24", header=header)
    assert (await taken(world, as_it_is)).refused == {2: "DOCUMENT_RECORDED"}
    said = rows("2,,,1,a,2026-11-01,tea,12,24", header=header)
    assert (await taken(world, said)).recorded == 1
    assert await world.value("pieces", Period.LIFETIME, "a") == 22


async def test_a_file_that_comes_again_is_refused_for_the_same_reasons() -> None:
    world = await shops()
    text = rows(
        "1,a,2026-11-01,tea,2,20",
        "C1,a,2026-11-02,tea,1,10",
        "C1,a,2026-11-02,soap,1,5",
        "C1,a,2026-11-02,tea,9,90",
        "1,a,2026-11-01,gold,1,10",
        "1,a,2026-11-01,gold,1,10",
    )
    reasons = {4: "RETURN_WITHOUT_SALE", 5: "MORE_THAN_LEFT", 6: "UNKNOWN_SKU", 7: "UNKNOWN_SKU"}
    assert await taken(world, text) == Account(6, 2, 0, reasons)
    assert await taken(world, text) == Account(6, 0, 2, reasons)
    assert await taken(world, text) == Account(6, 0, 2, reasons)
    corrected = rows("1,a,2026-11-01,gold,1,11", "1,a,2026-11-01,gold,1,10")
    assert await taken(world, corrected) == Account(2, 0, 0, {2: "DOCUMENT_RECORDED", 3: "UNKNOWN_SKU"})

    await world.products(ProductInput("gold", "Gold"))
    assert await taken(world, text) == Account(6, 1, 3, {4: reasons[4], 5: reasons[5]})
    assert (await journal(world))[-1][:1] == ("1/6",)
    assert await taken(world, text) == Account(6, 0, 4, {4: reasons[4], 5: reasons[5]})
    await check_invariants(world.program_id)


async def test_a_row_that_was_mended_and_imported_does_not_count_as_it_was_too() -> None:
    world = await shops()
    text = rows("1,a,2026-11-01,tea,2,20", "1,a,2026-11-01,gold,1,10", "1,a,2026-11-01,gold,2,20")
    assert (await taken(world, text)).refused == {3: "UNKNOWN_SKU", 4: "UNKNOWN_SKU"}
    header = f"mitra_line,mitra_reason,mitra_message,{HEADER}"
    mended = rows(
        "3,UNKNOWN_SKU,none,1,a,2026-11-01,soap,1,10",
        "4,UNKNOWN_SKU,none,1,a,2026-11-01,gold,2,20",
        header=header,
    )
    assert await taken(world, mended) == Account(2, 1, 0, {3: "UNKNOWN_SKU"})
    await world.products(ProductInput("gold", "Gold"))
    assert await taken(world, text) == Account(3, 1, 1, {3: "DOCUMENT_RECORDED"})
    assert await world.value("pieces", Period.LIFETIME, "a") == 5


async def test_other_names_of_the_same_are_the_same_row() -> None:
    world = await shops()
    header = f"{HEADER},area,what"
    await taken(world, rows("1,a,2026-11-01,tea,1,10,JKT,Tea", header=header), mapping=CREATING)
    renamed = rows("1,a,2026-11-01,tea,1,10,Java,Tea 500 g", header=header)
    assert await taken(world, renamed, mapping=CREATING) == Account(1, 0, 1, {})


async def test_a_batch_holds_little_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imports.batches.MOST_CHARACTERS", 200)
    world = await shops()
    text = rows(*(f"{n},a,2026-11-01,tea,1,{n}" for n in range(40)), f"{'x' * 2_000},a,2026-11-01,tea,1,1")
    steps: list[int] = []
    one = await take(world, text, tell=lambda step: steps.append(step.read))
    assert len(steps) > 3
    assert (await account(one)) == Account(41, 40, 0, {42: "INVALID_TEXT"})


async def test_what_the_program_refuses_names_the_column_it_is_about() -> None:
    world = await shops()
    text = rows(
        "1,a,2099-01-01,tea,1,10",
        "2,nobody,2026-11-01,tea,1,10",
        "3,a,2026-11-01,gold,1,10",
        "C4,a,2026-11-01,tea,1,10",
    )
    refused = await refusals(await take(world, text))
    assert {(row.code, row.column) for row in refused} == {
        ("FUTURE_DATE", "at"),
        ("UNKNOWN_PARTNER", "shop"),
        ("UNKNOWN_SKU", "sku"),
        ("RETURN_WITHOUT_SALE", "sku"),
    }
