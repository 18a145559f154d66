"""Tiers over time: reviews come with the job or with the next activity, and nobody can tell which it was."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from activity.rules import ActivityInput
from base.clock import SetClock
from game import tier_reviews
from game.facts import read_facts
from game.review import review_program
from game.tier_reviews import review_tiers, review_tiers_of
from loyalty.tiers.rules import Downgrade
from metrics.rules import Measure
from metrics.windows import Period
from partners.history import begin_history, end_history
from tests.invariants import check_audit, check_invariants
from tests.services.programs import counted_statements
from tests.world import NOW, Amount, World, activity, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

STEPS: Mapping[str, tuple[Amount, Amount]] = {"bronze": (0, 1), "silver": (100, "1.5"), "gold": (500, 2)}
BRONZE, SILVER, GOLD = range(3)


def at(day: str) -> datetime:
    """Noon in London."""
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


async def make_ladder(
    partners: Sequence[str] = ("shop",), period: Period = Period.QUARTERLY, **more: Any
) -> World:
    """Silver from 100 a quarter, gold from 500, reviewed when it is over; NOW is in its last quarter."""
    world = await make_world(partners)
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.earn("base", amount=1)
    await world.ladder("amount", period, STEPS, **{"downgrade": Downgrade.TO_EARNED, **more})
    return world


async def changes(world: World, partner: str = "shop") -> list[tuple[str, str, str]]:
    """The history of a partner's tier: from, to, why."""
    query = """SELECT c.from_tier, c.to_tier, c.cause FROM tier_change c
               JOIN partner p ON p.program_id = c.program_id AND p.id = c.partner_id
               WHERE c.program_id = $1 AND p.code = $2 ORDER BY c.id"""
    return [tuple(row) for row in await world.rows(query, partner)]


async def reviewed(world: World) -> list[tuple[str, int, int, int]]:
    """By the day after the window: how many partners were reviewed, raised and lowered."""
    query = """SELECT ends_on::text, sum(partners)::int, sum(raised)::int, sum(lowered)::int FROM tier_review
               WHERE program_id = $1 GROUP BY ends_on ORDER BY ends_on"""
    return [tuple(row) for row in await world.rows(query)]


@pytest.mark.parametrize("together", [True, False])
async def test_what_moves_no_meter_is_not_reviewed_in_a_batch_either(together: bool) -> None:
    """Visits over many months, and the first sale: a standing that is not to be kept leaves no review."""
    world = await make_world()
    await world.count("amount", Measure.AMOUNT, kinds=["SALE"])
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    days = ("2026-05-04", "2026-06-08", "2026-07-13", "2026-08-17", "2026-09-21")
    given = [activity(f"visit {day}", "shop", kind="VISIT", at=at(day)) for day in days]
    given.append(sale("first", "shop", 100))
    for batch in [given] if together else [[one] for one in given]:
        await world.accept(*batch, history=True)
    assert await reviewed(world) == []
    assert await world.tier("shop") == SILVER
    (row,) = await world.rows("SELECT open_from::text FROM tier_standing WHERE program_id = $1")
    assert row["open_from"] == "2026-11-01"


async def test_the_job_takes_what_was_not_earned_again() -> None:
    world = await make_ladder(("shop", "idle", "busy"))
    await world.accept(sale("a", "shop", 600), sale("b", "busy", 600), sale("c", "idle", 20))
    assert [await world.tier(code) for code in ("shop", "busy", "idle")] == [GOLD, GOLD, BRONZE]
    world.clock.set(at("2027-01-01"))
    assert await review_tiers_of(world.program_id, world.clock) == 3
    assert [await world.tier(code) for code in ("shop", "busy")] == [GOLD, GOLD]
    await world.accept(sale("d", "busy", 120, at=at("2027-01-01")))
    world.clock.set(at("2027-04-01"))
    await review_tiers(world.clock)
    assert [await world.tier(code) for code in ("shop", "busy", "idle")] == [BRONZE, SILVER, BRONZE]
    assert await review_tiers_of(world.program_id, world.clock) == 0
    assert await changes(world) == [("bronze", "gold", "COUNTED"), ("gold", "bronze", "REVIEWED")]
    assert await reviewed(world) == [("2027-01-01", 3, 0, 0), ("2027-04-01", 3, 0, 2)]
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_review_is_told_and_says_why() -> None:
    world = await make_ladder()
    await world.accept(sale("a", "shop", 600), sale("b", "shop", 150, at=NOW))
    world.clock.set(at("2027-04-02"))
    await review_tiers(world.clock)
    (row,) = await world.rows(
        "SELECT id, occurred_at, posted_at, because::text, facts::text FROM ledger_transaction "
        "WHERE program_id = $1 AND key LIKE 'tier/%'"
    )
    (fact,) = read_facts(
        row["id"],
        occurred_at=row["occurred_at"],
        posted_at=row["posted_at"],
        steps=orjson.loads(row["because"]),
        facts=orjson.loads(row["facts"]),
    )
    assert (fact.occurred_at, fact.posted_at) == (at("2027-04-01").replace(hour=0), at("2027-04-02"))
    assert fact.data == {"type": "TierChanged", "because": 1, "from": "gold", "to": "bronze"}
    assert fact.because == [
        {"step": "tier_review", "on": None, "startsOn": "2027-01-01", "through": "2027-03-31", "value": "0"},
        {"step": "tier", "on": 0, "from": "gold", "to": "bronze", "value": "0", "threshold": "500"},
    ]
    (since,) = await world.rows("SELECT since FROM tier_standing WHERE program_id = $1")
    assert since["since"] == at("2027-04-01").replace(hour=0)
    (told,) = await world.rows(
        "SELECT count(*) FROM outbox WHERE program_id = $1 AND $2 = ANY(transaction_ids)", row["id"]
    )
    assert told["count"] == 1


async def play(world: World, *, job: bool, batches: int) -> dict[str, list[tuple[Any, ...]]]:
    """Fourteen months of four shops, in batches of this size; the job comes before each of them or only at the end."""
    amounts = [40, 90, 300, 20, 550, 10, 110, 0]
    sales: list[ActivityInput] = []
    for month in range(14):
        day = at(f"{2024 + month // 12}-{month % 12 + 1:02}-{3 + month % 25:02}")
        for number, code in enumerate(("a", "b", "c", "d")):
            amount = amounts[(month * (number + 3) + number) % 8]
            if amount:
                sales.append(sale(f"{code}{month}", code, amount, at=day))
                if amount == 110:
                    sales.append(return_of(f"{code}{month} back", code, f"{code}{month}", at=day))
    while sales:
        batch, sales = sales[:batches], sales[batches:]
        if job:
            await review_tiers_of(world.program_id, SetClock(batch[0].occurred_at))
        await world.accept(*batch, history=True)
    await review_tiers_of(world.program_id, world.clock)
    found = await world.everything()
    del found["facts"]  # those of reviews are posted when the job comes
    moves = [(code, *one) for code in ("a", "b", "c", "d") for one in await changes(world, code)]
    return {**found, "changes": moves, "reviews": await reviewed(world)}


@pytest.mark.parametrize("downgrade", [Downgrade.TO_EARNED, Downgrade.ONE_STEP])
async def test_a_load_of_the_past_is_reviewed_as_it_goes(downgrade: Downgrade) -> None:
    worlds = [await make_ladder(("a", "b", "c", "d"), Period.MONTHLY, downgrade=downgrade) for _ in range(3)]
    daily, once, one_by_one = (
        await play(worlds[0], job=True, batches=1),
        await play(worlds[1], job=False, batches=1_000),
        await play(worlds[2], job=False, batches=1),
    )
    assert once == one_by_one
    assert once["changes"] == daily["changes"]
    assert len(once["changes"]) > 10
    assert once == daily
    for world in worlds:
        await check_invariants(world.program_id)
        await check_audit(world.program_id)


async def test_what_is_reported_after_the_review_moves_the_meter_alone() -> None:
    world = await make_ladder(grace_days=5)
    await world.accept(sale("a", "shop", 90, at=at("2026-11-01")))
    world.clock.set(at("2027-01-03"))
    (graced,) = await world.accept(sale("b", "shop", 20, at=at("2026-12-31")))
    assert await world.tier("shop") == SILVER
    world.clock.set(at("2027-01-07"))
    (late,) = await world.accept(sale("c", "shop", 900, at=at("2026-12-30")))
    assert await world.tier("shop") == SILVER
    assert [fact.data["type"] for fact in late.facts] == ["PointsPosted"]
    steps = await world.rows(
        "SELECT because::text FROM ledger_transaction WHERE program_id = $1 AND key LIKE 'activity/%' "
        "ORDER BY id DESC LIMIT 1"
    )
    assert '"counted_too_late"' in steps[0]["because"]
    assert '"through":"2026-12-31"' in steps[0]["because"]
    (back,) = await world.accept(return_of("r", "shop", "a", at=world.clock.now()))
    assert await world.tier("shop") == SILVER
    assert [fact.data["type"] for fact in back.facts] == ["PointsPosted"]
    assert [fact.data["type"] for fact in graced.facts] == ["PointsPosted", "TierChanged"]
    await check_audit(world.program_id)


async def test_an_activity_sees_the_tier_after_the_review() -> None:
    world = await make_ladder()
    await world.accept(sale("a", "shop", 600, at=at("2026-10-02")))
    world.clock.set(at("2027-04-05"))  # no job came
    (outcome,) = await world.accept(sale("b", "shop", 10, at=at("2027-04-05")))
    assert outcome.facts[0].data["amount"] == 10
    assert await world.tier("shop") == BRONZE
    assert await changes(world) == [("bronze", "gold", "COUNTED"), ("gold", "bronze", "REVIEWED")]


async def test_returns_that_take_no_tier_before_the_review() -> None:
    world = await make_ladder(returns_take=False)
    await world.accept(sale("a", "shop", 600))
    await world.accept(return_of("r", "shop", "a"))
    assert await world.tier("shop") == GOLD
    world.clock.set(at("2027-01-01"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == BRONZE
    await check_audit(world.program_id)


async def test_reviews_wait_for_the_end_of_a_history() -> None:
    world = await make_ladder()
    await world.accept(sale("a", "shop", 600))
    world.clock.set(at("2027-04-01"))
    await begin_history(world.program_id)
    await review_tiers(world.clock)
    assert await world.tier("shop") == GOLD
    await end_history(world.program_id)
    await review_tiers(world.clock)
    assert await world.tier("shop") == BRONZE


async def test_a_run_of_many_is_done_once_by_two_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_reviews, "PARTNERS_PER_PAGE", 20)
    shops = [f"s{number:02}" for number in range(45)]
    world = await make_ladder(shops)
    await world.accept(*(sale(f"a {code}", code, 600) for code in shops))
    world.clock.set(at("2027-04-01"))
    await asyncio.gather(
        review_tiers_of(world.program_id, world.clock),
        review_tiers_of(world.program_id, world.clock),
        world.accept(*(sale(f"b {code}", code, 1, at=at("2027-04-01")) for code in shops[::3])),
    )
    (row,) = await world.rows("SELECT count(*), sum(level) FROM tier_standing WHERE program_id = $1")
    assert tuple(row) == (45, 0)
    assert await reviewed(world) == [("2027-01-01", 45, 0, 0), ("2027-04-01", 45, 0, 45)]
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_page_costs_as_many_statements_as_one_partner() -> None:
    counts = []
    for shops in (["a"], [f"s{number:03}" for number in range(150)]):
        world = await make_ladder(shops)
        await world.accept(*(sale(f"a {code}", code, 600) for code in shops))
        world.clock.set(at("2027-04-01"))
        await review_tiers_of(world.program_id, world.clock)
        await world.accept(*(sale(f"b {code}", code, 600, at=at("2027-04-01")) for code in shops))
        world.clock.set(at("2027-10-01"))
        async with counted_statements() as sent:
            await review_tiers_of(world.program_id, world.clock)
        counts.append(len(sent))
    assert counts[0] == counts[1]


async def test_a_ladder_that_begins_to_be_reviewed_takes_nothing_before_the_period_is_over() -> None:
    world = await make_ladder(downgrade=Downgrade.NEVER)
    await world.accept(sale("a", "shop", 600, at=at("2026-03-01")))
    assert await world.tier("shop") == GOLD
    await world.ladder("amount", Period.QUARTERLY, STEPS, downgrade=Downgrade.ONE_STEP)
    await review_program(world.program_id, world.clock)
    await review_tiers(world.clock)
    assert await world.tier("shop") == GOLD
    world.clock.set(at("2027-01-01"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == SILVER
    await world.ladder("amount", Period.QUARTERLY, STEPS, downgrade=Downgrade.ONE_STEP, grace_days=10)
    await review_program(world.program_id, world.clock)
    world.clock.set(at("2027-04-01"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == SILVER
    world.clock.set(at("2027-04-11"))
    await review_tiers(world.clock)
    assert await world.tier("shop") == BRONZE
    await world.ladder("amount", Period.QUARTERLY, STEPS)
    await review_program(world.program_id, world.clock)
    assert await world.tier("shop") == GOLD
    await check_audit(world.program_id)


async def test_a_ladder_that_begins_late_goes_through_the_past() -> None:
    world = await make_world(("a", "b", "c"))
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.accept(
        sale("1", "a", 600, at=at("2026-08-01")),
        sale("2", "b", 600, at=at("2026-05-01")),
        sale("3", "c", 120, at=at("2026-11-01")),
    )
    await world.ladder("amount", Period.QUARTERLY, STEPS, downgrade=Downgrade.TO_EARNED)
    await review_tiers(world.clock)
    await review_program(world.program_id, world.clock)
    assert [await world.tier(code) for code in "abc"] == [GOLD, BRONZE, SILVER]
    assert await changes(world, "a") == [("bronze", "gold", "CONFIGURED")]
    await check_audit(world.program_id)
