"""Points are counted, and no other unit: money that a rule grants moves no meter of points."""

from datetime import timedelta

import pytest

from loyalty.ledger.amounts import Unit
from loyalty.ledger.configuring import set_unit
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_audit, check_invariants
from tests.world import NOW, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")


async def test_money_moves_no_meter_of_points() -> None:
    world = await make_world(["shop"])
    await set_unit(program_id=world.program_id, unit=Unit("IDR", "Rupiah", "IDR"))
    await world.count("points", Measure.POINTS_EARNED, Period.LIFETIME, kinds=[])
    await world.earn("base", amount=1)
    await world.earn("cash", amount=5, unit="IDR")
    await world.accept(sale("a", "shop", 10), sale("b", "shop", 7, at=NOW + timedelta(minutes=1)))
    await world.badge("rich", "points", [15, 50])
    await world.review()
    await world.accept(return_of("r", "shop", "a", at=NOW + timedelta(minutes=2)))
    assert await world.value("points", Period.LIFETIME, "shop") == 7
    await check_invariants(world.program_id)
    await check_audit(world.program_id)
