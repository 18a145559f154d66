"""A partner's quarter, told in order: a shop sells, takes things back, owes, wins a mission, loses it, wins it again.

One story, so each chapter begins where the last one ended.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from game.facts import Fact
from game.outcome import Outcome
from loyalty.ledger.adjust import adjust_points
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_audit, check_invariants
from tests.world import SOURCE, World, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

SHOP = "warung-sri"
SEPTEMBER, OCTOBER, NOVEMBER = (date(2026, month, 1) for month in (9, 10, 11))


def on(day: str) -> datetime:
    """Noon in Jakarta."""
    return datetime.fromisoformat(f"{day}T05:00").replace(tzinfo=UTC)


def told(outcome: Outcome) -> list[str]:
    """What the partner hears, in order."""
    return [_told(fact) for fact in outcome.facts]


def _told(fact: Fact) -> str:
    data = fact.data
    match data["type"]:
        case "PointsPosted":
            return f"{data['amount']:+} {data['kind']}"
        case "TierChanged":
            return f"{data['from']} → {data['to']}"
        case "BadgeAwarded" | "BadgeRevoked":
            return f"{data['type']} {data['badge']} {data['level']}"
        case "MissionCompleted" | "MissionRevoked":
            return f"{data['type']} {data['mission']}"
        case kind:
            return f"{kind} {data['current']}/{data['target']}"


def reasons(fact: Fact) -> list[str]:
    """The codes of the chain."""
    return [step["step"] for step in fact.because]


async def make_quarter() -> World:
    """A point per money unit; silver from 300 a quarter with half as much again; a mission for 500 by December."""
    world = await make_world({SHOP: "Asia/Jakarta"})
    await world.count("sales", Measure.COUNT)
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
    await world.earn("base", amount=1)
    await world.ladder("amount", Period.QUARTERLY, {"bronze": (0, 1), "silver": (300, "1.5")})
    await world.badge("champion")
    await world.badge("regular", "sales", [2, 4])
    await world.mission(
        "quarter-500",
        {"amount": 500},
        points=100,
        badge="champion",
        starts_at=on("2026-10-01"),
        ends_at=on("2026-12-01"),
    )
    return world


async def test_a_quarter() -> None:
    world = await make_quarter()

    # October. Two sales; the second lifts the shop to silver, at its own single rate.
    first, second = await world.accept(
        sale("INV-1", SHOP, [line("tea", 10, 100), line("soap", 4, 60)], at=on("2026-10-05")),
        sale("INV-2", SHOP, [line("rice", 20, 200)], at=on("2026-10-20")),
    )
    assert told(first) == ["+160 EARN", "ObjectiveAdvanced 160/500"]
    assert told(second) == [
        "+200 EARN",
        "ObjectiveAdvanced 360/500",
        "BadgeAwarded regular 1",
        "bronze → silver",
    ]
    assert reasons(second.facts[0]) == ["activity", "rule", "points"]

    # November. Half as much again for each point, and the mission is won.
    (third,) = await world.accept(sale("INV-3", SHOP, [line("tea", 15, 150)], at=on("2026-11-03")))
    assert told(third) == [
        "+225 EARN",
        "ObjectiveAdvanced 510/500",
        "MissionCompleted quarter-500",
        "+100 REWARD",
        "BadgeAwarded champion 1",
    ]
    assert reasons(third.facts[0]) == ["activity", "rule", "multiplier", "points"]
    assert (await world.wallet(SHOP)).available == 160 + 200 + 225 + 100
    assert await month_points(world) == {OCTOBER: 360, NOVEMBER: 325}

    # One line of October's first invoice comes back: its share of those points, and the mission with it.
    (line_back,) = await world.accept(
        return_of("RET-1", SHOP, [back("INV-1", 2, "soap", 1, 15)], at=on("2026-11-05"))
    )
    assert told(line_back) == [
        "-15 REVERSE",
        "ObjectiveReceded 495/500",
        "MissionRevoked quarter-500",
        "-100 REVERSE",
        "BadgeRevoked champion 1",
    ]
    assert reasons(line_back.facts[0]) == ["return", "reversal"]
    assert await month_points(world) == {OCTOBER: 345, NOVEMBER: 225}
    assert (await world.wallet(SHOP)).available == 570
    assert await world.completions(SHOP) == {"quarter-500": (1, False)}

    # A small sale wins it again, as the second completion, and pays again.
    (again,) = await world.accept(sale("INV-4", SHOP, [line("tea", 1, 6)], at=on("2026-11-06")))
    assert told(again) == [
        "+9 EARN",
        "ObjectiveAdvanced 501/500",
        "MissionCompleted quarter-500",
        "+100 REWARD",
        "BadgeAwarded champion 1",
        "BadgeAwarded regular 2",
    ]
    assert await world.completions(SHOP) == {"quarter-500": (2, True)}
    assert (await world.wallet(SHOP)).available == 679

    # The brand corrects a mistake: nearly everything is taken out.
    await adjust(world, -600)
    assert (await world.wallet(SHOP)).available == 79

    # The whole of November's invoice comes back: what is not there any more becomes a debt.
    (whole_back,) = await world.accept(return_of("RET-2", SHOP, "INV-3", at=on("2026-11-10")))
    assert told(whole_back) == [
        "-225 REVERSE",
        "ObjectiveReceded 351/500",
        "MissionRevoked quarter-500",
        "-100 REVERSE",
        "BadgeRevoked champion 1",
        "BadgeRevoked regular 2",
    ]
    wallet = await world.wallet(SHOP)
    assert (wallet.available, wallet.debt) == (0, 225 + 100 - 79)
    assert await month_points(world) == {OCTOBER: 345, NOVEMBER: 9}

    # The rest of the first invoice: bronze again, and only two sales are left, which keep the badge.
    (rest_back,) = await world.accept(return_of("RET-3", SHOP, "INV-1", at=on("2026-11-11")))
    assert told(rest_back) == ["-145 REVERSE", "ObjectiveReceded 206/500", "silver → bronze"]
    assert (await world.wallet(SHOP)).debt == 246 + 145
    assert await world.badges(SHOP) == {("regular", 1)}

    # New sales repay the debt before anything is available.
    (repaying,) = await world.accept(sale("INV-5", SHOP, [line("rice", 30, 310)], at=on("2026-11-18")))
    assert told(repaying) == [
        "+310 EARN",
        "ObjectiveAdvanced 516/500",
        "MissionCompleted quarter-500",
        "+100 REWARD",
        "BadgeAwarded champion 1",
        "bronze → silver",
    ]
    assert await world.completions(SHOP) == {"quarter-500": (3, True)}
    wallet = await world.wallet(SHOP)
    assert (wallet.available, wallet.debt) == (310 + 100 - 391, 0)

    # A sale of September that was late counts in September's windows, and in no mission of October.
    (late,) = await world.accept(sale("INV-0", SHOP, [line("tea", 1, 40)], at=on("2026-09-30")))
    assert told(late) == ["+60 EARN", "BadgeAwarded regular 2"]
    assert await month_points(world) == {SEPTEMBER: 60, OCTOBER: 200, NOVEMBER: 9 + 310 + 100}

    # Whatever is sent again answers as it did then.
    (repeated,) = await world.record(return_of("RET-2", SHOP, "INV-3", at=on("2026-11-10")))
    assert (repeated.status, told(repeated)) == ("DUPLICATE", told(whole_back))
    assert (await world.wallet(SHOP)).available == 19 + 60
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def month_points(world: World) -> dict[date, Decimal]:
    """The points of each month, rewards with them."""
    meters = await world.meters("points", Period.MONTHLY, SHOP)
    return {window: one.value for window, one in meters.items()}


async def adjust(world: World, amount: int) -> None:
    """A correction by the brand's people."""
    await adjust_points(
        program_id=world.program_id,
        partner=SHOP,
        amount=amount,
        reason="booked twice",
        idempotency_key=f"{SOURCE} {amount}",
        actor="finance",
        now=world.clock.now(),
    )
