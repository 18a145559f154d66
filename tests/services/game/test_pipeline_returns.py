"""A return unwinds what its sale caused, in the sale's own windows: points, meters, missions, badges and tier."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import orjson
import pytest

from loyalty.ledger.adjust import adjust_points
from metrics.rules import Measure
from metrics.service import FilterInput
from metrics.windows import Period
from partners.audiences import AudienceInput
from tests.invariants import check_audit, check_invariants
from tests.world import NOW, Balance, Reading, World, activity, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

D = Decimal
SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
DAY = timedelta(days=1)


async def test_partial_returns_take_floor_shares_and_the_last_the_remainder() -> None:
    world = await make_world()
    await world.earn(amount=1)
    await world.accept(sale("x1", "shop", [line("tea", 3, 10)]))
    left = []
    for number, amount in enumerate(("3.33", "3.33", "3.34")):
        await world.accept(return_of(f"r{number}", "shop", [back("x1", 1, "tea", 1, amount)]))
        left.append((await world.wallet("shop")).available)
    assert left == [7, 4, 0]
    await check_invariants(world.program_id)


async def test_a_part_never_shows_as_the_whole() -> None:
    world = await make_world()
    await world.earn(quantity="0.0012")
    await world.accept(sale("a1", "shop", [line("tea", 1_000_000, 10)]))
    await world.accept(return_of("r1", "shop", [back("a1", 1, "tea", 999_999, 5)]))
    await world.accept(return_of("r2", "shop", [back("a1", 1, "tea", 1, 5)]))
    rows = await world.rows(
        "SELECT jsonb_path_query(because::jsonb, '$[*] ? (@.step == \"reversal\")')::text AS step"
        " FROM ledger_transaction WHERE program_id = $1 ORDER BY id"
    )
    steps = [orjson.loads(row["step"]) for row in rows]
    assert [(step["share"], step["points"]) for step in steps] == [("0.9999", 1199), ("1", 1)]


async def test_each_rule_takes_back_its_own_share() -> None:
    """Per quantity by quantities, per amount by amounts, per activity by amounts; each floored by itself."""
    world = await make_world()
    await world.earn("amount", amount=1)
    await world.earn("quantity", quantity=10)
    await world.earn("activity", activity=7)
    await world.accept(sale("x1", "shop", [line("tea", 1, 90), line("soap", 3, 10)]))
    assert (await world.wallet("shop")).available == 100 + 40 + 7
    (outcome,) = await world.accept(return_of("r1", "shop", [back("x1", 2, "soap", 2, 5)]))
    taken = [fact.data["amount"] for fact in outcome.facts if fact.data["type"] == "PointsPosted"]
    assert taken == [-6, -20]  # 2/3 of 10 of 100; 2 of 4 of 40; 2/3 of 10 of 7 is less than a point
    await world.accept(return_of("r2", "shop", "x1"))
    assert await world.wallet("shop") == Balance(0, 0, 8)
    await check_invariants(world.program_id)


async def test_with_the_last_of_its_quantity_goes_what_is_left_of_a_lines_amount() -> None:
    """The source keeps a fee, or all of the money: goods that came back count for nothing, in every metric."""
    world = await make_world()
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.count("all", Measure.AMOUNT)
    await world.earn(amount=1)
    await world.mission("m", {"all": 100}, points=30)
    await world.accept(sale("x1", "shop", [line("tea", 10, 100), line("soap", 2, 50)]))
    assert await world.completions("shop") == {"m": (1, True)}
    await world.accept(
        return_of("r1", "shop", [back("x1", 1, "tea", 4, 10)]),
        return_of("r2", "shop", [back("x1", 1, "tea", 6, 0)]),
    )
    assert await world.value("amount", Period.MONTHLY, "shop") == 50
    assert await world.completions("shop") == {"m": (1, False)}
    assert (await world.wallet("shop")).available == 50
    await world.accept(return_of("r3", "shop", [back("x1", 2, "soap", 2, 0)]))
    await world.accept(sale("x2", "shop", 7))
    await world.accept(return_of("r4", "shop", "x2"))
    (meter,) = (await world.meters("amount", Period.MONTHLY, "shop")).values()
    assert meter.value == 0
    assert (await world.wallet("shop")).available == 0
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_return_of_several_originals() -> None:
    world = await make_world()
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.count("days", Measure.DISTINCT_DAYS, Period.LIFETIME)
    await world.earn(amount=1)
    await world.accept(
        sale("x1", "shop", [line("tea", 2, 20), line("tea", 2, 30)], at=NOW - 40 * DAY),
        sale("x2", "shop", [line("tea", 1, 7)], source="erp"),
    )
    (outcome,) = await world.accept(
        return_of(
            "r1",
            "shop",
            [
                back("x2", 1, "tea", 1, 7, source="erp"),
                back("x1", 2, "tea", 1, 15),
                back("x1", 1, "tea", 1, 10),
                back("x1", 2, "tea", 1, 15),
            ],
        )
    )
    assert {
        window: one.value for window, one in (await world.meters("amount", Period.MONTHLY, "shop")).items()
    } == {
        OCTOBER: 10,
        NOVEMBER: 0,
    }
    assert (await world.wallet("shop")).available == 10
    assert await world.value("days", Period.LIFETIME, "shop") == 1
    roots = [step for fact in outcome.facts for step in fact.because if step["step"] == "return"]
    assert {step["of"] for step in roots} == {"x1", "x2"}
    assert await world.refusal(return_of("r2", "shop", [back("x1", 2, "tea", 1, 0)])) == (
        "MORE_THAN_LEFT",
        ("lines", "0", "quantity"),
    )
    await check_invariants(world.program_id)


async def test_a_sale_and_its_return_in_one_batch_leave_what_they_leave_in_two() -> None:
    one, two = await make_world(), await make_world()
    batch = [
        sale("x1", "shop", [line("tea", 3, 100)]),
        return_of("r1", "shop", [back("x1", 1, "tea", 1, 33)]),
        sale("x2", "shop", 50),
        return_of("r2", "shop", "x1"),
    ]
    for world in (one, two):
        await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
        await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
        await world.earn(amount=1)
        await world.mission("m", {"amount": 100}, points=30)
    await one.accept(*batch)
    for given in batch:
        await two.accept(given)
    assert await one.everything() == await two.everything()
    assert (await one.wallet("shop")).available == 50


async def test_no_return_before_its_sale_in_a_batch() -> None:
    world = await make_world()
    refused, sold = await world.record(return_of("r1", "shop", "x1"), sale("x1", "shop"))
    assert (refused.code, sold.status) == ("UNKNOWN_ACTIVITY", "RECORDED")


async def test_what_was_spent_meanwhile_becomes_a_debt_that_later_points_repay() -> None:
    world = await make_world()
    await world.earn(amount=1)
    await world.accept(sale("x1", "shop", 100))
    await _adjust(world, -80)
    await world.accept(return_of("r1", "shop", "x1"))
    assert await world.wallet("shop") == Balance(0, 80, 4)
    await world.accept(sale("x2", "shop", 50))
    assert (await world.wallet("shop")).debt == 30
    await world.accept(sale("x3", "shop", 50))
    assert (await world.wallet("shop")).available == 20
    await check_invariants(world.program_id)


async def _adjust(world: World, amount: int) -> None:
    await adjust_points(
        program_id=world.program_id,
        partner="shop",
        amount=amount,
        reason="test",
        idempotency_key=f"key {amount}",
        actor="tests",
        now=world.clock.now(),
    )


async def test_a_recall_never_takes_more_than_the_lot_granted() -> None:
    """Line by line, over several lots and a debt, in all exactly what was granted."""
    world = await make_world()
    await world.earn("amount", amount="0.9")
    await world.earn("pieces", quantity="0.5")
    await world.accept(sale("x1", "shop", [line("tea", 7, 21), line("soap", 3, 5)]))
    await _adjust(world, -15)
    for number in range(7):
        await world.accept(return_of(f"tea-{number}", "shop", [back("x1", 1, "tea", 1, 3)]))
    await world.accept(return_of("soap", "shop", "x1"))
    assert await world.wallet("shop") == Balance(0, 15, (await world.wallet("shop")).version)
    await check_invariants(world.program_id)


# ------------------------------------------------------------------------------------------------------- reached_at


LAST: dict[str, dict[str, object]] = {
    "amount": {"measure": Measure.AMOUNT},
    "pieces": {"measure": Measure.QUANTITY},
    "sales": {"measure": Measure.COUNT},
    "range": {"measure": Measure.DISTINCT_PRODUCTS},
    "days": {"measure": Measure.DISTINCT_DAYS},
    "earned": {"measure": Measure.POINTS_EARNED},
    "points": {"measure": Measure.POINTS_ALL},
    "filtered": {"measure": Measure.AMOUNT, "line_filter": FilterInput(skus=["tea"])},
}


async def test_what_was_reached_last_goes_back_to_what_still_counts() -> None:
    world = await make_world()
    for key, metric in LAST.items():
        await world.count(key, metric["measure"], Period.MONTHLY, line_filter=metric.get("line_filter"))  # type: ignore[arg-type]
    await world.earn(amount=1)

    async def reached() -> dict[str, int]:
        found = {}
        for key in LAST:
            (meter,) = (await world.meters(key, Period.MONTHLY, "shop")).values()
            found[key] = (NOW - meter.reached_at).days
        return found

    both = [line("tea", 1, 10), line("soap", 1, 10)]
    await world.accept(*(sale(f"x{days}", "shop", both, at=NOW - days * DAY) for days in (9, 3, 5, 1)))
    assert await reached() == dict.fromkeys(LAST, 1)
    await world.accept(return_of("r1", "shop", [back("x1", 1, "tea", 1, 10)]))
    assert await reached() == dict.fromkeys(LAST, 1) | {"filtered": 3}
    await world.accept(return_of("r2", "shop", "x1"))
    assert await reached() == dict.fromkeys(LAST, 3)
    await world.accept(return_of("r3", "shop", "x5"))
    assert await reached() == dict.fromkeys(LAST, 3)
    await world.accept(return_of("r4", "shop", "x3"), sale("x7", "shop", both, at=NOW - 7 * DAY))
    assert await reached() == dict.fromkeys(LAST, 7)


async def test_what_never_moved_a_meter_is_not_what_it_goes_back_to() -> None:
    """Neither something free for an amount, nor a receipt without lines."""
    world = await make_world()
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY, kinds=["SALE", "RECEIPT"])
    await world.accept(
        sale("x9", "shop", at=NOW - 9 * DAY),
        sale("free", "shop", 0, at=NOW - 5 * DAY),
        activity("receipt", "shop", kind="RECEIPT", at=NOW - 3 * DAY),
        sale("x1", "shop", at=NOW - DAY),
        return_of("r1", "shop", "x1"),
    )
    (meter,) = (await world.meters("amount", Period.MONTHLY, "shop")).values()
    assert meter == Reading(D(10), NOW - 9 * DAY)


async def test_where_all_came_back_it_starts_over() -> None:
    """What came back later than what comes in now has no part in it."""
    world = await make_world()
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.accept(sale("x1", "shop", at=NOW - DAY), return_of("r1", "shop", "x1"))
    await world.accept(sale("x5", "shop", at=NOW - 5 * DAY))
    (meter,) = (await world.meters("amount", Period.MONTHLY, "shop")).values()
    assert meter == Reading(D(10), NOW - 5 * DAY)


async def test_earned_points_go_back_although_a_reward_for_the_same_sale_stands() -> None:
    """The mission counts sales of tea: the return of the soap that earned the points leaves it completed."""
    world = await make_world()
    await world.count("earned", Measure.POINTS_EARNED, Period.MONTHLY)
    await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
    await world.count("tea", Measure.AMOUNT, line_filter=FilterInput(skus=["tea"]))
    await world.earn(amount=1, filter=FilterInput(skus=["soap"]))
    await world.mission("m", {"tea": 10}, points=30)
    await world.accept(
        sale("x3", "shop", [line("soap", 1, 5)], at=NOW - 3 * DAY),
        sale("x1", "shop", [line("soap", 1, 5), line("tea", 1, 10)], at=NOW - DAY),
    )
    await world.accept(return_of("r1", "shop", [back("x1", 1, "soap", 1, 5)]))
    (earned,) = (await world.meters("earned", Period.MONTHLY, "shop")).values()
    (points,) = (await world.meters("points", Period.MONTHLY, "shop")).values()
    assert earned == Reading(D(5), NOW - 3 * DAY)
    assert points == Reading(D(35), NOW - DAY)


async def test_spent_points_still_count_for_when_they_were_reached() -> None:
    """The earned lot of x3 is spent and the reward's is not: x3 still stands for what it earned."""
    world = await make_world()
    await world.count("earned", Measure.POINTS_EARNED, Period.MONTHLY)
    await world.count("sales", Measure.COUNT)
    await world.earn(amount=1)
    await world.mission("m", {"sales": 2}, points=30)
    await world.accept(sale("x9", "shop", 10, at=NOW - 9 * DAY), sale("x3", "shop", 10, at=NOW - 3 * DAY))
    await _adjust(world, -20)
    await world.accept(sale("x1", "shop", 10, at=NOW - DAY), return_of("r1", "shop", "x1"))
    (earned,) = (await world.meters("earned", Period.MONTHLY, "shop")).values()
    assert earned == Reading(D(20), NOW - 3 * DAY)


async def test_a_revoked_reward_leaves_the_window_in_which_it_was_paid() -> None:
    """September's sale comes back in November, and with it falls the mission that October's sale had completed."""
    world = await make_world()
    await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
    await world.count("amount", Measure.AMOUNT)
    await world.earn(amount=1)
    await world.mission("m", {"amount": 100}, points=30)
    await world.accept(sale("x1", "shop", 60, at=NOW - 70 * DAY))
    await world.accept(sale("x2", "shop", 60, at=NOW - 40 * DAY))
    meters = await world.meters("points", Period.MONTHLY, "shop")
    assert {window: one.value for window, one in meters.items()} == {SEPTEMBER: 60, OCTOBER: 90}
    await world.accept(return_of("r1", "shop", "x1"))
    meters = await world.meters("points", Period.MONTHLY, "shop")
    assert {window: one.value for window, one in meters.items()} == {SEPTEMBER: 0, OCTOBER: 60}
    await check_invariants(world.program_id)


async def test_a_reward_in_the_batch_goes_back_as_in_batches_of_their_own() -> None:
    """A visit completes the mission and earns nothing else; the return of an earlier sale takes that away."""
    one, two = await make_world(), await make_world()
    before = [sale("x9", "shop", 5, at=NOW - 9 * DAY), sale("x5", "shop", 5, at=NOW - 5 * DAY)]
    batch = [activity("v1", "shop", kind="VISIT"), return_of("r1", "shop", "x9")]
    for world in (one, two):
        await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
        await world.count("deeds", Measure.COUNT, kinds=["SALE", "VISIT"])
        await world.earn(amount=1)
        await world.mission("m", {"deeds": 3}, points=30)
        await world.accept(*before)
    await one.accept(*batch)
    for given in batch:
        await two.accept(given)
    (points,) = (await one.meters("points", Period.MONTHLY, "shop")).values()
    assert points == Reading(D(5), NOW - 5 * DAY)
    assert await one.everything() == await two.everything()


async def test_a_reward_that_was_the_last_to_count_goes_back_although_the_sale_was_not() -> None:
    """Nothing was reached by x40. With it falls the reward of the visit, which was the last that brought points."""
    world = await make_world()
    await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
    await world.count("deeds", Measure.COUNT, kinds=["SALE", "VISIT"])
    await world.earn(amount=1)
    await world.mission("m", {"deeds": 4}, points=30)
    for past in (sale("x40", "shop", 5, at=NOW - 40 * DAY), sale("x35", "shop", 5, at=NOW - 35 * DAY)):
        await world.accept(past)
    await world.accept(sale("x9", "shop", 5, at=NOW - 9 * DAY))
    await world.accept(activity("v5", "shop", kind="VISIT", at=NOW - 5 * DAY))
    await world.accept(return_of("r1", "shop", "x40"))
    meters = await world.meters("points", Period.MONTHLY, "shop")
    assert list(meters.values()) == [Reading(D(5), NOW - 35 * DAY), Reading(D(5), NOW - 9 * DAY)]
    await check_audit(world.program_id)


# --------------------------------------------------------------------------------------- calendars and what follows


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("Pacific/Kiritimati", "2026-09-30T09:59:59", "2026-09-30"),
        ("Pacific/Kiritimati", "2026-09-30T10:00:00", "2026-10-01"),
        ("Pacific/Niue", "2026-10-01T10:59:59", "2026-09-30"),
        ("Pacific/Niue", "2026-10-01T11:00:00", "2026-10-01"),
        ("America/New_York", "2026-11-01T03:59:59", "2026-10-31"),
        ("America/New_York", "2026-11-01T04:00:00", "2026-11-01"),  # the clocks go back on this day
        ("America/New_York", "2026-11-02T04:59:59", "2026-11-01"),
        ("America/New_York", "2026-11-02T05:00:00", "2026-11-02"),
        ("Europe/Berlin", "2026-03-28T22:59:59", "2026-03-28"),
        ("Europe/Berlin", "2026-03-29T21:59:59", "2026-03-29"),  # the day has 23 hours
        ("Europe/Berlin", "2026-03-29T22:00:00", "2026-03-30"),
    ],
)
async def test_a_return_takes_from_the_sales_own_local_day(zone: str, instant: str, day: str) -> None:
    """Wherever the partner lives now."""
    world = await make_world({"shop": zone})
    await world.count("pieces", Measure.QUANTITY, Period.DAILY)
    await world.count("named", Measure.QUANTITY, Period.MONTHLY, time_zone="UTC")
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    await world.accept(sale("x1", "shop", [line("tea", 5, 10)], at=at))
    await world.partner("shop", "Asia/Tokyo")
    await world.accept(return_of("r1", "shop", [back("x1", 1, "tea", 2, 4)]))
    meters = await world.meters("pieces", Period.DAILY, "shop")
    assert {str(window): one.value for window, one in meters.items()} == {day: 3}
    (window,) = await world.meters("named", Period.MONTHLY, "shop")
    assert window == at.date().replace(day=1)


async def test_a_partner_that_moved_counts_on_its_new_calendar_at_once() -> None:
    """What it would move is counted before it is locked, by the zone that it was last seen in."""
    world = await make_world({"mover": "UTC", "stayer": "UTC"})
    await world.count("pieces", Measure.QUANTITY, Period.DAILY)
    at = datetime(2026, 10, 1, 2, tzinfo=UTC)
    for number, (zone, day) in enumerate(
        [("UTC", "2026-10-01"), ("America/New_York", "2026-09-30"), ("Asia/Tokyo", "2026-10-01")]
    ):
        await world.partner("mover", zone)
        before = await world.meters("pieces", Period.DAILY, "mover")
        sales = [sale(f"{who}{number}", who, [line("tea", 5, 10)], at=at) for who in ("mover", "stayer")]
        await world.accept(*sales)
        meters = await world.meters("pieces", Period.DAILY, "mover")
        assert {str(w) for w, one in meters.items() if w not in before or one != before[w]} == {day}
    (window,) = await world.meters("pieces", Period.DAILY, "stayer")
    assert str(window) == "2026-10-01"
    await check_invariants(world.program_id)


async def test_the_tier_from_before_the_activity_multiplies_and_lets_in() -> None:
    world = await make_world()
    await world.count("amount")
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "gold": (100, "1.5")})
    await world.earn("base", amount=1)
    await world.earn("golden", activity=10, tiers=["gold"])
    points = []
    for number, amount in enumerate((99, 101, 10)):
        await world.accept(sale(f"x{number}", "shop", amount))
        points.append((await world.wallet("shop")).available)
    assert points == [99, 200, 200 + 15 + 15]
    await world.accept(return_of("r0", "shop", "x0"), sale("x3", "shop", 3))
    assert (await world.wallet("shop")).available == 101 + 30 + 4 + 15
    await world.accept(return_of("r1", "shop", "x1"), sale("x4", "shop", 3))
    assert (await world.wallet("shop")).available == 30 + 19 + 3
    assert await world.tier("shop") == 0


async def test_a_return_completes_no_mission() -> None:
    """The partner has enough, but entered the audience only afterwards: its next sale completes, no return does."""
    world = await make_world()
    await world.count("amount")
    await world.count("pieces", Measure.QUANTITY)
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "gold": (100, 1)})
    await world.mission("m", {"pieces": 2}, points=30, audience=AudienceInput(tiers=["gold"]))
    await world.accept(sale("x1", "shop", [line("tea", 3, 120)]))
    await world.accept(return_of("r1", "shop", [back("x1", 1, "tea", 1, 0)]))
    assert await world.completions("shop") == {}
    await world.accept(sale("x2", "shop"))
    assert await world.completions("shop") == {"m": (1, True)}


async def test_points_are_floored_once_per_rule_and_activity_after_the_multiplier() -> None:
    world = await make_world()
    await world.count("amount")
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, "1.25")})
    await world.earn("a", amount="0.33")
    await world.earn("b", amount="0.33")
    (outcome,) = await world.accept(sale("x1", "shop", [line("tea", 1, "3.99"), line("soap", 1, "5.70")]))
    assert [fact.data["amount"] for fact in outcome.facts] == [3, 3]  # 9.69 × 0.33 × 1.25 = 3.997…
    assert [step["exact"] for fact in outcome.facts for step in fact.because if step["step"] == "points"] == [
        "3.997125"
    ] * 2


async def test_floors_are_exact_however_long_the_numbers() -> None:
    """A product of 30 digits that lies a hair below a whole number is not rounded up to it."""
    quantity, multiplier = D("1.000003"), D("0.999999")
    short = pow(1000003 * 999999, -1, 10**18)  # 10^18 · quantity · multiplier · rate ends on …999
    rate = D(10**18 - short).scaleb(-6)
    world = await make_world()
    await world.count("amount")
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, multiplier)})
    await world.earn("base", quantity=rate)
    (outcome,) = await world.accept(sale("x1", "shop", [line("tea", quantity, 1)]))
    expected = int(quantity.scaleb(6)) * int(multiplier.scaleb(6)) * int(rate.scaleb(6)) // 10**18
    assert (await world.wallet("shop")).available == expected
    (exact,) = (step["exact"] for step in outcome.facts[0].because if step["step"] == "points")
    assert exact == f"{expected}.999999999999999999"


async def test_a_new_ladder_moves_a_partner_only_with_its_meter() -> None:
    """What does not move the new ladder's meter leaves the tier alone, and fails nothing."""
    world = await make_world()
    await world.count("amount")
    await world.count("pieces", Measure.QUANTITY)
    await world.earn(amount=1)
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "gold": (100, 2)})
    await world.accept(sale("x1", "shop", [line("tea", 1, 100)]))
    assert await world.tier("shop") == 1
    await world.ladder("pieces", Period.MONTHLY, {"bronze": (0, 1), "gold": (5, 2)})
    await world.accept(activity("v1", "shop", kind="VISIT"))
    assert await world.tier("shop") == 1
