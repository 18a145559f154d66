"""Adjustments: points given and taken by a person, once a key."""

import asyncio
from datetime import timedelta
from importlib import import_module

import asyncpg
import pytest

from base.database import transaction
from base.errors import Invalid, NotFound
from loyalty.ledger.adjust import IdempotencyConflict, adjust_points
from loyalty.ledger.adjustments import Adjustment
from loyalty.ledger.books import MOST
from loyalty.ledger.desk import HistoryLoading
from loyalty.ledger.expiry import Expiry
from loyalty.ledger.posting import InsufficientPoints
from partners.history import begin_history, end_history
from tests.invariants import check_audit
from tests.world import NOW, World, make_world, sale

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
async def world() -> World:
    return await make_world(("a", "b"))


async def adjust(
    world: World, partner: str = "a", amount: int = 100, *, key: str = "k", reason: str = "a gift"
) -> Adjustment:
    return await adjust_points(
        program_id=world.program_id,
        partner=partner,
        amount=amount,
        reason=reason,
        idempotency_key=key,
        actor="finance",
        now=NOW,
    )


async def available(world: World, partner: str = "a") -> int:
    return (await world.wallet(partner)).available


async def test_points_are_given_and_taken(world: World) -> None:
    await adjust(world, amount=100, key="1")
    await adjust(world, amount=-30, key="2")
    assert await available(world) == 70
    await check_audit(world.program_id)


async def test_the_same_again_is_the_same(world: World) -> None:
    first = await adjust(world)
    again = await adjust(world)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.transaction_id == first.transaction_id
    assert await available(world) == 100


async def test_a_key_of_the_time_before_adjustments_were_kept_answers_what_it_did(world: World) -> None:
    given = await adjust(world, amount=100, key="1", reason="a 'gift'")
    taken = await adjust(world, "b", 7, key="2")
    kept = "SELECT * FROM adjustment WHERE program_id = $1 ORDER BY transaction_id"
    before = [dict(row) | {"id": 0} for row in await world.rows(kept)]
    async with transaction() as connection:
        await connection.execute("DELETE FROM adjustment WHERE program_id = $1", world.program_id)
    with pytest.raises(asyncpg.UniqueViolationError):
        await adjust(world, amount=100, key="1", reason="a 'gift'")
    await adjust(world, amount=5, key="3")
    migration = import_module("ops.migrations.0018_adjustments_before")
    for _ in range(2):
        async with transaction() as connection:
            await connection.execute(migration.KEEP_POSTED)
        after = [dict(row) | {"id": 0} for row in await world.rows(kept)]
        assert after[:2] == before
        assert len(after) == 3
    again = await adjust(world, amount=100, key="1", reason="a 'gift'")
    assert (again.is_new, again.transaction_id) == (False, given.transaction_id)
    with pytest.raises(IdempotencyConflict):
        await adjust(world, "b", 8, key="2")
    assert (await adjust(world, "b", 7, key="2")).transaction_id == taken.transaction_id
    assert (await available(world), await available(world, "b")) == (105, 7)


async def test_by_hand_nothing_is_done_while_a_past_is_loaded() -> None:
    """What looks expired by now is what the past renews: each of its sales puts the expiry off."""
    world = await make_world(["a"])
    await world.earn(amount=1, terms={"expiry": Expiry.sliding(days=60)})
    first = NOW - timedelta(days=200)
    before = await adjust(world, amount=1, key="before")
    await begin_history(world.program_id)
    await world.accept(sale("0", "a", 100, at=first), history=True)
    with pytest.raises(HistoryLoading):
        await adjust(world, amount=1)
    # What was posted before answers as ever.
    assert (await adjust(world, amount=1, key="before")).transaction_id == before.transaction_id
    for number in range(1, 8):
        day = first + timedelta(days=28 * number)
        await world.accept(sale(str(number), "a", 1, at=day), history=True)
    await end_history(world.program_id)
    assert (await adjust(world, amount=1)).is_new
    assert await available(world) == 109
    await check_audit(world.program_id)


@pytest.mark.parametrize("changes", [{"amount": 99}, {"reason": "another"}, {"partner": "b"}])
async def test_another_content_under_a_key_is_a_conflict(world: World, changes: dict[str, object]) -> None:
    await adjust(world)
    with pytest.raises(IdempotencyConflict):
        await adjust(world, **changes)  # type: ignore[arg-type]
    assert await available(world) == 100
    assert await available(world, "b") == 0


async def test_one_key_for_two_partners_at_once_has_one_winner(world: World) -> None:
    for turn in range(10):
        both = [adjust(world, partner, key=f"turn {turn}") for partner in "ab"]
        answers = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(one).__name__ for one in answers) == ["Adjustment", "IdempotencyConflict"]
    assert await available(world) + await available(world, "b") == 1_000


@pytest.mark.parametrize(
    ("changes", "refusal", "code"),
    [
        ({"amount": 0}, Invalid, "INVALID_AMOUNT"),
        ({"amount": MOST + 1}, Invalid, "INVALID_AMOUNT"),
        ({"amount": -1}, InsufficientPoints, "INSUFFICIENT_POINTS"),
        ({"partner": "nobody"}, NotFound, "UNKNOWN_PARTNER"),
        ({"reason": " "}, Invalid, "INVALID_TEXT"),
        ({"key": ""}, Invalid, "INVALID_TEXT"),
    ],
)
async def test_a_wrong_adjustment_is_refused(
    world: World, changes: dict[str, object], refusal: type[Exception], code: str
) -> None:
    with pytest.raises(refusal) as refused:
        await adjust(world, **changes)  # type: ignore[arg-type]
    assert getattr(refused.value, "code", None) == code
    assert await available(world) == 0


async def test_a_wallet_holds_what_every_client_can_tell(world: World) -> None:
    await adjust(world, amount=MOST, key="1")
    with pytest.raises(Invalid) as refused:
        await adjust(world, amount=1, key="2")
    assert refused.value.code == "INVALID_AMOUNT"
    assert await available(world) == MOST
