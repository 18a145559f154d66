"""What would happen, told by what happens, and nothing of it kept; and why each rule paid, or did not."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from activity.rules import ActivityInput
from base.database import reading, transaction
from base.errors import Invalid
from game.pipeline import WrongSize
from game.preview import AHEAD, Previewed, preview
from game.tier_reviews import review_tiers_of
from loyalty.earning.explaining import explain_activities
from loyalty.earning.inputs import BandInput, CapInput, NthInput, TermsInput
from loyalty.earning.service import EarningRuleInput, PointsPer, create_earning_rule, end_earning_rule
from loyalty.earning.supposing import MOST_SUPPOSED
from loyalty.earning.terms import CapPeriod
from loyalty.ledger.turning import turn_lots_of
from loyalty.tiers.rules import Downgrade
from loyalty.words import Reader, explain
from metrics.rules import Measure
from metrics.service import FilterInput
from metrics.windows import Period
from partners.audiences import AudienceInput
from partners.inputs import ProductInput
from tests.invariants import check_audit
from tests.world import NOW, Amount, World, line, make_world, return_of, sale

CLAIM = """
INSERT INTO activity_key (program_id, source, external_id, payload_hash, activity_id)
VALUES ($1, 'pos', 'x', '\\x00', 1)
"""
RELEASE = "DELETE FROM activity_key WHERE program_id = $1 AND external_id = 'x'"

pytestmark = pytest.mark.usefixtures("database")


async def furnish() -> World:
    world = await make_world()
    await world.count("sales", Measure.AMOUNT)
    await world.mission("m", {"sales": 30}, points=100)
    await world.earn("base", amount="0.5")
    await world.earn("capped", amount=1, terms={"caps": [CapInput(CapPeriod.DAY, 50)]})
    await world.earn("bali", activity=5, audience=AudienceInput(regions=["BALI"]))
    await world.earn("fund", activity=3, terms={"budget": 4})
    await world.earn("big", amount=1, terms={"step": Decimal(1000)})
    await world.earn("visit", kind="VISIT", activity=1)
    return world


def rule(
    key: str = "new",
    *,
    kind: str = "SALE",
    activity: int | None = None,
    amount: Amount | None = None,
    terms: dict[str, Any] | None = None,
    **more: Any,
) -> EarningRuleInput:
    """A rule that is only supposed; a point for each 1 of the amount where nothing is said."""
    per = PointsPer(activity=activity, amount=None if activity else Decimal(1 if amount is None else amount))
    return EarningRuleInput(key, key.title(), kind, per, terms=TermsInput(**(terms or {})), **more)


async def tried(
    world: World, *activities: ActivityInput, rules: Sequence[EarningRuleInput] = (), **more: Any
) -> list[Previewed]:
    """A preview, after which every table holds of the program what it held before."""
    before = await everything_stored(world)
    found = await preview(
        program_id=world.program_id, activities=activities, rules=rules, clock=world.clock, **more
    )
    assert await everything_stored(world) == before
    return found


async def everything_stored(world: World) -> dict[str, tuple[int, str]]:
    """By table, how many rows the program has in it, and a digest of them with their row versions."""
    async with reading() as connection:
        tables = await connection.fetch(
            "SELECT quote_ident(c.relname) AS name FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'program_id'"
            " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        )
        assert len(tables) > 40
        return {
            row["name"]: tuple(
                await connection.fetchrow(
                    "SELECT count(*), md5(string_agg(t.xmin::text || t::text, ',' ORDER BY t::text))"
                    f" FROM {row['name']} t WHERE t.program_id = $1",
                    world.program_id,
                )
            )
            for row in tables
        }


def paid(previewed: Previewed) -> dict[str, int]:
    """What the rules pay that pay anything."""
    return {one.rule.key: one.points for one in previewed.rules if one.points}


async def explained(world: World, external_id: str) -> dict[str, tuple[int, str]]:
    """By rule: what it paid, and the last reason in English."""
    (row,) = await world.rows(
        "SELECT id FROM activity WHERE program_id = $1 AND external_id = $2", external_id
    )
    async with reading() as connection:
        found = await explain_activities(connection, program_id=world.program_id, activity_ids=[row["id"]])
    reader = Reader("en")
    return {one.rule.key: (one.points, explain(one.because, reader)[-1].detail) for one in found[row["id"]]}


async def test_a_preview_says_what_recording_does_and_keeps_nothing() -> None:
    world = await furnish()
    given = [sale("a", "shop", 40), sale("b", "shop", 20), return_of("r", "shop", "a"), sale("c", "nobody")]
    before = await world.everything()
    previews = await preview(program_id=world.program_id, activities=given, clock=world.clock)
    assert await world.everything() == before
    assert await world.rows("SELECT FROM activity_key WHERE program_id = $1") == []
    recorded = await world.record(*given)
    assert [one.outcome.status for one in previews] == [one.status for one in recorded]
    assert [one.outcome.code for one in previews] == ["", "", "", "UNKNOWN_PARTNER"]
    for previewed, outcome in zip(previews, recorded, strict=True):
        assert [fact.data for fact in previewed.outcome.facts] == [fact.data for fact in outcome.facts]
        told = {one.rule.key: one.points for one in previewed.rules}
        assert {key: points for key, points in told.items() if points} == {
            row["key"]: row["granted"]
            for row in await world.rows(
                "SELECT r.key, l.granted FROM lot l JOIN earning_rule r ON r.id = l.rule_id"
                " WHERE l.program_id = $1 AND l.activity_id = $2",
                outcome.activity_id,
            )
        }
    # Again: what was recorded answers as a repetition.
    (again,) = await preview(program_id=world.program_id, activities=given[:1], clock=world.clock)
    assert again.outcome.status == "DUPLICATE"
    assert {one.rule.key: one.points for one in again.rules}["base"] == 20
    await check_audit(world.program_id)


async def test_every_rule_says_what_it_paid_or_why_it_did_not() -> None:
    world = await furnish()
    await world.accept(sale("a", "shop", 40), sale("b", "shop", 20))
    assert await explained(world, "a") == {
        "base": (20, "20 points"),
        "capped": (40, "40 points"),
        "fund": (3, "3 points"),
        "bali": (0, "“bali”, version 1: not in its audience: region"),
        "big": (0, "“big”, version 1: 40 counted: less than a full 1,000"),
        "visit": (0, "“visit”, version 1: it is for another kind of activity: Visit"),
    }
    second = await explained(world, "b")
    assert second["capped"] == (
        10,
        "Cut to 10 points: 50 points at most for that day, and 40 were given already",
    )
    assert second["fund"] == (1, "Cut to 1 point: no more was left of the rule's budget of 4 points")
    await world.accept(sale("c", "shop", 20))
    third = await explained(world, "c")
    reached = "cap reached: 50 points at most for that day, and 50 were given already"
    assert third["capped"] == (0, f"“capped”, version 1: {reached}")
    assert third["fund"] == (0, "“fund”, version 1: its budget of 4 points is used up")


async def test_a_preview_is_short() -> None:
    world = await make_world()
    sales = [sale(f"x{n}", "shop", 1) for n in range(101)]
    with pytest.raises(WrongSize):
        await preview(program_id=world.program_id, activities=sales, clock=world.clock)


# ---------------------------------------------------------------------------------------- rules that do not exist yet


async def test_a_rule_that_does_not_exist_is_tried_and_nothing_earns_of_it() -> None:
    world = await make_world()
    await world.earn("base", amount=1)
    await world.accept(sale("before", "shop", 10))
    supposed = rule("new", amount=2, filter=FilterInput(skus=["tea"]), lock_days=7)
    coffee = sale("y", "shop", [line("coffee", 1, 5)])
    tea, other = await tried(world, sale("x", "shop", 10), coffee, rules=[supposed])
    assert paid(tea) == {"base": 10, "new": 20}
    assert paid(other) == {"base": 5}
    assert {one.rule.key: one.because[-1]["step"] for one in other.rules}["new"] == "withheld"
    facts = [fact.data["amount"] for fact in tea.outcome.facts]
    assert facts == [10, 20]
    assert [one["step"] for one in tea.rules[1].because] == ["activity", "rule", "points", "lot"]
    # In the very next activity there is no such rule.
    (recorded,) = await world.accept(sale("x", "shop", 10))
    assert [fact.data["amount"] for fact in recorded.facts] == [10]
    assert set(await explained(world, "x")) == {"base"}
    assert [paid(one) for one in await tried(world, sale("z", "shop", 10))] == [{"base": 10}]
    await check_audit(world.program_id)


async def test_what_a_preview_of_a_rule_says_comes_true_when_it_is_created() -> None:
    """Bands, caps, budgets, numbered purchases, attributes: the same points, the same reasons, the same wallet."""
    terms: dict[str, dict[str, Any]] = {
        "banded": {"bands": [BandInput(Decimal(3), Decimal(2))]},
        "capped": {"caps": [CapInput(CapPeriod.MONTH, 25)]},
        "fund": {"budget": 12},
        "third": {"nth": NthInput(3)},
        "grouped": {"group": "g", "priority": 2},
        "lesser": {"group": "g"},
    }
    rules = [rule(key, terms=of_rule) for key, of_rule in terms.items()]
    rules.append(rule("green", activity=7, filter=FilterInput(attributes={"green": [True]})))
    given = [
        sale("a", "shop", [line("tea", 4, 10)]),
        sale("b", "shop", 20),
        return_of("r", "shop", "a"),
        sale("c", "shop", 3),
        sale("d", "shop", 8),
    ]
    world = await make_world()
    await world.products(ProductInput("tea", "Tea", attributes={"green": True}))
    previews = await tried(world, *given, rules=rules)
    for one in rules:
        await create_earning_rule(program_id=world.program_id, rule=one, now=world.clock.now())
    recorded = await world.accept(*given)
    for previewed, outcome in zip(previews, recorded, strict=True):
        assert [fact.data for fact in previewed.outcome.facts] == [fact.data for fact in outcome.facts]
        if outcome.activity_id is not None and previewed.rules:
            async with reading() as connection:
                found = await explain_activities(
                    connection, program_id=world.program_id, activity_ids=[outcome.activity_id]
                )
            assert [(one.rule.key, one.points, one.because) for one in found[outcome.activity_id]] == [
                (one.rule.key, one.points, one.because) for one in previewed.rules
            ]
    (held,) = previews[-1].wallets
    assert held.available == (await world.wallet("shop")).available


async def test_another_version_of_a_rule_stands_in_its_place_and_goes_on_with_what_it_spent() -> None:
    world = await make_world(("shop", "other"))
    await world.earn("fund", amount=1, terms={"budget": 100, "caps": [CapInput(CapPeriod.MONTH, 60)]})
    await world.accept(sale("old", "shop", 40), sale("old2", "other", 40))
    wider = {"budget": 110, "caps": [CapInput(CapPeriod.MONTH, 65)]}
    one, two, back = await tried(
        world,
        sale("x", "shop", 20, at=NOW - timedelta(days=1)),
        sale("y", "other", 20),
        return_of("r", "shop", "old"),
        rules=[rule("fund", amount=2, terms=wider)],
    )
    assert paid(one) == {"fund": 25}  # 65 at most in the month, 40 of them given
    assert one.rules[0].rule.version == 2
    assert paid(two) == {"fund": 5}  # 110 in all: 80 were spent, and 25 just now
    assert [fact.data["amount"] for fact in back.outcome.facts] == [-40]
    (without,) = await tried(world, sale("x", "shop", 100), rules=[rule("fund", amount=1)])
    assert paid(without) == {"fund": 100}
    (unchanged,) = await tried(world, sale("x", "shop", 100))
    assert paid(unchanged) == {"fund": 20}
    await check_audit(world.program_id)


async def test_supposed_rules_are_checked_as_those_that_are_created() -> None:
    world = await make_world()
    await world.earn("base", amount=1)
    await world.earn("gone", amount=1)
    await end_earning_rule(program_id=world.program_id, key="gone", now=world.clock.now())

    async def refused(*rules: EarningRuleInput) -> tuple[str, tuple[str, ...]]:
        with pytest.raises(Invalid) as caught:
            await tried(world, sale("x", "shop", 1), rules=rules)
        return caught.value.code, caught.value.field

    sound = rule("sound")
    assert await refused(sound, rule(" ")) == ("INVALID_CODE", ("rules", "1", "key"))
    assert await refused(sound, sound) == ("DUPLICATE", ("rules", "1", "key"))
    assert await refused(rule(kind="RETURN")) == ("NOT_SUPPORTED", ("rules", "0", "activityKind"))
    assert await refused(rule(unit="GOLD")) == ("UNKNOWN_UNIT", ("rules", "0", "unit"))
    assert await refused(rule(amount=0)) == ("NOT_POSITIVE", ("rules", "0", "pointsPer", "amount"))
    assert await refused(rule(filter=FilterInput(skus=["none"]))) == (
        "UNKNOWN_SKU",
        ("rules", "0", "filter", "skus", "0"),
    )
    nowhere = AudienceInput(regions=["none"])
    assert await refused(sound, rule(audience=nowhere)) == (
        "UNKNOWN_REGION",
        ("rules", "1", "audience", "regions", "0"),
    )
    assert await refused(rule(terms={"budget": 0})) == ("NOT_POSITIVE", ("rules", "0", "budget"))
    over = replace(sound, ends_at=NOW - timedelta(hours=1))
    assert await refused(sound, replace(over, key="over")) == ("NOT_IN_FUTURE", ("rules", "1", "endsAt"))
    assert await refused(rule("gone")) == ("RULE_ENDED", ("rules", "0", "key"))
    assert await refused(rule("base", kind="VISIT")) == ("KEY_TAKEN", ("rules", "0", "key"))
    many = [rule(f"r{number}") for number in range(MOST_SUPPOSED + 1)]
    assert await refused(*many) == ("TOO_MANY", ("rules",))


# ------------------------------------------------------------------------------------------------------ the days ahead


async def test_what_lies_ahead_is_decided_as_if_it_were_sent_then_and_comes_true() -> None:
    """Points mature and expire, a tier is reviewed, a rule begins: in the preview as when the days have come."""
    world = await make_world()
    await world.count("sales", Measure.AMOUNT, Period.MONTHLY)
    await world.ladder(
        "sales", Period.MONTHLY, {"basic": (0, 1), "gold": (50, 2)}, downgrade=Downgrade.TO_EARNED
    )
    await world.earn("base", amount=1, lock_days=3, terms={"expiry": None})
    await world.earn("soon", activity=5, starts_at=datetime(2026, 12, 1, tzinfo=UTC))
    await world.accept(sale("now", "shop", 60))
    at = [
        NOW,
        NOW + timedelta(days=5),
        datetime(2026, 12, 5, 8, tzinfo=UTC),
        datetime(2027, 1, 9, tzinfo=UTC),
    ]
    given = [sale(f"s{place}", "shop", 10, at=when) for place, when in enumerate(at)]
    previews = await tried(world, *given, tiers=["basic", "gold"])
    assert [paid(one) for one in previews] == [
        {"base": 20}, {"base": 20}, {"base": 20, "soon": 10}, {"base": 10, "soon": 5}
    ]  # fmt: skip
    assert [one.tier for one in previews] == ["gold", "gold", "gold", "basic"]
    for place, (when, previewed) in enumerate(zip(at, previews, strict=True)):
        world.clock.set(when)
        await review_tiers_of(world.program_id, world.clock)
        await turn_lots_of(world.program_id, when)
        (outcome,) = await world.accept(given[place])
        assert [fact.data for fact in previewed.outcome.facts] == [fact.data for fact in outcome.facts]
        balance = await world.wallet("shop")
        (held,) = previewed.wallets
        assert (held.available, held.pending) == (balance.available, balance.pending), when
    await check_audit(world.program_id)


async def test_no_more_than_four_hundred_days_ahead_and_only_in_a_preview() -> None:
    world = await make_world()
    await world.earn("base", amount=1)
    late = [
        sale("x", "shop", 1, at=NOW + AHEAD),
        sale("y", "shop", 1, at=NOW + AHEAD + timedelta(hours=1)),
        sale("z", "shop", 1),
    ]
    previews = await tried(world, *late)
    assert [one.outcome.code for one in previews] == ["", "FUTURE_DATE", ""]
    assert previews[1].outcome.message == "occurredAt lies more than 400 days ahead"
    assert [one.code for one in await world.record(*late)] == ["FUTURE_DATE", "FUTURE_DATE", ""]


# ------------------------------------------------------------------------------------------------------- beside others


async def test_previews_wait_for_nobody_and_keep_nobody_waiting() -> None:
    """Under locks on the program, its partners and budgets a preview is answered; and beside many, all is recorded."""
    world = await make_world(("a", "b"))
    await world.earn("fund", amount=1, terms={"budget": 1000})
    await world.accept(sale("first", "a", 10))
    is_held, is_looked = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with transaction() as connection:
            for table in ("program", "partner", "earning_budget", "earning_rule"):
                column = "id" if table == "program" else "program_id"
                await connection.execute(
                    f"SELECT FROM {table} WHERE {column} = $1 FOR UPDATE", world.program_id
                )
            await connection.execute(CLAIM, world.program_id)
            is_held.set()
            await is_looked.wait()
            await connection.execute(RELEASE, world.program_id)

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())
        await is_held.wait()
        (found,) = await preview(
            program_id=world.program_id,
            activities=[sale("x", "a", 5)],
            rules=[rule("fund", terms={"budget": 12}), rule("new")],
            clock=world.clock,
        )
        is_looked.set()
    assert paid(found) == {"fund": 2, "new": 5}

    async def look(turn: int) -> list[dict[str, int]]:
        given = [sale("same", "ab"[turn % 2], 10), sale(f"own{turn}", "b", 10)]
        found = await preview(
            program_id=world.program_id,
            activities=given,
            rules=[rule("new", amount=turn + 1)],
            clock=world.clock,
        )
        return [{key: points for key, points in paid(one).items() if key == "new"} for one in found]

    async with asyncio.timeout(60):
        looked, recorded = await asyncio.gather(
            asyncio.gather(*(look(turn) for turn in range(20))),
            world.accept(*(sale(f"r{n}", "ab"[n % 2], 10) for n in range(20))),
        )
    assert looked == [[{"new": 10 * (turn + 1)}] * 2 for turn in range(20)]
    assert [fact.data["amount"] for one in recorded for fact in one.facts] == [10] * 20
    assert (await world.wallet("a")).available == 110
    await check_audit(world.program_id)
