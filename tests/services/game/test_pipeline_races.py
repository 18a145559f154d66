"""Many connections at once: nothing is counted twice, nothing is lost, nothing hangs."""

import asyncio
from collections import Counter
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from base.database import reading
from game.outcome import Outcome
from game.review import review_program
from loyalty.ledger.adjust import adjust_points
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_audit, check_invariants
from tests.services.programs import WAITING, another_transaction
from tests.world import NOW, World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

WRITERS = 8
SECONDS = 60.0


@pytest.fixture
async def world() -> World:
    world = await make_world(("a", "b", "c"))
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.count("points", Measure.POINTS_ALL, Period.MONTHLY)
    await world.earn(amount=1)
    return world


async def test_the_same_batch_from_many_at_once_is_recorded_once(world: World) -> None:
    batch = [sale(f"x{number}", "abc"[number % 3]) for number in range(30)]
    async with asyncio.timeout(SECONDS):
        answers = await asyncio.gather(*(world.record(*batch) for _ in range(WRITERS)))
    for outcomes in zip(*answers, strict=True):
        assert Counter(one.status for one in outcomes) == {"RECORDED": 1, "DUPLICATE": WRITERS - 1}
        assert len({one.activity_id for one in outcomes}) == 1
        facts = [list(one.facts) for one in outcomes]
        assert facts == [facts[0]] * WRITERS
    assert await world.value("amount", Period.MONTHLY, "a") == 100
    await check_invariants(world.program_id)


async def test_overlapping_batches_in_opposite_orders_wait_for_each_other(world: World) -> None:
    """Keys and partners in opposite orders: nobody sees a deadlock, and each activity has one writer."""
    activities = [sale(f"x{number}", "abc"[number % 3]) for number in range(40)]

    async def write(turn: int) -> list[Outcome]:
        mine = activities[turn * 2 : 20 + turn * 2]
        return await world.record(*(mine if turn % 2 else reversed(mine)))

    async with asyncio.timeout(SECONDS):
        answers = await asyncio.gather(*(write(turn) for turn in range(WRITERS)))
    recorded = Counter(
        one.external_id for outcomes in answers for one in outcomes if one.status == "RECORDED"
    )
    assert set(recorded.values()) == {1}
    assert {one.status for outcomes in answers for one in outcomes} == {"RECORDED", "DUPLICATE"}
    assert len(await world.rows("SELECT 1 FROM activity WHERE program_id = $1")) == len(recorded)
    await check_invariants(world.program_id)


async def test_conflicting_payloads_at_once_have_one_winner(world: World) -> None:
    async with asyncio.timeout(SECONDS):
        answers = await asyncio.gather(*(world.record(sale("x1", "a", 1 + turn)) for turn in range(WRITERS)))
    statuses = Counter((one.status, one.code) for (one,) in answers)
    assert statuses == {("RECORDED", ""): 1, ("REJECTED", "IDEMPOTENCY_CONFLICT"): WRITERS - 1}
    await check_invariants(world.program_id)


async def test_one_partner_and_many_writers(world: World) -> None:
    """Sales, returns and adjustments of one partner: its numbers stay dense and its balances a chain."""

    async def write(turn: int) -> None:
        for number in range(5):
            name = f"{turn}-{number}"
            await world.accept(sale(f"x{name}", "a"), sale(f"y{name}", "a", 7))
            await adjust_points(
                program_id=world.program_id,
                partner="a",
                amount=3,
                reason="test",
                idempotency_key=name,
                actor="tests",
                now=NOW,
            )
            await world.accept(return_of(f"r{name}", "a", f"x{name}"))

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(write(turn) for turn in range(WRITERS)))
    assert (await world.wallet("a")).available == WRITERS * 5 * (7 + 3)
    assert await world.value("points", Period.MONTHLY, "a") == WRITERS * 5 * 7
    await check_invariants(world.program_id)


async def test_only_one_of_many_returns_takes_what_is_left(world: World) -> None:
    await world.accept(sale("x1", "a"))
    async with asyncio.timeout(SECONDS):
        answers = await asyncio.gather(
            *(world.record(return_of(f"r{turn}", "a", "x1")) for turn in range(WRITERS))
        )
    statuses = Counter((one.status, one.code) for (one,) in answers)
    assert statuses == {("RECORDED", ""): 1, ("REJECTED", "NOTHING_LEFT"): WRITERS - 1}
    await check_invariants(world.program_id)


async def test_a_mission_published_in_the_middle_counts_every_activity(world: World) -> None:
    """Also those that were on their way when it was, once what counted before has been gone through."""
    each = 12

    async def write(turn: int) -> None:
        for number in range(each):
            await world.accept(sale(f"x{turn}-{number}", "abc"[turn % 3]))

    async def configure() -> None:
        await world.count("sales", Measure.COUNT)
        await world.mission("m", {"sales": each}, points=5)
        await review_program(world.program_id, world.clock)

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(write(turn) for turn in range(WRITERS)), configure())
    await review_program(world.program_id, world.clock)
    turns = Counter("abc"[turn % 3] for turn in range(WRITERS))
    for code in "abc":
        sales = turns[code] * each
        assert await world.value("sales", Period.FIXED, code) == sales
        assert await world.completions(code) == {"m": (1, True)}
        assert (await world.wallet(code)).available == sales * 10 + 5
        assert await world.value("points", Period.MONTHLY, code) == Decimal(sales * 10 + 5)
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_what_a_review_pays_comes_on_top_of_what_was_counted(world: World) -> None:
    await world.accept(sale("x1", "a", 60), sale("x2", "b", 20))
    await world.mission("m", {"amount": 50}, points=30)
    await review_program(world.program_id, world.clock)
    assert await world.completions("a") == {"m": (1, True)}
    assert await world.completions("b") == {}
    assert await world.value("points", Period.MONTHLY, "a") == 90
    assert await world.value("points", Period.MONTHLY, "b") == 20
    await world.accept(return_of("r1", "a", "x1"))
    assert (await world.wallet("a")).available == 0
    assert await world.value("points", Period.MONTHLY, "a") == 0
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_new_ladder_is_gone_through_also_for_partners_without_a_meter(world: World) -> None:
    await world.count("pieces", Measure.QUANTITY, kinds=["RECEIPT"])
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "gold": (50, 2)})
    await world.accept(sale("x1", "a", 60))
    assert await world.tier("a") == 1
    await world.ladder("pieces", Period.MONTHLY, {"bronze": (0, 1), "gold": (5, 2)})
    await review_program(world.program_id, world.clock)
    assert await world.tier("a") == 0


async def test_no_tier_is_taken_before_the_past_of_a_new_ladder_is_counted(world: World) -> None:
    """A sale between the change of the ladder and its review sees the partner where it stood."""
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "gold": (50, 2)})
    await world.accept(sale("x1", "a", 60), sale("x2", "b", 60))
    assert await world.tier("a") == await world.tier("b") == 1
    await world.ladder("amount", Period.YEARLY, {"bronze": (0, 1), "gold": (50, 2)})
    (outcome,) = await world.accept(sale("x3", "a", 1))
    assert [fact.data["type"] for fact in outcome.facts] == ["PointsPosted"]
    assert outcome.facts[0].data["amount"] == 2
    await review_program(world.program_id, world.clock)
    assert await world.tier("a") == await world.tier("b") == 1
    await world.accept(return_of("r1", "a", "x1"))
    assert await world.tier("a") == 0


async def test_a_return_before_its_series_was_filled_tells_nothing_false(world: World) -> None:
    """A new series holds nothing of the past yet: what takes from it is put right by the review, and told then."""
    await world.count("pieces", Measure.QUANTITY)
    await world.accept(sale("x1", "a", 90), sale("x2", "a", 500), sale("y1", "b", 7))
    await world.mission("m", {"pieces": 1}, points=10)
    (back,) = await world.accept(return_of("r1", "a", "x2"))
    assert [fact.data["type"] for fact in back.facts] == ["PointsPosted"]
    await world.accept(sale("x3", "a", 1))
    await review_program(world.program_id, world.clock)
    assert await world.completions("a") == await world.completions("b")
    await check_audit(world.program_id)


async def test_a_mission_published_during_a_review_has_its_whole_past_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of one partner, and a mission that is published while the second page is under way."""
    monkeypatch.setattr("game.review.PARTNERS_PER_PAGE", 1)
    await world.accept(*(sale(f"x{shop}", shop, 50) for shop in "abc"))
    await world.mission("first", {"amount": 10}, points=1)
    review = asyncio.create_task(review_program(world.program_id, world.clock))
    async with asyncio.timeout(SECONDS):
        await world.mission("second", {"amount": 10}, points=1)
        await review
    await review_program(world.program_id, world.clock)
    async with reading() as connection:
        rows = await connection.fetch(
            "SELECT mission_id, count(*) AS n FROM mission_completion WHERE program_id = $1 GROUP BY mission_id",
            world.program_id,
        )
    assert sorted(row["n"] for row in rows) == [3, 3]
    await check_audit(world.program_id)


async def test_batches_that_wait_for_a_partner_that_moved_count_on_its_new_calendar(
    database_url: str,
) -> None:
    """What they move was counted before; who is first sees where the partner is now, and the next must see it too."""
    world = await make_world({"shop": "Pacific/Honolulu"})
    await world.count("amount", Measure.AMOUNT, Period.DAILY)
    await world.accept(sale("before", "shop", 1))
    await world.partner("shop", "Asia/Tokyo")
    async with asyncio.timeout(SECONDS):
        watching = await asyncpg.connect(database_url)
        async with another_transaction(database_url) as other:
            await other.execute("SELECT 1 FROM partner WHERE program_id = $1 FOR UPDATE", world.program_id)
            writers = [
                asyncio.create_task(world.accept(sale(name, "shop", amount)))
                for name, amount in (("a", 10), ("b", 100))
            ]
            while await watching.fetchval(WAITING, "%FOR NO KEY UPDATE%") < len(writers):
                pass
        await asyncio.gather(*writers)
        await watching.close()
    meters = await world.meters("amount", Period.DAILY, "shop")
    here = NOW.astimezone(ZoneInfo("Asia/Tokyo")).date()
    assert meters[here].value == 110
    await check_audit(world.program_id)
