"""Who is in a segment, and which products a filter means, as activities are booked."""

from decimal import Decimal

import pytest

from metrics.rules import Measure
from metrics.service import FilterInput
from metrics.windows import Period
from partners.audiences import AudienceInput
from partners.segments import SegmentInput
from partners.service import ProductInput
from tests.invariants import check_audit, check_invariants
from tests.world import World, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

D = Decimal
MODERN = AudienceInput(segments=["modern"])


async def check(world: World) -> None:
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def points(world: World, partner: str = "shop") -> int:
    return (await world.wallet(partner)).available


async def test_a_rule_for_a_segment_pays_whoever_is_in_it() -> None:
    world = await make_world()
    await world.segments(SegmentInput("modern", "Modern trade", attributes={"channel": ["MT", "ONLINE"]}))
    await world.earn("modern", activity=5, audience=MODERN)
    await world.accept(sale("x1", "shop"))
    assert await points(world) == 0
    await world.partner("shop", attributes={"channel": "MT", "area": 120})
    await world.accept(sale("x2", "shop"))
    assert await points(world) == 5
    await world.partner("shop", attributes={"channel": "GT"})
    await world.accept(sale("x3", "shop"))
    assert await points(world) == 5
    await world.segments(SegmentInput("modern", "Modern trade", attributes={"channel": ["GT"]}))
    await world.accept(sale("x4", "shop"))
    assert await points(world) == 10
    await world.accept(return_of("r2", "shop", "x2"))  # what was earned goes back, whoever it is now
    assert await points(world) == 5
    await check(world)


async def test_a_segment_by_tier_is_entered_within_a_batch() -> None:
    world = await make_world()
    await world.count("sales", Measure.AMOUNT)
    await world.ladder("sales", Period.MONTHLY, {"bronze": (0, 1), "gold": (20, 1)})
    await world.segments(
        SegmentInput("modern", "Golden Jakarta", regions=["JKT"], tiers=["gold"]), tiers=["gold"]
    )
    await world.earn("golden", activity=5, audience=MODERN)
    # As for an audience, the tier is the one from before the activity.
    await world.accept(sale("x1", "shop", 15), sale("x2", "shop", 15), sale("x3", "shop", 15))
    assert await points(world) == 5
    await world.accept(sale("x4", "shop", 1))
    assert await points(world) == 10
    await world.accept(return_of("r1", "shop", "x1"), return_of("r2", "shop", "x2"), sale("x5", "shop", 1))
    assert await points(world) == 10
    await check(world)


async def test_a_mission_for_a_segment_is_completed_by_whoever_is_in_it() -> None:
    world = await make_world(["shop", "other"])
    await world.segments(SegmentInput("modern", "Modern trade", attributes={"stars": 5}))
    await world.partner("shop", attributes={"stars": 5.0})
    await world.partner("other", attributes={"stars": "5"})
    await world.count("sales", Measure.AMOUNT)
    await world.accept(sale("x1", "shop", 60), sale("y1", "other", 60))
    await world.mission("race", {"sales": 50}, points=100, audience=MODERN)
    await world.review()
    assert await points(world) == 100
    assert await points(world, "other") == 0
    await world.partner("other", attributes={"stars": 5})
    await world.accept(sale("y2", "other", 1))
    assert await points(world, "other") == 100
    await check(world)


ORGANIC = FilterInput(attributes={"organic": True}, max_amount=D(50))


async def test_a_products_attributes_decide_what_counts() -> None:
    world = await make_world()
    tea = ProductInput("tea", "Tea", attributes={"organic": True, "image": "a.png"})
    await world.products(tea, ProductInput("soap", "Soap", attributes={"organic": "yes"}))
    await world.count("organic", Measure.AMOUNT, Period.MONTHLY, line_filter=ORGANIC)
    await world.earn("organic", amount=1, filter=ORGANIC)
    sold = [line("tea", 2, 50), line("tea", 2, 51), line("soap", 1, 20)]
    await world.accept(sale("x1", "shop", sold))
    assert await points(world) == 50
    assert await world.value("organic", Period.MONTHLY, "shop") == 50
    # It ceases to be organic: what was sold stays what it was, and comes back as that.
    await world.products(ProductInput("tea", "Tea", attributes={"organic": False}))
    await world.accept(sale("x2", "shop", sold))
    assert await points(world) == 50
    await world.accept(return_of("r1", "shop", "x1"))
    assert await points(world) == 0
    assert await world.value("organic", Period.MONTHLY, "shop") == 0
    await world.products(tea)
    await world.accept(sale("x3", "shop", sold))
    assert await points(world) == 50
    await check(world)


async def test_only_attributes_that_a_filter_asks_for_make_a_new_row() -> None:
    world = await make_world()

    async def count(**attributes: object) -> int:
        await world.products(ProductInput("tea", "Tea", attributes=attributes))
        return len(await world.rows("SELECT FROM product WHERE program_id = $1 AND sku = 'tea'"))

    stood = await count(size="L", color="green")
    assert await count(size="M", color="green") == stood
    await world.count("large", line_filter=FilterInput(attributes={"size": "L"}))
    assert await count(size="M", color="white") == stood
    assert await count(size="L", color="white") == stood + 1
    assert await count(size="L") == stood + 1
    await world.earn("white", activity=1, filter=FilterInput(attributes={"color": ["white"]}))
    assert await count(size="L", color="white") == stood + 2
    assert await count(color="white") == stood + 3
    assert await count(color="white") == stood + 3


async def test_a_metric_that_begins_late_counts_by_the_rows_that_were_sold() -> None:
    world = await make_world()
    await world.products(ProductInput("tea", "Tea", attributes={"size": "M"}))
    await world.accept(sale("x1", "shop", 10))
    await world.products(ProductInput("tea", "Tea", attributes={"size": "L"}))  # nothing asked for it yet
    await world.count(
        "large", Measure.AMOUNT, Period.MONTHLY, line_filter=FilterInput(attributes={"size": "L"})
    )
    await world.review()
    assert await world.value("large", Period.MONTHLY, "shop") == 10
    await world.products(ProductInput("tea", "Tea", attributes={"size": "M"}))
    await world.accept(sale("x2", "shop", 10), return_of("r1", "shop", "x1"))
    assert await world.value("large", Period.MONTHLY, "shop") == 0
    await check(world)
