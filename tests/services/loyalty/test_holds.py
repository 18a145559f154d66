"""Points are reserved, and spent or given back: once each, whoever asks how often, whatever else happens meanwhile."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Final

import pytest

from base import failpoints
from base.database import reading
from base.errors import DomainError, NotFound
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.configuring import set_unit
from loyalty.ledger.desk import HistoryLoading, IdempotencyConflict
from loyalty.ledger.expiry import Expiry
from loyalty.ledger.holds import Posted
from loyalty.ledger.opening import OpeningBalance, open_balances
from loyalty.ledger.turning import turn_lots_of
from loyalty.ledger.units import Unit, load_units
from partners.history import begin_history, end_history
from tests.invariants import check_audit, check_invariants
from tests.ledger import capture_hold, give, hold_points, release_hold
from tests.world import Balance, World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

DAY: Final = timedelta(days=1)
HOLDS: Final = "SELECT state, amount, captured FROM hold WHERE program_id = $1 ORDER BY id"


@pytest.fixture
async def world() -> World:
    """A shop with 100 points of which 40 expire, and a kiosk with none."""
    world = await make_world(["shop", "kiosk"])
    await world.earn(amount=1)
    await give(world, "shop", 60)
    await give(world, "shop", 40, expiry=Expiry.after(days=30))
    return world


async def hold(world: World, amount: int = 50, *, key: str = "h", **changes: Any) -> Posted:
    asked = {"partner": "shop", "purpose": "a kettle", "unit": "POINT"} | changes
    return await hold_points(
        program_id=world.program_id,
        amount=amount,
        idempotency_key=key,
        actor="tests",
        now=world.clock.now(),
        **asked,
    )


async def capture(world: World, held: int, amount: int | None = None, *, key: str = "c") -> Posted:
    return await capture_hold(
        program_id=world.program_id,
        hold_id=held,
        amount=amount,
        idempotency_key=key,
        actor="tests",
        now=world.clock.now(),
    )


async def release(world: World, held: int, *, key: str = "r") -> Posted:
    return await release_hold(
        program_id=world.program_id,
        hold_id=held,
        idempotency_key=key,
        actor="tests",
        now=world.clock.now(),
    )


async def adjust(world: World, amount: int, *, key: str = "a", unit: str = "POINT") -> Any:
    return await adjust_points(
        program_id=world.program_id,
        partner="shop",
        amount=amount,
        reason="test",
        idempotency_key=key,
        actor="tests",
        now=world.clock.now(),
        unit=unit,
    )


async def race(*calls: Awaitable[Any]) -> list[str]:
    """What became of calls on connections of their own: "done", or the code with which they were refused."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    found = []
    for one in answers:
        if isinstance(one, BaseException) and not isinstance(one, DomainError):
            raise one
        found.append(one.code if isinstance(one, DomainError) else "done")
    return found


async def proved(world: World) -> None:
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def refused(call: Awaitable[Any]) -> str:
    with pytest.raises(DomainError) as caught:
        await call
    return caught.value.code


async def test_a_hold_is_captured_in_part_and_the_rest_comes_back(world: World) -> None:
    held = await hold(world)
    assert await world.wallet("shop") == Balance(50, 0, 4, held=50)
    await capture(world, held.hold_id, 45)
    assert await world.wallet("shop") == Balance(55, 0, 7)
    assert [tuple(row) for row in await world.rows(HOLDS)] == [("CAPTURED", 50, 45)]
    await proved(world)


async def test_a_hold_is_released(world: World) -> None:
    held = await hold(world)
    await release(world, held.hold_id)
    assert await world.wallet("shop") == Balance(100, 0, 6)
    assert [tuple(row) for row in await world.rows(HOLDS)] == [("RELEASED", 50, 0)]
    await proved(world)


async def test_the_same_again_is_the_same(world: World) -> None:
    first, again = await hold(world), await hold(world)
    assert (first.is_new, again.is_new, first.hold_id) == (True, False, again.hold_id)
    for end in (capture, release):
        one = await hold(world, 10, key=f"for {end.__name__}")
        ended, repeated = await end(world, one.hold_id), await end(world, one.hold_id)
        assert (ended.is_new, repeated.is_new, ended.transaction_id) == (
            True,
            False,
            repeated.transaction_id,
        )
    assert (await world.wallet("shop")).held == 50
    await proved(world)


async def test_another_content_under_a_key_is_a_conflict(world: World) -> None:
    held = await hold(world)
    other = await hold(world, 10, key="other")
    for changes in ({"amount": 49}, {"purpose": "a phone"}, {"partner": "kiosk"}):
        with pytest.raises(IdempotencyConflict):
            await hold(world, **changes)
    await capture(world, held.hold_id, 20)
    for again in (capture(world, held.hold_id, 21), capture(world, other.hold_id, 20)):
        with pytest.raises(IdempotencyConflict):
            await again
    assert await world.wallet("shop") == Balance(70, 0, 9, held=10)
    await proved(world)


async def test_a_hold_ends_once(world: World) -> None:
    held = await hold(world)
    await capture(world, held.hold_id)
    assert await refused(release(world, held.hold_id)) == "HOLD_ENDED"
    assert await refused(capture(world, held.hold_id, key="again")) == "HOLD_ENDED"
    await proved(world)


async def test_what_cannot_be_held_or_ended_is_refused(world: World) -> None:
    held = await hold(world)
    assert await refused(hold(world, 51, key="x")) == "INSUFFICIENT_POINTS"
    assert await refused(hold(world, 0, key="x")) == "INVALID_AMOUNT"
    assert await refused(hold(world, 1, key=" ")) == "INVALID_TEXT"
    assert await refused(hold(world, 1, key="x", unit="IDR")) == "UNKNOWN_UNIT"
    assert await refused(hold(world, 1, key="x", partner="nobody")) == "UNKNOWN_PARTNER"
    assert await refused(capture(world, held.hold_id, 51)) == "INVALID_AMOUNT"
    assert await refused(capture(world, held.hold_id, -1)) == "INVALID_AMOUNT"
    with pytest.raises(NotFound):
        await release(await make_world(), held.hold_id)
    await world.close("shop")
    assert await refused(hold(world, 1, key="x")) == "PARTNER_CLOSED"
    await release(world, held.hold_id)
    assert await world.wallet("shop") == Balance(100, 0, 6)


async def test_what_is_past_its_date_can_be_captured_but_not_held_again(world: World) -> None:
    held, other = await hold(world, 20), await hold(world, 20, key="other")
    world.clock.set(world.clock.now() + 40 * DAY)
    await capture(world, held.hold_id)
    await release(world, other.hold_id)
    assert await world.wallet("shop") == Balance(60, 0, 10)
    assert await refused(hold(world, 61, key="x")) == "INSUFFICIENT_POINTS"
    await proved(world)


async def test_a_unit_has_wallets_of_its_own(world: World) -> None:
    assert await refused(adjust(world, 10, unit="IDR")) == "UNKNOWN_UNIT"
    unit = Unit("IDR", "Rupiah", "IDR", 2)
    await set_unit(program_id=world.program_id, unit=unit)
    await adjust(world, 10_000, unit="IDR")
    assert await refused(adjust(world, 10_000)) == "IDEMPOTENCY_CONFLICT"
    await give(world, "shop", 500, lock=DAY, unit="IDR")
    balances = [OpeningBalance(unit, "shop", 7, unit=unit) for unit in ("IDR", "XXX", "POINT")]
    opened = await open_balances(
        program_id=world.program_id, balances=balances, actor="tests", now=world.clock.now()
    )
    assert [one.code or one.status for one in opened] == ["RECORDED", "UNKNOWN_UNIT", "RECORDED"]
    held = await hold(world, 10_007, unit="IDR")
    assert await refused(hold(world, 1, key="x", unit="IDR")) == "INSUFFICIENT_POINTS"
    world.clock.set(world.clock.now() + DAY)
    await turn_lots_of(world.program_id, world.clock.now())
    await capture(world, held.hold_id, 9_000)
    rows = await world.rows(
        "SELECT unit, available, pending, held FROM wallet WHERE program_id = $1 ORDER BY unit"
    )
    assert [tuple(row) for row in rows] == [("IDR", 1_507, 0, 0), ("POINT", 107, 0, 0)]
    await proved(world)


async def test_a_unit_is_given_another_name_and_never_another_meaning(world: World) -> None:
    async def units() -> dict[str, Unit]:
        async with reading() as connection:
            return await load_units(connection, program_id=world.program_id)

    program_id = world.program_id
    assert list(await units()) == ["POINT"]
    await set_unit(program_id=program_id, unit=Unit("IDR", "Rupiah", "IDR", 2))
    await set_unit(program_id=program_id, unit=Unit("IDR", "Indonesian rupiah", "IDR", 2))
    assert (await units())["IDR"].name == "Indonesian rupiah"
    for unit, code in (
        (Unit("IDR", "Rupiah", "IDR", 0), "KEY_TAKEN"),
        (Unit("IDR", "Rupiah", None, 2), "KEY_TAKEN"),
        (Unit("POINT", "Points"), "KEY_TAKEN"),
        (Unit("", "Nothing"), "INVALID_CODE"),
        (Unit("X", "X", "rupiah"), "INVALID_CURRENCY"),
        (Unit("X", "X", "IDR", 7), "INVALID_NUMBER"),
    ):
        assert await refused(set_unit(program_id=program_id, unit=unit)) == code


# ------------------------------------------------------------------------------------------------- at the same time


async def test_the_last_points_are_held_once(world: World) -> None:
    for number in range(5):
        both = [hold(world, 60, key=f"{number}-{who}") for who in range(3)]
        answers = await race(*both)
        assert sorted(answers) == ["INSUFFICIENT_POINTS", "INSUFFICIENT_POINTS", "done"]
        assert await world.wallet("shop") == Balance(40, 0, 4 * number + 4, held=60)
        (held,) = await world.rows("SELECT id FROM hold WHERE program_id = $1 AND state = 'OPEN'")
        await release(world, held["id"], key=f"{number}")
    await proved(world)


async def test_one_key_at_once_is_one_hold(world: World) -> None:
    answers = await asyncio.gather(*(hold(world, 30) for _ in range(5)))
    assert sum(one.is_new for one in answers) == 1
    assert len({one.hold_id for one in answers}) == 1
    assert await race(hold(world, 5, key="k"), hold(world, 5, key="k", partner="kiosk")) in (
        ["done", "IDEMPOTENCY_CONFLICT"],
        ["done", "INSUFFICIENT_POINTS"],
        ["IDEMPOTENCY_CONFLICT", "done"],
    )
    await proved(world)


async def test_a_hold_is_captured_or_released_never_both(world: World) -> None:
    for number in range(5):
        held = await hold(world, 10, key=f"{number}")
        answers = await race(
            capture(world, held.hold_id, key=f"{number}"), release(world, held.hold_id, key=f"{number}")
        )
        assert sorted(answers) == ["HOLD_ENDED", "done"]
    wallet = await world.wallet("shop")
    rows = await world.rows("SELECT count(*) AS n FROM hold WHERE program_id = $1 AND state = 'CAPTURED'")
    assert (wallet.available, wallet.held) == (100 - 10 * rows[0]["n"], 0)
    await proved(world)


async def test_a_return_and_a_capture_at_once(world: World) -> None:
    """What is held stays held for it; the return takes the rest, and what is missing is owed."""
    for number in range(5):
        world = await make_world()
        await world.earn(amount=1)
        await world.accept(sale("a", "shop", 100))
        held = await hold(world, 70)
        answers = await race(
            capture(world, held.hold_id, 50), world.accept(return_of(f"b{number}", "shop", "a"))
        )
        assert answers == ["done", "done"]
        wallet = await world.wallet("shop")
        assert (wallet.available, wallet.held, wallet.debt) == (0, 0, 50)
        await proved(world)


async def test_an_expiry_and_a_hold_at_once(world: World) -> None:
    """The job and whoever spends find the same points past their date."""
    for number in range(5):
        await give(world, "shop", 10, expiry=Expiry.after(days=1))
        before = await world.wallet("shop")
        world.clock.set(world.clock.now() + 2 * DAY)
        answers = await race(
            turn_lots_of(world.program_id, world.clock.now()), hold(world, before.available, key=f"{number}")
        )
        assert answers == ["done", "INSUFFICIENT_POINTS"]
        assert (await world.wallet("shop")).available == before.available - 10
    await proved(world)


async def test_an_adjustment_and_an_expiry_at_once(world: World) -> None:
    world.clock.set(world.clock.now() + 40 * DAY)
    answers = await race(
        *(adjust(world, -60, key=f"{number}") for number in range(2)),
        turn_lots_of(world.program_id, world.clock.now()),
    )
    assert sorted(answers) == ["INSUFFICIENT_POINTS", "done", "done"]
    assert await world.wallet("shop") == Balance(0, 0, 4)
    await proved(world)


async def test_many_at_once_add_up(world: World) -> None:
    """Holds, captures, releases, adjustments, sales and the job, all on one wallet."""
    holds = await asyncio.gather(*(hold(world, 5, key=f"{number}") for number in range(8)))
    world.clock.set(world.clock.now() + 31 * DAY)
    answers = await race(
        *(capture(world, one.hold_id, 3, key=f"{one.hold_id}") for one in holds[:4]),
        *(release(world, one.hold_id, key=f"{one.hold_id}") for one in holds[4:]),
        *(adjust(world, 10, key=f"{number}") for number in range(4)),
        *(world.accept(sale(f"s{number}", "shop", 10)) for number in range(4)),
        turn_lots_of(world.program_id, world.clock.now()),
    )
    assert set(answers) == {"done"}
    wallet = await world.wallet("shop")
    assert (wallet.available, wallet.held, wallet.debt) == (140, 0, 0), "what was given back had expired"
    await proved(world)


@pytest.mark.parametrize("point", ["holds.posted", "holds.ended"])
async def test_a_fault_in_the_midst_leaves_nothing(world: World, point: str) -> None:
    held = await hold(world, 10)
    before = await world.everything()
    call = hold(world, 20, key="x") if point == "holds.posted" else capture(world, held.hold_id)
    with failpoints.armed(f"{point}=error"), pytest.raises(failpoints.FailpointError):
        await call
    assert await world.everything() == before
    await proved(world)


async def test_points_are_neither_held_nor_let_go_while_a_past_is_loaded(world: World) -> None:
    """An open hold stays as it is, and the same keys succeed once the past is complete."""
    held = [await hold(world, 10, key=key) for key in ("1", "2")]
    await begin_history(world.program_id)
    before = await world.everything()
    for work in (
        hold(world, 10, key="3"),
        capture(world, held[0].hold_id),
        release(world, held[1].hold_id),
    ):
        with pytest.raises(HistoryLoading):
            await work
    assert not (await hold(world, 10, key="1")).is_new
    assert await world.everything() == before
    await end_history(world.program_id)
    assert (await hold(world, 10, key="3")).is_new
    assert (await capture(world, held[0].hold_id)).is_new
    assert (await release(world, held[1].hold_id)).is_new
    await check_audit(world.program_id)
