"""Rules that go by what they gave so far: caps, numbered purchases, groups, budgets; and what returns give back."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from activity.rules import ActivityInput
from loyalty.earning.inputs import BandInput, CapInput, HoursInput, NthInput, Weekday
from loyalty.earning.service import EarningRuleUpdate, PointsPer, end_earning_rule, update_earning_rule
from loyalty.earning.terms import CapPeriod
from metrics.rules import Measure
from metrics.service import FilterInput
from metrics.windows import Period
from tests.invariants import check_audit, check_invariants
from tests.services.programs import another_transaction, counted_statements, wait_for_lock
from tests.world import NOW, World, activity, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
DAILY = CapInput(CapPeriod.DAY, 50)


async def granted(world: World, external_id: str) -> dict[str, int]:
    """What each rule granted for an activity, less what was taken back."""
    query = """
        SELECT r.key, l.granted - l.recalled AS points FROM lot l
        JOIN activity a ON a.program_id = l.program_id AND a.id = l.activity_id
        JOIN earning_rule r ON r.program_id = l.program_id AND r.id = l.rule_id
        WHERE l.program_id = $1 AND a.external_id = $2 ORDER BY l.id
    """
    return {row["key"]: row["points"] for row in await world.rows(query, external_id)}


async def steps(world: World, external_id: str) -> list[dict[str, Any]]:
    """The steps of what an activity set off."""
    query = """
        SELECT t.because FROM ledger_transaction t
        JOIN activity a ON a.program_id = t.program_id AND a.id = t.activity_id
        WHERE t.program_id = $1 AND a.external_id = $2 AND t.key LIKE 'activity/%'
    """
    return [step for row in await world.rows(query, external_id) for step in orjson.loads(row["because"])]


async def spent(world: World) -> int:
    """What budgets have given."""
    rows = await world.rows(
        "SELECT coalesce(sum(spent), 0)::bigint AS spent FROM earning_budget WHERE program_id = $1"
    )
    found: int = rows[0]["spent"]
    return found


async def test_a_daily_cap_in_and_across_batches_and_what_a_return_gives_back() -> None:
    world = await make_world({"shop": "Asia/Jakarta", "other": "UTC"})
    await world.earn("capped", amount=1, terms={"caps": [DAILY]})
    await world.accept(sale("a1", "shop", 30), sale("a2", "shop", 30), sale("b1", "other", 40))
    await world.accept(sale("a3", "shop", 5), sale("a4", "shop", 5, at=NOW - DAY))
    assert [await granted(world, key) for key in ("a1", "a2", "b1", "a3", "a4")] == [
        {"capped": 30}, {"capped": 20}, {"capped": 40}, {}, {"capped": 5}
    ]  # fmt: skip
    cap = next(step for step in await steps(world, "a2") if step["step"] == "cap")
    assert {name: cap[name] for name in ("per", "limit", "used", "points")} == {
        "per": "DAY", "limit": 50, "used": 30, "points": 20
    }  # fmt: skip
    (_, withheld) = await steps(world, "a3")
    assert (withheld["step"], withheld["rule"], withheld["why"], withheld["used"]) == (
        "withheld", "capped", "cap", 50
    )  # fmt: skip
    # A day later the first sale comes back: its own day has room again, for what occurred on it.
    world.clock.set(NOW + DAY)
    await world.accept(return_of("r1", "shop", "a1", at=NOW + DAY))
    await world.accept(sale("late", "shop", 40), sale("today", "shop", 60, at=NOW + DAY))
    assert await granted(world, "late") == {"capped": 30}
    assert await granted(world, "today") == {"capped": 50}
    assert await granted(world, "a3") == {}, "no other activity is decided again"
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_cap_for_all_time_and_what_a_return_gives_back() -> None:
    world = await make_world()
    await world.earn("capped", amount=1, terms={"caps": [CapInput(CapPeriod.PARTNER, 50)]})
    await world.accept(sale("a1", "shop", 30, at=NOW - 90 * DAY), sale("a2", "shop", 30))
    await check_audit(world.program_id)
    await world.accept(return_of("r1", "shop", "a1"), sale("a3", "shop", 60))
    assert [await granted(world, key) for key in ("a1", "a2", "a3")] == [
        {"capped": 0}, {"capped": 20}, {"capped": 30}
    ]  # fmt: skip
    await check_audit(world.program_id)


async def test_numbered_purchases_and_what_a_return_gives_back() -> None:
    world = await make_world()
    first = NthInput(1)
    third = NthInput(3, repeats=True, per=CapPeriod.MONTH)
    tea = FilterInput(skus=["tea"])
    await world.earn("welcome", activity=100, filter=tea, terms={"nth": first})
    await world.earn("third", activity=10, terms={"nth": third})
    both = [line("tea"), line("soap")]
    await world.accept(sale("s0", "shop", [line("soap")]), sale("s1", "shop", both), sale("s2", "shop", both))
    assert [await granted(world, key) for key in ("s0", "s1", "s2")] == [{}, {"welcome": 100}, {"third": 10}]
    (withheld,) = [step for step in await steps(world, "s2") if step["step"] == "withheld"]
    assert (withheld["rule"], withheld["number"], withheld["place"]) == ("welcome", 1, 2)
    # The tea of both comes back: the next one is the first that stands. The soap still counts for the other rule.
    await world.accept(
        return_of("r1", "shop", [back("s1", 1, "tea", 1, 10)]),
        return_of("r2", "shop", [back("s2", 1, "tea", 1, 10)]),
    )
    await world.accept(sale("s3", "shop", both), return_of("r0", "shop", "s0"), sale("s4", "shop", 10))
    assert await granted(world, "s3") == {"welcome": 100}
    assert await granted(world, "s4") == {}  # the soap of s1, s2 and s3 stands: it is no third
    assert [one["place"] for one in await steps(world, "s4") if one["step"] == "withheld"] == [2, 4]


async def test_of_a_group_one_rule_pays_with_its_number_of_steps_in_its_hours() -> None:
    world = await make_world({"shop": "Asia/Jakarta"})
    friday = {"weekdays": [Weekday.FRIDAY], "hours": HoursInput("14:00", "16:00")}
    await world.earn("plain", amount=1, terms={"group": "sales"})
    await world.earn(
        "happy", amount=3, terms={"group": "sales", "priority": 1, "step": Decimal(10), **friday}
    )
    await world.earn(
        "many",
        quantity=1,
        terms={"bands": [BandInput(Decimal(0), Decimal(0)), BandInput(Decimal(5), Decimal(2))]},
    )
    await world.accept(sale("in", "shop", 25), sale("out", "shop", 25, at=NOW - timedelta(hours=3)))
    await world.accept(sale("five", "shop", [line("tea", 5, 1)]))
    assert [await granted(world, key) for key in ("in", "out", "five")] == [
        {"happy": 6}, {"plain": 25}, {"plain": 1, "many": 10}
    ]  # fmt: skip
    told = [(step["step"], step["on"]) for step in await steps(world, "in")]
    assert told[:4] == [("activity", None), ("rule", 0), ("full_steps", 1), ("points", 2)]
    assert ("withheld", 0) in told


async def test_a_budget_is_given_once_to_all_who_ask_at_the_same_time() -> None:
    shops = [f"shop-{n}" for n in range(6)]
    world = await make_world(shops)
    await world.earn("fund", amount=1, terms={"budget": 100})
    await world.earn("base", activity=1)
    await asyncio.gather(*(world.accept(*(sale(f"{shop}-{n}", shop, 7) for n in range(4))) for shop in shops))
    assert await spent(world) == 100
    paid = await world.rows("""
        SELECT sum(l.granted)::bigint AS points, count(*) FROM lot l JOIN earning_rule r ON r.id = l.rule_id
        WHERE l.program_id = $1 AND r.key = 'fund'
    """)
    assert tuple(paid[0]) == (100, 15)
    cut = [step for shop in shops for n in range(4) for step in await steps(world, f"{shop}-{n}")]
    assert [step["points"] for step in cut if step["step"] == "budget"] == [2]
    assert len([step for step in cut if step["step"] == "withheld" and step["why"] == "budget"]) == 9
    # What comes back can be given again.
    paid_whole = [shop for shop in shops if (await granted(world, f"{shop}-0")).get("fund") == 7]
    await world.accept(return_of("r", paid_whole[0], f"{paid_whole[0]}-0"), sale("next", shops[0], 50))
    assert await granted(world, "next") == {"fund": 7, "base": 1}
    assert await spent(world) == 100
    await check_audit(world.program_id)


@pytest.mark.parametrize("attempts", [3, 0])
async def test_a_batch_that_counted_on_what_others_took_is_decided_again(
    attempts: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else takes of the budget while it is decided; after some attempts it lets nobody else."""
    monkeypatch.setattr("game.pipeline.BUDGET_ATTEMPTS", attempts)
    world = await make_world()
    await world.earn("fund", amount=1, terms={"budget": 100})
    async with another_transaction(database_url) as rival:
        await rival.execute("UPDATE earning_budget SET spent = 70 WHERE program_id = $1", world.program_id)
        booked = asyncio.create_task(world.accept(sale("x", "shop", 40)))
        await wait_for_lock(database_url, booked, "%earning_budget%FOR UPDATE%")
    await booked
    assert await granted(world, "x") == {"fund": 30}
    (cut,) = [step for step in await steps(world, "x") if step["step"] == "budget"]
    assert (cut["limit"], cut["used"], cut["points"]) == (100, 70, 30)
    assert await spent(world) == 100


async def test_a_change_is_a_version_and_what_occurred_before_goes_by_the_one_of_then() -> None:
    world = await make_world()
    await world.earn("base", amount=1)
    changed = EarningRuleUpdate("base", "Base", PointsPer(amount=Decimal(2)))
    second = await update_earning_rule(program_id=world.program_id, rule=changed, now=NOW)
    assert (second.version, second.rate, second.effective_from) == (2, Decimal(2), NOW)
    again = await update_earning_rule(program_id=world.program_id, rule=changed, now=NOW + DAY)
    assert again == second
    world.clock.set(NOW + DAY)
    await world.accept(sale("late", "shop", 10, at=NOW - DAY), sale("now", "shop", 10, at=NOW + DAY))
    tomorrow = replace(changed, points_per=PointsPer(amount=Decimal(3)), effective_from=NOW + 2 * DAY)
    await update_earning_rule(program_id=world.program_id, rule=tomorrow, now=NOW + DAY)
    await world.accept(sale("today", "shop", 10, at=NOW + DAY))
    world.clock.set(NOW + 3 * DAY)
    await world.accept(sale("third", "shop", 10, at=NOW + 2 * DAY))
    await end_earning_rule(program_id=world.program_id, key="base", now=NOW + 3 * DAY)
    await world.accept(
        sale("over", "shop", 10, at=NOW + 3 * DAY), sale("before", "shop", 10, at=NOW + 2 * DAY)
    )
    found = [await granted(world, key) for key in ("late", "now", "today", "third", "over", "before")]
    assert found == [{"base": 10}, {"base": 20}, {"base": 20}, {"base": 30}, {}, {"base": 30}]
    assert [step["version"] for step in await steps(world, "today") if step["step"] == "rule"] == [2]


def story() -> list[ActivityInput]:
    """Two shops' sales and returns over two days."""
    told: list[ActivityInput] = []
    for n in range(12):
        shop = ("shop", "other")[n % 2]
        told.append(
            sale(f"s{n}", shop, [line("tea", n + 1, 9 + n), line("soap", 1, 5)], at=NOW - DAY * (n % 3))
        )
        if n % 4 == 3:
            told.append(return_of(f"r{n}", ("shop", "other")[(n - 2) % 2], f"s{n - 2}"))
        if n % 5 == 4:
            told.append(return_of(f"p{n}", shop, [back(f"s{n}", 1, "tea", 1, 2)]))
    told.append(activity("v", "shop", kind="VISIT"))
    return told


async def furnish() -> World:
    world = await make_world(["shop", "other"])
    caps = [CapInput(CapPeriod.ACTIVITY, 12), CapInput(CapPeriod.DAY, 20), CapInput(CapPeriod.MONTH, 45)]
    await world.earn("capped", amount=1, terms={"caps": caps})
    await world.earn("second", activity=7, terms={"nth": NthInput(2, True), "group": "g", "priority": 1})
    await world.earn("either", quantity="0.5", terms={"group": "g", "step": Decimal(2)})
    await world.earn("fund", amount=1, terms={"budget": 90})
    await world.earn("visit", kind="VISIT", activity=5, terms={"nth": NthInput(1)})
    return world


async def test_any_batching_gives_the_same() -> None:
    told = story()
    whole, single, pairs = await furnish(), await furnish(), await furnish()
    await whole.accept(*told)
    for one in told:
        await single.accept(one)
    for n in range(0, len(told), 2):
        await pairs.accept(*told[n : n + 2])
    expected = await whole.everything()
    assert expected["usage"]
    assert await single.everything() == expected
    assert await pairs.everything() == expected
    assert await spent(whole) == await spent(single) == await spent(pairs) > 0
    await check_audit(whole.program_id)


async def test_when_all_came_back_nothing_is_used() -> None:
    world = await furnish()
    await world.accept(*(sale(f"s{n}", "shop", 11) for n in range(7)))
    for n in (3, 0, 6, 1, 2, 5, 4):
        await world.accept(return_of(f"r{n}", "shop", f"s{n}"))
    assert (await world.everything())["usage"] == []
    assert await spent(world) == 0
    assert (await world.wallet("shop")).available == 0


async def test_it_costs_the_same_statements_whatever_the_size() -> None:
    world = await furnish()
    await world.accept(*(sale(f"w{n}", "shop", 11) for n in range(3)), return_of("w", "shop", "w0"))
    await world.accept(sale("known", "other", 1))

    async def count(*given: ActivityInput) -> int:
        async with counted_statements() as sent:
            await world.accept(*given)
        own = ("BEGIN", "COMMIT", "SELECT pg_advisory_unlock_all")
        return sum(not query.startswith(own) and "typeinfo" not in query for query in sent)

    one = await count(sale("one", "shop", 1))
    assert one == await count(*(sale(f"x{n}", ("shop", "other")[n % 2], 1) for n in range(300)))
    assert one <= 13
    returned = await count(return_of("r", "shop", "x0"))
    assert returned == await count(*(return_of(f"r{n}", "shop", f"x{n}") for n in range(2, 200, 2)))


async def test_what_came_to_less_than_a_point_was_no_purchase() -> None:
    world = await make_world(("shop",))
    await world.count("amount", Measure.AMOUNT, Period.YEARLY)
    await world.ladder("amount", Period.YEARLY, {"base": (0, "0.5"), "top": (10**9, 1)})
    await world.earn("first", amount=1, terms={"nth": NthInput(1)})
    await world.accept(sale("small", "shop", 1))
    await world.accept(sale("one", "shop", 1000))
    await world.accept(return_of("r", "shop", "small"))
    await world.accept(sale("two", "shop", 1000))
    assert (await world.wallet("shop")).available == 500


async def test_a_limit_may_cut_more_than_any_number_holds() -> None:
    world = await make_world(("shop",))
    await world.earn("capped", amount=10**9, terms={"caps": [CapInput(CapPeriod.DAY, 500)]})
    await world.accept(sale("ok", "shop", 10), sale("huge", "shop", 10**11))
    assert (await world.wallet("shop")).available == 500
    await check_audit(world.program_id)
