"""A product is counted in its own unit, in whatever packs it is sold and comes back."""

from decimal import Decimal

import pytest

from activity.journal import find_keys, load_originals
from activity.returns import Original
from activity.rules import Packed
from base.database import reading
from metrics.rules import Measure
from metrics.windows import Period
from partners.service import ProductInput
from tests.invariants import check_audit, check_invariants
from tests.world import SOURCE, World, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

D = Decimal
TEA = ProductInput("tea", "Tea", packs={"CASE": D(12), "HALF": D("0.5"), "GRAIN": D("0.000001")})


@pytest.fixture
async def world() -> World:
    """Tea in packs, counted and earned by quantity."""
    world = await make_world()
    await world.products(TEA)
    await world.count("pieces", Measure.QUANTITY, Period.MONTHLY)
    await world.earn(quantity=2)
    return world


async def pieces(world: World) -> Decimal:
    return await world.value("pieces", Period.MONTHLY, "shop")


async def original(world: World, external_id: str) -> Original:
    """An activity as the journal has it."""
    key = (SOURCE, external_id)
    async with reading() as connection:
        claim = (await find_keys(connection, program_id=world.program_id, keys=[key]))[key]
        ids = [claim.activity_id]
        return (await load_originals(connection, program_id=world.program_id, activity_ids=ids))[ids[0]]


async def check(world: World) -> None:
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_case_counts_as_what_it_holds(world: World) -> None:
    sold = [line("tea", 2, 60, unit="CASE"), line("tea", 3, 9), line("tea", 1, 1, unit="EA")]
    await world.accept(sale("x1", "shop", sold))
    assert await pieces(world) == 28
    assert (await world.wallet("shop")).available == 56
    lines = (await original(world, "x1")).activity.lines
    assert [(one.quantity, one.pack) for one in lines] == [
        (D(24), Packed("CASE", D(2))),
        (D(3), None),
        (D(1), None),
    ]
    await check(world)


async def test_what_was_sold_in_cases_comes_back_by_the_piece_and_by_the_case(world: World) -> None:
    await world.accept(sale("x1", "shop", [line("tea", 2, 60, unit="CASE")]))
    await world.accept(return_of("r1", "shop", [back("x1", 1, "tea", 5, 10)]))
    assert await pieces(world) == 19
    await world.accept(return_of("r2", "shop", [back("x1", 1, "tea", 1, 30, unit="CASE")]))
    assert (await original(world, "x1")).left[1] == (D(7), D(20))
    assert (await original(world, "r2")).activity.lines[0].pack == Packed("CASE", D(1))
    too_many = return_of("r3", "shop", [back("x1", 1, "tea", 1, 1, unit="CASE")])
    (refused,) = await world.record(too_many)
    assert (refused.code, refused.field) == ("MORE_THAN_LEFT", ("lines", "0", "quantity"))
    assert refused.message == "7 EA of it are left"
    await world.accept(return_of("r4", "shop", "x1"))
    assert await pieces(world) == 0
    assert (await world.wallet("shop")).available == 0
    await check(world)


async def test_lines_of_one_return_share_what_is_left_whatever_their_packs(world: World) -> None:
    await world.accept(sale("x1", "shop", [line("tea", 1, 12, unit="CASE")]))
    parts = [back("x1", 1, "tea", 1, 0, unit="HALF"), back("x1", 1, "tea", 1, 0, unit="CASE")]
    assert await world.refusal(return_of("r1", "shop", parts)) == (
        "MORE_THAN_LEFT",
        ("lines", "1", "quantity"),
    )


async def test_a_case_comes_back_as_it_was_when_it_was_sold(world: World) -> None:
    """Since then a case holds more, and halves are sold no more."""
    await world.accept(sale("x1", "shop", [line("tea", 2, 60, unit="CASE")]))
    await world.products(ProductInput("tea", "Tea", packs={"CASE": D(20), "PALLET": D(480)}))
    await world.accept(sale("x2", "shop", [line("tea", 1, 60, unit="CASE")]))
    assert await pieces(world) == 44
    parts = [back("x1", 1, "tea", 1, 30, unit="CASE"), back("x1", 1, "tea", 2, 2, unit="HALF")]
    await world.accept(return_of("r1", "shop", parts))
    assert await pieces(world) == 31
    for of, unit in (("x1", "PALLET"), ("x2", "HALF")):
        given = return_of("r2", "shop", [back(of, 1, "tea", 1, 0, unit=unit)])
        assert await world.refusal(given) == ("UNKNOWN_UNIT", ("lines", "0", "unit"))
    await check(world)


async def test_a_return_in_the_batch_of_its_sale(world: World) -> None:
    await world.accept(
        sale("x1", "shop", [line("tea", 2, 60, unit="CASE")]),
        return_of("r1", "shop", [back("x1", 1, "tea", "0.5", 15, unit="CASE")]),
    )
    assert await pieces(world) == 18
    await check(world)


@pytest.mark.parametrize(
    ("quantity", "unit", "code", "field"),
    [
        ("1", "BOX", "UNKNOWN_UNIT", "unit"),
        ("1", "case", "UNKNOWN_UNIT", "unit"),
        ("0.000001", "HALF", "INVALID_QUANTITY", "quantity"),
        ("0.5", "GRAIN", "INVALID_QUANTITY", "quantity"),
        ("1.000001", "GRAIN", "INVALID_QUANTITY", "quantity"),
        ("999999999999.999999", "CASE", "INVALID_QUANTITY", "quantity"),
        ("83333333333.333334", "CASE", "INVALID_QUANTITY", "quantity"),
    ],
)
async def test_what_cannot_be_counted_is_refused(
    world: World, quantity: str, unit: str, code: str, field: str
) -> None:
    given = sale("x1", "shop", [line("soap"), line("tea", quantity, 1, unit=unit)])
    assert await world.refusal(given) == (code, ("lines", "1", field))
    await world.accept(sale("ok", "shop", [line("tea", "83333333333.333333", 1, unit="CASE")]))
    of_sold = return_of("r1", "shop", [back("ok", 1, "tea", quantity, 0, unit=unit)])
    assert await world.refusal(of_sold) == (code, ("lines", "0", field))


async def test_the_same_packs_again_are_a_repetition_whatever_they_hold_since(world: World) -> None:
    given = sale("x1", "shop", [line("tea", 2, 60, unit="CASE")])
    await world.accept(given)
    await world.products(ProductInput("tea", "Tea"))
    (again,) = await world.record(given)
    assert again.status == "DUPLICATE"
    assert await pieces(world) == 24
    by_piece = sale("x1", "shop", [line("tea", 24, 60)])
    assert await world.refusal(by_piece) == ("IDEMPOTENCY_CONFLICT", ("externalId",))
