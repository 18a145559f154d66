"""Adjustments that take two: above the program's threshold nothing is posted before a second person approves, once."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import asyncpg
import pytest

from base.database import reading, transaction
from base.errors import Invalid, NotFound
from loyalty.because import chain
from loyalty.ledger.adjust import IdempotencyConflict, adjust_points
from loyalty.ledger.adjustments import Adjustment, AdjustmentState, list_adjustments
from loyalty.ledger.approval import (
    AdjustmentDecided,
    SamePerson,
    UnnamedPerson,
    approve_adjustment,
    reject_adjustment,
)
from loyalty.ledger.books import MOST
from loyalty.ledger.configuring import change_policies, set_unit
from loyalty.ledger.policies import Policies
from loyalty.ledger.posting import InsufficientPoints
from loyalty.ledger.queries import load_entries
from loyalty.ledger.units import Unit
from tests.invariants import check_audit
from tests.ledger import hold_points
from tests.world import NOW, World, make_world

pytestmark = pytest.mark.usefixtures("database")

AWAITING, POSTED, REJECTED = AdjustmentState
ABOVE = 1_000


@pytest.fixture
async def world() -> World:
    world = await make_world(("a", "b"))
    await set_unit(program_id=world.program_id, unit=Unit("IDR", "Rupiah", "IDR"))
    await set_thresholds(world, POINT=ABOVE)
    return world


async def set_thresholds(world: World, **above: int) -> Policies:
    return await change_policies(
        program_id=world.program_id, change=lambda stored: replace(stored, approval_above=above)
    )


async def ask(
    world: World, amount: int, *, key: str = "k", partner: str = "a", unit: str = "POINT", by: str = "siti"
) -> Adjustment:
    return await adjust_points(
        program_id=world.program_id,
        partner=partner,
        amount=amount,
        unit=unit,
        reason="a gift",
        idempotency_key=key,
        actor=by,
        now=NOW,
    )


async def approve(world: World, one: Adjustment, by: str = "head") -> Adjustment:
    return await approve_adjustment(program_id=world.program_id, id_=one.id, actor=by, now=NOW)


async def reject(world: World, one: Adjustment, by: str = "head", reason: str = "no proof") -> Adjustment:
    return await reject_adjustment(program_id=world.program_id, id_=one.id, reason=reason, actor=by, now=NOW)


async def available(world: World, partner: str = "a") -> int:
    return (await world.wallet(partner)).available


async def transactions(world: World) -> int:
    rows = await world.rows("SELECT count(*) FROM ledger_transaction WHERE program_id = $1")
    count: int = rows[0][0]
    return count


async def test_up_to_the_threshold_one_person_is_enough(world: World) -> None:
    for key, amount in (("up", ABOVE), ("down", -ABOVE)):
        posted = await ask(world, amount, key=key)
        assert (posted.state, posted.decided_by, posted.is_new) == (POSTED, None, True)
    assert await available(world) == 0
    assert await transactions(world) == 2


async def test_above_it_nothing_is_posted_before_somebody_else_approves(world: World) -> None:
    asked = await ask(world, ABOVE + 1)
    assert (asked.state, asked.transaction_id, asked.asked_by, asked.is_new) == (
        AWAITING,
        None,
        "siti",
        True,
    )
    assert await transactions(world) == 0
    approved = await approve(world, asked)
    assert (approved.state, approved.decided_by, approved.decided_at) == (POSTED, "head", NOW)
    assert await available(world) == ABOVE + 1
    # Taking counts as giving does.
    taken = await ask(world, -ABOVE - 1, key="down")
    assert taken.state is AWAITING
    await approve(world, taken)
    assert await available(world) == 0
    await check_audit(world.program_id)


async def test_the_same_key_answers_how_it_stands(world: World) -> None:
    asked = await ask(world, 5_000)
    again = await ask(world, 5_000)
    assert again == replace(asked, is_new=False)
    with pytest.raises(IdempotencyConflict):
        await ask(world, 5_001)
    with pytest.raises(IdempotencyConflict):
        await ask(world, 5_000, partner="b")
    approved = await approve(world, asked)
    # A threshold that is changed meanwhile changes nothing of what was asked before.
    await set_thresholds(world)
    assert await ask(world, 5_000) == replace(approved, is_new=False)
    assert await transactions(world) == 1


async def test_who_asked_cannot_decide(world: World) -> None:
    asked = await ask(world, 5_000)
    with pytest.raises(SamePerson):
        await approve(world, asked, "siti")
    with pytest.raises(SamePerson):
        await reject(world, asked, "siti")
    assert await transactions(world) == 0
    # Nor would the database let it be written.
    with pytest.raises(asyncpg.CheckViolationError):
        async with transaction() as connection:
            await connection.execute(
                "UPDATE adjustment SET state = 'REJECTED', rejection = 'x', decided_by = asked_by, decided_at = now()"
                " WHERE program_id = $1",
                world.program_id,
            )


@pytest.mark.parametrize(
    ("asker", "approver"), [("finance", "budi"), ("siti", "admin"), ("finance", "admin")]
)
async def test_nobody_approves_for_a_role(world: World, asker: str, approver: str) -> None:
    """A person with two tokens that have no name would be two."""
    asked = await ask(world, 5_000, by=asker)
    with pytest.raises(UnnamedPerson, match="mitra token --name"):
        await approve(world, asked, approver)
    assert await transactions(world) == 0
    # What such a token asked for can be rejected, and what a person asked for waits for another one.
    assert (await reject(world, asked, approver)).state is REJECTED
    await approve(world, await ask(world, 5_000, key="again"))
    assert await available(world) == 5_000


async def test_what_is_decided_stays_decided(world: World) -> None:
    first, second = await ask(world, 5_000, key="1"), await ask(world, 5_000, key="2")
    approved, rejected = await approve(world, first), await reject(world, second)
    assert (rejected.state, rejected.rejection, rejected.transaction_id) == (REJECTED, "no proof", None)
    assert await approve(world, first, "another") == replace(approved, is_new=False)
    assert await reject(world, second, "another", "something else") == replace(rejected, is_new=False)
    for decide, one in ((reject, first), (approve, second)):
        with pytest.raises(AdjustmentDecided):
            await decide(world, one)
    assert await available(world) == 5_000
    assert (await ask(world, 5_000, key="2")).state is REJECTED


async def test_what_cannot_be_posted_goes_on_awaiting(world: World) -> None:
    asked = await ask(world, -5_000)
    with pytest.raises(InsufficientPoints):
        await approve(world, asked)
    await approve(world, await ask(world, MOST, key="much"))
    await approve(world, asked)
    more = await ask(world, MOST, key="more")
    with pytest.raises(Invalid) as refused:
        await approve(world, more)
    assert refused.value.code == "INVALID_AMOUNT"
    async with reading() as connection:
        found = await list_adjustments(connection, program_id=world.program_id, states=[AWAITING], limit=10)
    assert [one.id for one in found] == [more.id]


async def test_the_because_tells_who_asked_who_approved_and_why(world: World) -> None:
    approved = await approve(world, await ask(world, 5_000))
    assert approved.transaction_id is not None
    async with reading() as connection:
        found = await load_entries(
            connection, program_id=world.program_id, transaction_ids=[approved.transaction_id]
        )
    (entry,) = found[approved.transaction_id]
    first, second = chain(list(entry.because), len(entry.because) - 1)
    assert (first["step"], first["askedBy"], first["approvedBy"]) == ("approval", "siti", "head")
    assert (second["step"], second["reason"], second["amount"]) == ("adjustment", "a gift", 5_000)


async def test_thresholds_are_by_unit(world: World) -> None:
    await set_thresholds(world, IDR=1_000_000)
    assert (await ask(world, 5_000, key="1")).state is POSTED
    assert (await ask(world, 1_000_000, key="2", unit="IDR")).state is POSTED
    above = await ask(world, 1_000_001, key="3", unit="IDR")
    assert above.state is AWAITING
    assert (await approve(world, above)).unit == "IDR"
    rows = await world.rows("SELECT unit, available FROM wallet WHERE program_id = $1 ORDER BY unit")
    assert [tuple(row) for row in rows] == [("IDR", 2_000_001), ("POINT", 5_000)]
    await check_audit(world.program_id)
    with pytest.raises(Invalid) as refused:
        await set_thresholds(world, POINT=1, USD=1)
    assert (refused.value.code, refused.value.field) == (
        "UNKNOWN_UNIT",
        ("adjustmentApprovalAbove", "1", "unit"),
    )
    with pytest.raises(Invalid) as unknown:
        await ask(world, 1, key="4", unit="USD")
    assert (unknown.value.code, unknown.value.field) == ("UNKNOWN_UNIT", ("unit",))


async def test_another_programs_adjustment_is_none(world: World) -> None:
    other = await make_world()
    asked = await ask(world, 5_000)
    for call in (approve(other, asked), reject(other, asked)):
        with pytest.raises(NotFound):
            await call


async def settled(*calls: Awaitable[Adjustment]) -> tuple[list[Adjustment], list[BaseException]]:
    """What parallel calls answered, each on a connection of its own."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    good = [one for one in answers if isinstance(one, Adjustment)]
    return good, [one for one in answers if isinstance(one, BaseException)]


async def test_approvals_that_race_post_once(world: World) -> None:
    for turn in range(10):
        asked = await ask(world, 5_000, key=f"turn {turn}")
        good, bad = await settled(*(approve(world, asked, f"head {number}") for number in range(4)))
        assert not bad
        assert [one.is_new for one in good].count(True) == 1
        assert len({(one.decided_by, one.transaction_id) for one in good}) == 1
        assert await available(world) == 5_000 * (turn + 1)
    assert await transactions(world) == 10
    await check_audit(world.program_id)


async def test_of_an_approval_and_a_rejection_that_race_one_wins(world: World) -> None:
    posted = 0
    for turn in range(10):
        asked = await ask(world, 5_000, key=f"turn {turn}")
        good, bad = await settled(approve(world, asked, "head"), reject(world, asked, "deputy"))
        (winner,), (loser,) = good, bad
        assert isinstance(loser, AdjustmentDecided)
        posted += winner.state is POSTED
        assert await available(world) == 5_000 * posted
    assert await transactions(world) == posted


async def test_of_an_approval_and_a_hold_of_the_same_points_one_wins(world: World) -> None:
    approvals = 0
    for turn in range(10):
        await set_thresholds(world)
        await ask(world, 5_000 - await available(world), key=f"fill {turn}")
        await set_thresholds(world, POINT=ABOVE)
        asked = await ask(world, -4_000, key=f"turn {turn}")
        held = hold_points(
            program_id=world.program_id,
            partner="a",
            amount=4_000,
            purpose="a kettle",
            idempotency_key=f"turn {turn}",
            actor="a",
            now=NOW,
        )
        answers = await asyncio.gather(approve(world, asked), held, return_exceptions=True)
        assert [isinstance(one, InsufficientPoints) for one in answers].count(True) == 1, answers
        approvals += isinstance(answers[0], Adjustment)
        assert await available(world) == 1_000
    rows = await world.rows("SELECT held FROM wallet WHERE program_id = $1")
    assert rows[0]["held"] == 4_000 * (10 - approvals)
    await check_audit(world.program_id)


async def test_asking_twice_at_once_asks_once(world: World) -> None:
    for turn in range(5):
        good, bad = await settled(*(ask(world, 5_000, key=f"turn {turn}") for _ in range(3)))
        assert not bad
        assert len({one.id for one in good}) == 1
        assert [one.is_new for one in good].count(True) == 1
