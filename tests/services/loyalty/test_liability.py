"""What a program owes: as the wallets have it, by the month in which it expires."""

from datetime import UTC, date, datetime, timedelta

import pytest

from base.database import reading
from loyalty.ledger.configuring import set_unit
from loyalty.ledger.expiry import Expiry
from loyalty.ledger.holds import Posted
from loyalty.ledger.liability import Due, Liability, MonthDue, load_liability
from loyalty.ledger.queries import load_expiring
from loyalty.ledger.units import Unit
from tests.ledger import give, hold_points, release_hold, take_back
from tests.world import World, make_world

pytestmark = pytest.mark.usefixtures("database")

HELD = "SELECT coalesce(sum(available), 0), coalesce(sum(pending), 0), coalesce(sum(held), 0) FROM wallet"


async def owed(world: World, *, unit: str = "POINT", time_zone: str = "UTC") -> Liability:
    async with reading() as connection:
        return await load_liability(connection, program_id=world.program_id, unit=unit, time_zone=time_zone)


async def hold(world: World, partner: str, amount: int) -> Posted:
    return await hold_points(
        program_id=world.program_id,
        partner=partner,
        amount=amount,
        purpose="a kettle",
        idempotency_key=partner,
        actor="tests",
        now=world.clock.now(),
    )


async def test_nothing_is_owed_where_nothing_was_granted() -> None:
    assert await owed(await make_world()) == Liability("POINT", Due(0, 0, 0), 0, ())


async def test_it_is_what_wallets_hold_by_the_month_in_which_it_expires() -> None:
    world = await make_world(("a", "b", "c"))
    await give(world, "a", 100)
    await give(world, "a", 40, expiry=Expiry.with_day(date(2026, 12, 31)))
    await give(world, "b", 60, expiry=Expiry.with_day(date(2026, 12, 1)))
    await give(world, "b", 7, lock=timedelta(days=10), expiry=Expiry.with_day(date(2027, 1, 1)))
    await give(world, "b", 5, expiry=Expiry.sliding(months=3))  # until 20 February
    await hold(world, "a", 30)  # of what expires first
    # A debt, which is not taken off.
    lot = await give(world, "c", 50)
    await hold(world, "c", 50)
    await take_back(world, "c", lot, 20)
    found = await owed(world)
    assert found.months == (
        MonthDue(70, 0, 30, date(2026, 12, 1)),
        MonthDue(0, 7, 0, date(2027, 1, 1)),
        MonthDue(5, 0, 0, date(2027, 2, 1)),
        MonthDue(100, 0, 50, None),
    )
    assert (found.due, found.due.total, found.debt) == (Due(175, 7, 80), 262, 20)
    rows = await world.rows(f"{HELD} WHERE program_id = $1")
    assert tuple(rows[0]) == (found.due.available, found.due.pending, found.due.held)


async def test_what_a_return_took_elsewhere_expires_no_more() -> None:
    """The lot was reserved when its return came, so others answered for it: as much of it stands in for them."""
    world = await make_world()
    lot = await give(world, "shop", 100, expiry=Expiry.with_day(date(2026, 12, 31)))
    await give(world, "shop", 100)
    held = await hold(world, "shop", 100)
    await take_back(world, "shop", lot, 40)
    await release_hold(
        program_id=world.program_id,
        hold_id=held.hold_id,
        idempotency_key="r",
        actor="tests",
        now=world.clock.now(),
    )
    months = (await owed(world)).months
    assert months == (MonthDue(60, 0, 0, date(2026, 12, 1)), MonthDue(100, 0, 0, None))
    async with reading() as connection:
        (row,) = await world.rows("SELECT partner_id FROM wallet WHERE program_id = $1")
        now = world.clock.now()
        key = (row["partner_id"], "POINT", now + timedelta(days=60))
        found = await load_expiring(connection, program_id=world.program_id, keys=[key], now=now)
    assert [one.amount for one in found[key]] == [60]


async def test_months_are_those_of_the_zone() -> None:
    """A day that ends with December in UTC ends in January further east, and in December further west."""
    world = await make_world()
    await give(world, "shop", 1, expiry=Expiry.with_day(date(2026, 12, 31)))
    for zone, month in (("Pacific/Kiritimati", 1), ("Pacific/Pago_Pago", 12), ("UTC", 12)):
        (only,) = (await owed(world, time_zone=zone)).months
        assert only.month is not None
        assert only.month.month == month


async def test_what_earning_keeps_alive_moves_with_its_wallet() -> None:
    world = await make_world()
    await give(world, "shop", 10, expiry=Expiry.sliding(days=30))
    assert [one.month for one in (await owed(world)).months] == [date(2026, 12, 1)]
    world.clock.set(datetime(2026, 12, 10, tzinfo=UTC))
    await give(world, "shop", 1)
    assert [one.month for one in (await owed(world)).months] == [date(2027, 1, 1), None]


async def test_units_and_programs_stay_apart() -> None:
    world, other = await make_world(), await make_world()
    await set_unit(program_id=world.program_id, unit=Unit("IDR", "Rupiah", "IDR"))
    await give(world, "shop", 500, unit="IDR")
    await give(other, "shop", 3)
    assert (await owed(world)).due.total == 0
    assert (await owed(world, unit="IDR")).due.total == 500
    assert (await owed(other)).due.total == 3
