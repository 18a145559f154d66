"""Ladders over rolling months and over years from the day of joining: sums of smaller meters, reviewed as they go."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from base.errors import Invalid
from game.review import review_program
from game.tier_reviews import review_tiers, review_tiers_of
from loyalty.ledger.expiry import NEVER, Expiry
from loyalty.tiers.inputs import TierInput, TierLadderInput
from loyalty.tiers.rules import Downgrade
from loyalty.tiers.service import set_tier_ladder
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_audit, check_invariants
from tests.world import Amount, World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

BRONZE, SILVER, GOLD = range(3)


def at(day: str) -> datetime:
    """Noon in London."""
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


async def make_ladder(period: Period, zone: str = "UTC", **more: Any) -> World:
    """Silver from 100, gold from 500; the shop joined on NOW, 20 November 2026."""
    world = await make_world({"shop": zone})
    await world.count("amount", Measure.AMOUNT)
    await world.earn("base", amount=1)
    steps: Mapping[str, tuple[Amount, Amount]] = {"bronze": (0, 1), "silver": (100, "1.5"), "gold": (500, 2)}
    await world.ladder("amount", period, steps, **{"downgrade": Downgrade.TO_EARNED, **more})
    return world


async def visit(world: World, day: str, *amounts: int) -> int:
    """Sales on a day, and where the shop stands after them and what was due."""
    world.clock.set(at(day))
    if amounts:
        await world.accept(
            *(sale(f"{day} {n}", "shop", amount, at=at(day)) for n, amount in enumerate(amounts))
        )
    await review_tiers(world.clock)
    return await world.tier("shop")


async def test_three_rolling_months() -> None:
    world = await make_ladder(Period.MONTHLY, rolling_months=3)
    assert await visit(world, "2026-11-20", 300) == SILVER
    assert await visit(world, "2026-12-05", 150) == SILVER
    assert await visit(world, "2027-01-10", 60) == GOLD  # 510 from November to January
    assert await visit(world, "2027-02-20", 10) == GOLD  # carried: 510 until the end of January
    assert await visit(world, "2027-03-01") == SILVER  # 220 from December to February
    await world.accept(return_of("r", "shop", "2027-01-10 0", at=world.clock.now()))
    assert await world.tier("shop") == SILVER  # carried
    assert await visit(world, "2027-04-01") == BRONZE  # 10
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_years_from_the_day_of_joining() -> None:
    world = await make_ladder(Period.YEARLY, "Pacific/Kiritimati", from_joining=True)
    assert await visit(world, "2026-12-31", 60) == BRONZE
    assert await visit(world, "2027-01-01", 60) == SILVER  # one year, over two of the calendar
    assert await visit(world, "2027-11-19", 400) == SILVER  # already the 20th there: the second year
    assert await visit(world, "2027-11-21", 100) == GOLD
    query = "SELECT review_at, open_from FROM tier_standing WHERE program_id = $1"
    (row,) = await world.rows(query)
    assert tuple(row) == (at("2028-11-19").replace(hour=10), date(2027, 11, 20))
    await check_invariants(world.program_id)


@pytest.mark.parametrize(
    ("period", "more"),
    [(Period.MONTHLY, {"rolling_months": 3}), (Period.YEARLY, {"from_joining": True})],
)
async def test_a_summed_ladder_that_never_downgrades(period: Period, more: dict[str, Any]) -> None:
    """Each window adds up, those that are over too; what comes back is taken from its own."""
    world = await make_ladder(period, downgrade=Downgrade.NEVER, **more)
    assert await visit(world, "2026-11-21", 60) == BRONZE
    assert await visit(world, "2026-12-05", 60) == SILVER
    assert await visit(world, "2029-06-05", 60) == SILVER
    await world.accept(return_of("r", "shop", "2026-12-05 0", at=world.clock.now()))
    assert await world.tier("shop") == BRONZE
    await world.accept(sale("late", "shop", 40, at=at("2026-12-06")))
    assert await world.tier("shop") == SILVER
    query = "SELECT because::text FROM ledger_transaction WHERE program_id = $1 ORDER BY id"
    steps = [step for row in await world.rows(query) for step in orjson.loads(row["because"])]
    assert [step["value"] for step in steps if step["step"] == "tier"] == ["120", "60", "100"]
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


@pytest.mark.parametrize(
    ("period", "more"),
    [(Period.MONTHLY, {"rolling_months": 3}), (Period.YEARLY, {"from_joining": True})],
)
async def test_a_summed_ladder_that_never_downgrades_counts_what_was_before(
    period: Period, more: dict[str, Any]
) -> None:
    world = await make_world()
    await world.count("amount", Measure.AMOUNT)
    await world.accept(
        sale("a", "shop", 300, at=at("2026-08-01")), sale("b", "shop", 250, at=at("2026-10-01"))
    )
    await world.ladder("amount", period, {"bronze": (0, 1), "gold": (500, 1)}, **more)
    await review_program(world.program_id, world.clock)
    assert await world.tier("shop") == 1


async def test_what_lies_before_all_open_windows_comes_too_late() -> None:
    world = await make_ladder(Period.MONTHLY, rolling_months=2)
    await visit(world, "2027-02-01", 10)
    await world.accept(sale("late", "shop", 900, at=at("2026-12-31")))
    assert await world.tier("shop") == BRONZE
    await world.accept(sale("in time", "shop", 100, at=at("2027-01-31")))
    assert await world.tier("shop") == SILVER
    steps = await world.rows("SELECT because::text FROM ledger_transaction WHERE program_id = $1 ORDER BY id")
    assert [("counted_too_late" in row["because"]) for row in steps] == [False, True, False]


async def test_a_rolling_ladder_that_begins_late_counts_the_months_before() -> None:
    world = await make_world()
    await world.count("amount", Measure.AMOUNT)
    await world.accept(
        sale("a", "shop", 300, at=at("2026-08-01")), sale("b", "shop", 250, at=at("2026-11-01"))
    )
    steps = {"bronze": (0, 1), "gold": (500, 1)}
    await world.ladder("amount", Period.MONTHLY, steps, rolling_months=6, downgrade=Downgrade.TO_EARNED)
    await review_program(world.program_id, world.clock)
    assert await world.tier("shop") == 1
    world.clock.set(at("2027-02-01"))
    assert await review_tiers_of(world.program_id, world.clock) == 1
    assert await world.tier("shop") == 1  # August is in the window that ended with January
    world.clock.set(at("2027-03-01"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == 0


@pytest.mark.parametrize(
    ("period", "more", "refusal"),
    [
        (Period.QUARTERLY, {"rolling_months": 3}, ("NOT_SUPPORTED", ("rollingMonths",))),
        (Period.MONTHLY, {"rolling_months": 0}, ("NOT_POSITIVE", ("rollingMonths",))),
        (Period.MONTHLY, {"rolling_months": 61}, ("TOO_LARGE", ("rollingMonths",))),
        (Period.MONTHLY, {"from_joining": True}, ("NOT_SUPPORTED", ("fromJoining",))),
        (Period.YEARLY, {"grace_days": -1}, ("NEGATIVE", ("graceDays",))),
        (Period.YEARLY, {"grace_days": 367}, ("TOO_LARGE", ("graceDays",))),
        (Period.YEARLY, {"metric": "range", "from_joining": True}, ("NOT_SUPPORTED", ("metric",))),
        (Period.MONTHLY, {"metric": "range", "rolling_months": 3}, ("NOT_SUPPORTED", ("metric",))),
    ],
)
async def test_a_ladder_over_impossible_windows_is_refused(
    period: Period, more: dict[str, Any], refusal: tuple[str, tuple[str, ...]]
) -> None:
    world = await make_world()
    await world.count("amount", Measure.AMOUNT)
    await world.count("range", Measure.DISTINCT_PRODUCTS)
    metric = more.get("metric", "amount")
    with pytest.raises(Invalid) as caught:
        await world.ladder(
            metric, period, {"bronze": (0, 1)}, **{k: v for k, v in more.items() if k != "metric"}
        )
    assert (caught.value.code, caught.value.field) == refusal


async def test_the_tiers_expiry_holds_in_place_of_the_rules() -> None:
    world = await make_world()
    await world.count("amount", Measure.AMOUNT)
    await world.earn("base", amount=1, terms={"expiry": Expiry.after(days=10)})
    tiers = [TierInput("bronze", "B", Decimal(0)), TierInput("gold", "G", Decimal(100), expiry=NEVER)]
    ladder = TierLadderInput("amount", Period.MONTHLY, tiers)
    await set_tier_ladder(program_id=world.program_id, ladder=ladder)
    await world.accept(sale("a", "shop", 100), sale("b", "shop", 50))
    lots = await world.rows("SELECT granted, expires_at FROM lot WHERE program_id = $1 ORDER BY id")
    assert [tuple(lot) for lot in lots] == [(100, at("2026-12-01").replace(hour=0)), (50, None)]


async def test_a_partner_that_was_brought_over_keeps_its_year() -> None:
    world = await make_ladder(Period.YEARLY, from_joining=True)
    await world.partner("shop", joined_on=date(2019, 12, 10))
    assert await visit(world, "2026-11-20", 300) == SILVER
    assert await visit(world, "2026-12-09", 250) == GOLD
    assert await visit(world, "2026-12-10") == GOLD  # 550 in the year that is over
    assert await visit(world, "2027-12-10") == BRONZE
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_no_partner_joined_before_there_were_programs() -> None:
    world = await make_world(())
    with pytest.raises(Invalid) as refused:
        await world.partner("shop", joined_on=date(1899, 12, 31))
    assert (refused.value.code, list(refused.value.field)) == ("INVALID_DATE", ["partners", "0", "joinedOn"])
