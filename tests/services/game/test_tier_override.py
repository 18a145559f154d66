"""Tiers by hand: they hold whatever is earned, end by themselves, and leave what was earned meanwhile."""

import asyncio
from datetime import UTC, datetime

import pytest

from base.errors import Invalid
from game.tier_override import TierOverrideInput, override_tier
from game.tier_reviews import review_tiers
from loyalty.tiers.rules import Downgrade
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_audit, check_invariants
from tests.world import World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

BRONZE, SILVER, GOLD = range(3)


def at(day: str) -> datetime:
    """Noon in London."""
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


async def make_ladder(downgrade: Downgrade) -> World:
    world = await make_world(("shop", "other"))
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.earn("base", amount=1)
    steps = {"bronze": (0, 1), "silver": (100, 2), "gold": (500, 3)}
    await world.ladder("amount", Period.QUARTERLY, steps, downgrade=downgrade)
    return world


async def give(world: World, tier: str | None, until: str | None = None, key: str = "k") -> None:
    """Put the shop on a tier."""
    given = TierOverrideInput("shop", tier, "a fair", key, None if until is None else at(until))
    await override_tier(program_id=world.program_id, given=given, actor="ann", now=world.clock.now())


async def changes(world: World) -> list[tuple[str, str, str]]:
    query = "SELECT from_tier, to_tier, cause FROM tier_change WHERE program_id = $1 ORDER BY id"
    return [tuple(row) for row in await world.rows(query)]


@pytest.mark.parametrize("downgrade", Downgrade)
async def test_a_tier_by_hand_holds_and_then_what_was_earned(downgrade: Downgrade) -> None:
    world = await make_ladder(downgrade)
    await give(world, "gold", "2026-12-01")
    assert await world.tier("shop") == GOLD
    (sold, _, _) = await world.accept(
        sale("a", "shop", 150), sale("b", "shop", 10), return_of("r", "shop", "b")
    )
    assert sold.facts[0].data["amount"] == 450
    assert await world.tier("shop") == GOLD
    world.clock.set(at("2026-12-02"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == SILVER
    assert await changes(world) == [("bronze", "gold", "OVERRIDDEN"), ("gold", "silver", "OVERRIDE_ENDED")]
    (row,) = await world.rows("SELECT version FROM partner WHERE program_id = $1 AND code = 'shop'")
    assert row["version"] == 3
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


@pytest.mark.parametrize("downgrade", Downgrade)
async def test_it_ends_with_the_next_activity_where_no_job_comes(downgrade: Downgrade) -> None:
    world = await make_ladder(downgrade)
    await give(world, "gold", "2026-12-01")
    world.clock.set(at("2026-12-02"))
    (sold,) = await world.accept(sale("a", "shop", 10, at=at("2026-12-02")))
    assert sold.facts[0].data["amount"] == 10
    assert await world.tier("shop") == BRONZE


async def test_one_for_good_outlives_reviews_until_it_is_taken_back() -> None:
    world = await make_ladder(Downgrade.TO_EARNED)
    await give(world, "bronze")
    await world.accept(sale("a", "shop", 600))
    assert await world.tier("shop") == BRONZE
    world.clock.set(at("2027-01-02"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == BRONZE
    await give(world, None, key="back")
    assert await world.tier("shop") == GOLD
    assert await changes(world) == [("bronze", "gold", "OVERRIDE_ENDED")]
    await check_audit(world.program_id)


async def test_the_same_key_again_changes_nothing() -> None:
    world = await make_ladder(Downgrade.NEVER)
    await asyncio.gather(*(give(world, "gold") for _ in range(3)))
    assert await changes(world) == [("bronze", "gold", "OVERRIDDEN")]
    before = await world.everything()
    await give(world, "gold")
    for tier, partner in (("silver", "shop"), ("gold", "other")):
        given = TierOverrideInput(partner, tier, "a fair", "k")
        with pytest.raises(Invalid) as caught:
            await override_tier(program_id=world.program_id, given=given, actor="ann", now=world.clock.now())
        assert caught.value.code == "IDEMPOTENCY_CONFLICT"
    assert await world.everything() == before


async def test_the_same_key_again_after_its_end_changes_nothing() -> None:
    world = await make_ladder(Downgrade.NEVER)
    await give(world, "gold", "2026-12-01")
    world.clock.set(at("2026-12-02"))
    await give(world, "gold", "2026-12-01")
    assert await changes(world) == [("bronze", "gold", "OVERRIDDEN")]


@pytest.mark.parametrize(
    ("until", "code"),
    [
        ("2026-11-20", "NOT_IN_FUTURE"),
        ("2036-11-22", "INVALID_DATE"),  # ten years and a day
        ("9999-12-31", "INVALID_DATE"),
    ],
)
async def test_it_ends_within_ten_years(until: str, code: str) -> None:
    world = await make_ladder(Downgrade.TO_EARNED)
    world.clock.set(at("2026-11-20"))
    before = await world.everything()
    with pytest.raises(Invalid) as caught:
        await give(world, "gold", until)
    assert (caught.value.code, caught.value.field) == (code, ("until",))
    assert await world.everything() == before
    await give(world, "gold", "2036-11-20")
    assert await world.tier("shop") == GOLD


async def test_a_program_without_tiers_gives_none() -> None:
    world = await make_world()
    for tier in ("gold", None):
        with pytest.raises(Invalid) as caught:
            await give(world, tier)
        assert (caught.value.code, caught.value.field) == ("NOT_SUPPORTED", ("tier",))


async def test_a_ladder_that_changes_keeps_the_tier_by_hand() -> None:
    world = await make_ladder(Downgrade.TO_EARNED)
    await give(world, "silver", "2027-02-01")
    steps = {"bronze": (0, 1), "plus": (50, 1), "silver": (100, 2), "gold": (500, 3)}
    await world.ladder("amount", Period.MONTHLY, steps, downgrade=Downgrade.ONE_STEP)
    await world.accept(sale("a", "shop", 600))
    assert await world.tier("shop") == 2
    world.clock.set(at("2027-01-31"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == 2
    world.clock.set(at("2027-02-01"))
    await review_tiers(world.clock)
    assert (
        await world.tier("shop") == 1
    )  # gold in November, and a step lower after December and after January
