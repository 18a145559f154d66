"""Products are upserted: what decides never changes in a row that the journal may name."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from partners.service import ProductInput, upsert_products
from tests.services.programs import (
    Refusal,
    config_version,
    counted_statements,
    make_program,
    refused,
    rows,
    value,
)

pytestmark = pytest.mark.usefixtures("database")

D = Decimal
TEA = ProductInput("tea", "Tea", category="drinks", brand="Harbour", packs={"CASE": D(12), "HALF": D("0.5")})


def packed(packs: dict[str, Decimal]) -> ProductInput:
    return replace(TEA, packs=packs)


async def test_products_are_answered_in_the_order_given() -> None:
    program = await make_program()
    made = await upsert_products(program_id=program.id, products=[TEA, ProductInput("oil", "Oil", unit="L")])
    assert [(row.sku, row.category, row.unit) for row in made] == [
        ("tea", "drinks", "EA"),
        ("oil", None, "L"),
    ]


async def test_the_same_products_again_change_nothing() -> None:
    program = await make_program()
    await upsert_products(program_id=program.id, products=[TEA])
    before = await rows("SELECT xmin::text, * FROM product WHERE program_id = $1", program.id)
    version = await config_version(program.id)
    packs = {"HALF": D("0.50"), "CASE": D("12.000")}
    await upsert_products(program_id=program.id, products=[packed(packs)])
    assert await rows("SELECT xmin::text, * FROM product WHERE program_id = $1", program.id) == before
    assert await config_version(program.id) == version


async def test_packs_are_answered_the_smallest_first() -> None:
    program = await make_program()
    packs = {"PALLET": D(480), "CASE": D("12.0"), "MOST": D("999999999999.999999"), "HALF": D("0.5")}
    [made] = await upsert_products(program_id=program.id, products=[packed(packs)])
    assert list(made.packs.items()) == sorted(packs.items(), key=lambda pack: pack[1])
    [cleared] = await upsert_products(program_id=program.id, products=[ProductInput("tea", "Tea")])
    assert cleared.packs == {}


async def test_a_name_changes_in_place() -> None:
    program = await make_program()
    [made] = await upsert_products(program_id=program.id, products=[TEA])
    version = await config_version(program.id)
    [renamed] = await upsert_products(program_id=program.id, products=[replace(TEA, name="Green tea")])
    assert (renamed.id, renamed.name) == (made.id, "Green tea")
    assert await config_version(program.id) == version


@pytest.mark.parametrize(
    "changes",
    [
        {"category": "food"},
        {"brand": None},
        {"unit": "BOX"},
        {"packs": {}},
        {"packs": {"CASE": D(24), "HALF": D("0.5")}},
        {"packs": {"CASE": D(12), "BOX": D("0.5")}},
        {"packs": {"CASE": D(12), "HALF": D("0.5"), "PALLET": D(480)}},
    ],
)
async def test_what_decides_changes_in_a_new_row(changes: dict[str, Any]) -> None:
    program = await make_program()
    [made] = await upsert_products(program_id=program.id, products=[TEA])
    version = await config_version(program.id)
    [changed] = await upsert_products(program_id=program.id, products=[replace(TEA, name="New", **changes)])
    found = await rows(
        "SELECT id, name, category, current FROM product WHERE program_id = $1 ORDER BY id", program.id
    )
    assert [tuple(row) for row in found] == [
        (made.id, "Tea", "drinks", False),
        (changed.id, "New", changes.get("category", "drinks"), True),
    ]
    assert await config_version(program.id) == version + 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("products", "refusal"),
    [
        ([TEA, replace(TEA, name="Other")], ("DUPLICATE", ("products", "1", "sku"))),
        ([TEA, ProductInput(" ", "Blank")], ("INVALID_CODE", ("products", "1", "sku"))),
        ([replace(TEA, name="")], ("INVALID_NAME", ("products", "0", "name"))),
        ([replace(TEA, unit="")], ("INVALID_CODE", ("products", "0", "unit"))),
        ([replace(TEA, category="")], ("INVALID_CODE", ("products", "0", "category"))),
        ([replace(TEA, brand=" x")], ("INVALID_CODE", ("products", "0", "brand"))),
        ([packed({" CASE": D(12)})], ("INVALID_CODE", ("products", "0", "packs", "0", "unit"))),
        ([packed({"CASE": D(12), "EA": D(1)})], ("DUPLICATE", ("products", "0", "packs", "1", "unit"))),
        ([packed({"CASE": D(0)})], ("NOT_POSITIVE", ("products", "0", "packs", "0", "quantity"))),
        ([packed({"CASE": D("NaN")})], ("INVALID_NUMBER", ("products", "0", "packs", "0", "quantity"))),
        ([packed({"CASE": D(10) ** 12})], ("TOO_LARGE", ("products", "0", "packs", "0", "quantity"))),
        ([packed({"CASE": D("1.0000001")})], ("TOO_PRECISE", ("products", "0", "packs", "0", "quantity"))),
        ([packed({f"P{n}": D(n) for n in range(1, 22)})], ("TOO_MANY", ("products", "0", "packs"))),
        ([replace(TEA, attributes={"a": {1}})], ("INVALID_ATTRIBUTES", ("products", "0", "attributes"))),
    ],
)
async def test_wrong_products_are_refused(products: list[ProductInput], refusal: Refusal) -> None:
    program = await make_program()
    assert (
        await refused(upsert_products(program_id=program.id, products=products), program_id=program.id)
        == refusal
    )


async def test_two_programs_have_their_own_products() -> None:
    first, second = await make_program(), await make_program()
    [mine] = await upsert_products(program_id=first.id, products=[TEA])
    [theirs] = await upsert_products(program_id=second.id, products=[replace(TEA, category="food")])
    assert mine.id != theirs.id
    assert await value("SELECT category FROM product WHERE id = $1", mine.id) == "drinks"


async def test_thousands_of_products_cost_as_many_statements_as_two() -> None:
    counts = []
    for count in (2, 3_000):
        program = await make_program()
        products = [ProductInput(f"sku-{index}", "Product", category="a") for index in range(count)]
        async with counted_statements() as sent:
            await upsert_products(program_id=program.id, products=products)
            await upsert_products(
                program_id=program.id, products=[replace(one, category="b") for one in products]
            )
        counts.append(len(sent))
        assert await value("SELECT count(*) FROM product WHERE program_id = $1", program.id) == 2 * count
    assert counts[0] == counts[1]
    assert 0 < counts[0] <= 24


async def test_only_new_products_leave_what_exists_as_it_is() -> None:
    program = await make_program()
    [tea] = await upsert_products(program_id=program.id, products=[TEA])
    before = await rows("SELECT xmin::text, * FROM product WHERE program_id = $1", program.id)
    other = replace(TEA, name="Other", category="food", brand=None, unit="KG", packs={}, attributes={"a": 1})
    found = await upsert_products(
        program_id=program.id, products=[ProductInput("oil", "Oil"), other], only_new=True
    )
    assert [row.sku for row in found] == ["oil", "tea"]
    assert found[1] == tea
    assert (
        await rows("SELECT xmin::text, * FROM product WHERE sku = 'tea' AND program_id = $1", program.id)
        == before
    )
    version = await config_version(program.id)
    await upsert_products(program_id=program.id, products=[other], only_new=True)
    assert await config_version(program.id) == version
