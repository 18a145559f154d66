"""Points that are locked and expire, on their way through batches: however these are cut, and late as the job is."""

import random
from datetime import timedelta
from typing import Any

import pytest

from activity.rules import ActivityInput
from loyalty.ledger.configuring import set_policies
from loyalty.ledger.expiry import Expiry
from loyalty.ledger.policies import Policies, Returns
from loyalty.ledger.turning import turn_lots_of
from metrics.rules import Measure
from metrics.windows import Period
from partners.history import begin_history, end_history
from tests.invariants import check_audit, check_invariants
from tests.world import NOW, Balance, World, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
SHOPS = ("shop", "kiosk")


async def make_locked_world(returns: Returns) -> World:
    """Points of amounts mature after three days and last twenty; those of visits to the till slide for nine."""
    world = await make_world({"shop": "Asia/Jakarta", "kiosk": "America/New_York"})
    await world.count("points", Measure.POINTS_EARNED, Period.MONTHLY)
    await world.earn("amount", amount=1, lock_days=3, terms={"expiry": Expiry.after(days=20)})
    await world.earn("till", activity=5, terms={"expiry": Expiry.sliding(days=9)})
    await world.mission("m", {"points": 60}, points=30, starts_at=NOW - 400 * DAY)
    policies = Policies(returns=returns, expiry=Expiry.at_end_of(Period.MONTHLY))
    await set_policies(program_id=world.program_id, policies=policies)
    return world


def make_sequence(dice: random.Random) -> list[ActivityInput]:
    """Sales, and returns of the whole and of parts, over most of a year, in the order of their time."""
    at, made, sold = NOW - 340 * DAY, list[ActivityInput](), dict[str, list[tuple[str, int]]]()
    for number in range(40):
        at += timedelta(hours=dice.choice([1, 20, 60, 200]))
        shop = dice.choice(SHOPS)
        mine = sold.setdefault(shop, [])
        if mine and dice.random() < 0.35:
            name, quantity = mine.pop(dice.randrange(len(mine)))
            what: Any = name if dice.random() < 0.5 else [back(name, 1, "tea", 1, 2)]
            made.append(return_of(f"r{number}", shop, what, at=at))
            continue
        quantity = dice.randint(2, 9)
        mine.append((f"s{number}", quantity))
        made.append(sale(f"s{number}", shop, [line("tea", quantity, 4 * quantity)], at=at))
    return made


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("returns", Returns)
async def test_however_they_are_batched(returns: Returns, seed: int) -> None:
    made = make_sequence(random.Random(seed))
    found = []
    for size in (1, 7, len(made)):
        world = await make_locked_world(returns)
        for first in range(0, len(made), size):
            outcomes = await world.record(*made[first : first + size], history=True)
            assert {one.status for one in outcomes} == {"RECORDED"}
        await check_invariants(world.program_id)
        await turn_lots_of(world.program_id, NOW)
        await check_audit(world.program_id)
        found.append(await world.everything())
    assert found[0] == found[1] == found[2]
    kinds = {row[2] for row in found[0]["entries"]}
    assert kinds >= {"EARN", "MATURE", "EXPIRE"}


async def test_a_return_while_the_points_are_pending_takes_them_there() -> None:
    world = await make_world()
    await world.earn("amount", amount=1, lock_days=3)
    await world.accept(sale("a", "shop", [line("tea", 2, 20)]), sale("b", "shop", 4))
    assert await world.wallet("shop") == Balance(0, 0, 2, pending=24)
    await world.accept(return_of("r", "shop", [back("a", 1, "tea", 1, 10)]))
    assert await world.wallet("shop") == Balance(0, 0, 3, pending=14)
    world.clock.set(NOW + 5 * DAY)
    await world.accept(return_of("r2", "shop", "a", at=world.clock.now()))
    assert await world.wallet("shop") == Balance(4, 0, 6), "they had matured before, though no job had come"
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


@pytest.mark.parametrize("live", ["sale", "return"])
async def test_what_is_live_lets_a_past_that_is_loaded_end(live: str) -> None:
    world = await make_world(("shop",))
    await world.earn("base", amount=1, terms={"expiry": Expiry.sliding(days=60)})
    old = NOW - 200 * DAY
    await begin_history(world.program_id)
    await world.accept(sale("one", "shop", 100, at=old), sale("two", "shop", 7, at=old), history=True)
    await world.accept(sale("now", "shop", 1) if live == "sale" else return_of("back", "shop", "two"))
    assert (await world.wallet("shop")).available == (108 if live == "sale" else 100)
    for n in range(1, 8):
        await world.accept(sale(f"x{n}", "shop", 1, at=old + 28 * n * DAY), history=True)
    await end_history(world.program_id)
    await turn_lots_of(world.program_id, NOW)
    assert (await world.wallet("shop")).available == (115 if live == "sale" else 107)
    await check_invariants(world.program_id)
    await check_audit(world.program_id)
