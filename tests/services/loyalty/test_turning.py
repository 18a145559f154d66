"""Points mature and expire by themselves: by the job, and before it by whoever takes them."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import pytest

from base import failpoints
from loyalty.ledger import turning
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.configuring import set_policies
from loyalty.ledger.expiry import Expiry
from loyalty.ledger.policies import Policies, Returns
from loyalty.ledger.posting import InsufficientPoints
from loyalty.ledger.turning import turn_lots, turn_lots_of
from metrics.rules import Measure
from metrics.windows import Period
from partners.history import begin_history, end_history
from tests.invariants import check_audit, check_invariants
from tests.ledger import give
from tests.world import NOW, Balance, World, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

DAY: Final = timedelta(days=1)
ENTRIES: Final = """
SELECT e.kind, e.bucket, e.amount, t.occurred_at, t.posted_at FROM ledger_entry e
JOIN ledger_transaction t ON t.program_id = e.program_id AND t.id = e.transaction_id
WHERE e.program_id = $1 AND e.partner_id IS NOT NULL ORDER BY e.partner_id, e.unit, e.version
"""


async def turn(world: World, after: timedelta = timedelta(0)) -> None:
    """Let time pass, and the job come."""
    world.clock.set(world.clock.now() + after)
    await turn_lots_of(world.program_id, world.clock.now())


async def adjust(world: World, partner: str, amount: int, key: str) -> None:
    await adjust_points(
        program_id=world.program_id,
        partner=partner,
        amount=amount,
        reason="test",
        idempotency_key=key,
        actor="tests",
        now=world.clock.now(),
    )


async def posted(world: World) -> list[tuple[Any, ...]]:
    """What was posted to wallets: kind, bucket and amount."""
    return [tuple(row)[:3] for row in await world.rows(ENTRIES)]


async def proved(world: World) -> None:
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_the_job_matures_and_expires_what_is_due() -> None:
    world = await make_world(["shop", "kiosk"])
    await give(world, "shop", 10, lock=2 * DAY, expiry=Expiry.after(days=3))
    await give(world, "kiosk", 5)
    await turn(world, DAY)
    assert await world.wallet("shop") == Balance(0, 0, 1, pending=10)
    await turn(world, DAY)
    assert await world.wallet("shop") == Balance(10, 0, 3)
    await turn(world, 10 * DAY)
    assert await world.wallet("shop") == Balance(0, 0, 4)
    assert await world.wallet("kiosk") == Balance(5, 0, 1)
    rows = await world.rows(f"{ENTRIES} LIMIT 4")
    assert [(row["kind"], row["amount"]) for row in rows] == [
        ("EARN", 10), ("MATURE", -10), ("MATURE", 10), ("EXPIRE", -10)
    ]  # fmt: skip
    assert rows[3]["occurred_at"] == NOW.replace(hour=0) + 6 * DAY
    assert rows[3]["posted_at"] == world.clock.now()
    before = await world.everything()
    await turn(world, DAY)
    assert await world.everything() == before
    await proved(world)


async def test_every_program_is_seen_to() -> None:
    worlds = [await make_world() for _ in range(2)]
    for world in worlds:
        await give(world, "shop", 10, expiry=Expiry.after(days=1))
    await turn_lots(NOW + 3 * DAY)
    assert [(await world.wallet("shop")).available for world in worlds] == [0, 0]


async def test_points_of_a_past_that_is_loaded_wait_for_its_end() -> None:
    world = await make_world(["shop"])
    await give(world, "shop", 10, expiry=Expiry.after(days=1))
    await begin_history(world.program_id)
    await turn_lots(NOW + 3 * DAY)
    assert (await world.wallet("shop")).available == 10
    await end_history(world.program_id)
    await turn_lots(NOW + 3 * DAY)
    assert (await world.wallet("shop")).available == 0


async def test_it_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [f"shop-{number}" for number in range(7)]
    world = await make_world(codes)
    monkeypatch.setattr(turning, "PARTNERS_PER_PAGE", 2)
    monkeypatch.setattr(turning, "LOOKED_AT", 3)
    for code in codes:
        for amount in (3, 4):
            await give(world, code, amount, lock=DAY, expiry=Expiry.after(days=amount))
    world.clock.set(NOW + 30 * DAY)
    with failpoints.armed("lots.saved=error@2"), pytest.raises(failpoints.FailpointError):
        await turn(world)
    held = [await world.wallet(code) for code in codes]
    assert sum(one.pending for one in held) == 7 * 5, "one page of two partners is done, and no other"
    await turn(world)
    assert {await world.wallet(code) for code in codes} == {Balance(0, 0, 6)}
    await proved(world)


async def test_two_workers_turn_a_lot_once() -> None:
    world = await make_world(["shop", "kiosk"])
    for code in ("shop", "kiosk"):
        await give(world, code, 10, lock=DAY, expiry=Expiry.after(days=1))
    world.clock.set(NOW + 9 * DAY)
    await asyncio.gather(*(turn(world) for _ in range(4)))
    assert await world.wallet("shop") == await world.wallet("kiosk") == Balance(0, 0, 4)
    await proved(world)


async def test_nothing_is_taken_after_its_expiry_though_the_job_is_late() -> None:
    world = await make_world()
    await give(world, "shop", 10, expiry=Expiry.after(days=1))
    await give(world, "shop", 4, lock=2 * DAY)
    world.clock.set(NOW + 2 * DAY)
    with pytest.raises(InsufficientPoints):
        await adjust(world, "shop", -5, "a")
    assert (await world.wallet("shop")).available == 10, "what was refused changed nothing"
    await adjust(world, "shop", -4, "b")
    assert await world.wallet("shop") == Balance(0, 0, 6)
    await proved(world)


async def test_what_is_adjusted_expires_as_the_program_says() -> None:
    world = await make_world()
    await set_policies(program_id=world.program_id, policies=Policies(expiry=Expiry.after(months=1)))
    await adjust(world, "shop", 10, "a")
    (row,) = await world.rows("SELECT because FROM ledger_transaction WHERE program_id = $1")
    assert '"expiresOn":"2026-12-20"' in row["because"]
    await turn(world, 31 * DAY)
    assert await world.wallet("shop") == Balance(0, 0, 2)
    await proved(world)


async def test_earned_points_and_rewards_expire_as_the_program_says() -> None:
    world = await make_world({"shop": "Asia/Jakarta"})
    await world.count("amount", Measure.AMOUNT)
    await world.earn(amount=1)
    await world.mission("m", {"amount": 10}, points=100)
    await set_policies(
        program_id=world.program_id, policies=Policies(expiry=Expiry.at_end_of(Period.MONTHLY))
    )
    await world.accept(sale("a", "shop", 10))
    rows = await world.rows("SELECT granted, expires_at FROM lot WHERE program_id = $1 ORDER BY granted")
    assert [tuple(row) for row in rows] == [(amount, NOW.replace(day=30, hour=17)) for amount in (10, 100)]
    world.clock.set(NOW + 11 * DAY)
    await world.accept(return_of("b", "shop", "a", at=NOW + 11 * DAY))
    assert await world.wallet("shop") == Balance(0, 0, 3), "all had expired; nothing is owed"
    await proved(world)


@pytest.mark.parametrize("at_once", [False, True])
async def test_what_was_idle_for_too_long_is_not_renewed(at_once: bool) -> None:
    """However late the job is, and however the sales are batched."""
    world = await make_world()
    await world.earn(amount=1)
    await set_policies(program_id=world.program_id, policies=Policies(expiry=Expiry.sliding(days=10)))
    sales = [sale(f"a{day}", "shop", 10, at=NOW + day * DAY) for day in (0, 9, 25)]
    world.clock.set(NOW + 30 * DAY)
    batches = [sales] if at_once else [[one] for one in sales]
    for batch in batches:
        await world.record(*batch, history=True)
    assert await posted(world) == [
        ("EARN", "AVAILABLE", 10),
        ("EARN", "AVAILABLE", 10),
        ("EXPIRE", "AVAILABLE", -20),
        ("EARN", "AVAILABLE", 10),
    ]
    (row,) = await world.rows("SELECT idle, idle_until FROM wallet WHERE program_id = $1")
    assert tuple(row) == ("10d", NOW.replace(hour=0) + 36 * DAY)
    await proved(world)


@pytest.mark.parametrize(
    ("returns", "after", "later"),
    [
        (Returns.DEBT, Balance(0, 16, 5), Balance(0, 6, 8)),
        (Returns.WITHIN_BALANCE, Balance(0, 0, 4), Balance(10, 0, 5)),
        (Returns.ONLY_PENDING, Balance(4, 0, 3), Balance(14, 0, 4)),
    ],
)
async def test_a_return_takes_back_what_the_program_says(
    returns: Returns, after: Balance, later: Balance
) -> None:
    world = await make_world()
    await world.earn(amount=1)
    await set_policies(program_id=world.program_id, policies=Policies(returns=returns))
    await world.accept(sale("a", "shop", [line("tea", 2, 20)]), sale("b", "shop", 4))
    await adjust(world, "shop", -20, "spent")
    await world.accept(return_of("r1", "shop", "a"))
    assert await world.wallet("shop") == after
    await world.accept(sale("c", "shop", 10))
    assert await world.wallet("shop") == later
    await proved(world)
