"""Everything that can be done to points, by many partners in two units, on a clock that a job may be late on.

Partners live at the edges of the calendar, and move. After each step the wallets and lots are what the model says, the
books are right in themselves, and the audit's replay comes to the same.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.configuring import set_policies, set_unit
from loyalty.ledger.expiry import NEVER, Expiry
from loyalty.ledger.opening import OpeningBalance, open_balances
from loyalty.ledger.policies import Policies, Returns
from loyalty.ledger.posting import InsufficientPoints
from loyalty.ledger.turning import turn_lots_of
from loyalty.ledger.units import Unit
from ops.audit.replaying import WALLETS as WALLETS_REPLAYED
from tests.invariants import check_audit, check_invariants
from tests.ledger import capture_hold, give, hold_points, release_hold, take_back
from tests.properties.ledger_model import DAY, Lot, Purse, TooMuch
from tests.properties.playing import in_thread, profile
from tests.world import World, make_world

pytestmark = pytest.mark.usefixtures("database")

ZONES: Final = ("UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/Havana")
"""The earliest and the latest of days, and one that once begins at one o'clock."""
SHOPS: Final = {"a": "UTC", "b": "Pacific/Kiritimati", "c": "Etc/GMT+12"}
UNITS: Final = ("POINT", "IDR")
DEFAULTS: Final = (NEVER, Expiry.after(days=6), Expiry.sliding(days=4))
"""How long adjustments are good for, as programs say."""

WALLETS: Final = """
SELECT p.code, w.unit, w.available, w.pending, w.held, w.debt, w.idle_until
FROM wallet w JOIN partner p ON p.program_id = w.program_id AND p.id = w.partner_id WHERE w.program_id = $1
"""
LOTS: Final = """
SELECT p.code, l.unit, l.granted, l.remaining, l.held, l.spent, l.expired, l.reversed, l.repaid, l.recalled, l.waived,
       l.matured
FROM lot l JOIN partner p ON p.program_id = l.program_id AND p.id = l.partner_id WHERE l.program_id = $1 ORDER BY l.id
"""


def good_for(expiry: Expiry) -> dict[str, Any]:
    """The same in the model's words."""
    return {"slide": expiry.days} if expiry.is_sliding else {"days": expiry.days}


amounts: Final = st.sampled_from([1, 2, 5, 10, 33])


async def test_whatever_is_done_to_points_is_reckoned_right() -> None:
    def run(wait: Callable[[Any], Any]) -> None:
        bound = type("Bound", (Machine,), {"wait": staticmethod(wait)})
        run_state_machine_as_test(bound, settings=profile(examples=12, steps=40))

    await in_thread(run)


class Machine(RuleBasedStateMachine):
    """Each example has a program of its own."""

    world: World
    wait: Callable[[Any], Any]

    def __init__(self) -> None:
        super().__init__()
        self.purses: dict[tuple[str, str], Purse] = {}
        self.granted: list[tuple[str, str, int, Lot]] = []
        self.holds: list[tuple[Purse, int, list[tuple[Lot, int]], int]] = []
        self.done: list[tuple[Callable[..., Any], dict[str, Any]]] = []
        self.keys = 0
        self.default = NEVER

    @initialize(returns=st.sampled_from(Returns), expiry=st.sampled_from(DEFAULTS))
    def begin(self, returns: Returns, expiry: Expiry) -> None:
        self.world = self.wait(make_world(SHOPS))
        program_id = self.world.program_id
        self.wait(set_policies(program_id=program_id, policies=Policies(returns=returns, expiry=expiry)))
        self.wait(set_unit(program_id=program_id, unit=Unit("IDR", "Rupiah", "IDR")))
        self.default = expiry
        self.purses = {
            (shop, unit): Purse(returns.value, ZoneInfo(zone))
            for shop, zone in SHOPS.items()
            for unit in UNITS
        }

    def choose(self, data: st.DataObject) -> tuple[str, str, Purse]:
        """A wallet; the first ones are chosen more often, so that much comes together in them."""
        shop = data.draw(st.sampled_from(["a", "a", "a", "b", "c"]))
        unit = data.draw(st.sampled_from(["POINT", "POINT", "IDR"]))
        return shop, unit, self.purses[shop, unit]

    def ask(self, call: Callable[..., Any], **given: Any) -> Any:
        """Call a service under a new key; it can be repeated later."""
        self.keys += 1
        given |= {"program_id": self.world.program_id, "idempotency_key": str(self.keys), "actor": "tests"}
        answer = self.wait(call(**given, now=self.world.clock.now()))
        self.done.append((call, given))
        return answer

    @rule(
        data=st.data(),
        amount=amounts,
        lock=st.sampled_from([0, 0, 1, 4]),
        expiry=st.sampled_from([Expiry.after(days=1), NEVER, Expiry.after(days=5), Expiry.sliding(days=3)]),
    )
    def earn(self, data: st.DataObject, amount: int, lock: int, expiry: Expiry) -> None:
        shop, unit, purse = self.choose(data)
        lot = purse.earn(amount, self.world.clock.now(), lock=lock, **good_for(expiry))
        given = give(self.world, shop, amount, lock=lock * DAY, expiry=expiry, unit=unit)
        self.granted.append((shop, unit, self.wait(given), lot))
        self.compare()

    @rule(data=st.data(), amount=amounts, days=st.sampled_from([None, 0, 2]))
    def open_balance(self, data: st.DataObject, amount: int, days: int | None) -> None:
        shop, unit, purse = self.choose(data)
        now = self.world.clock.now()
        purse.grant(amount, now, days=days, settle=False)
        self.keys += 1
        expires_on: date | None = None if days is None else purse.today(now) + days * DAY
        given = OpeningBalance(str(self.keys), shop, amount, unit, expires_on)
        opened = open_balances(program_id=self.world.program_id, balances=[given], actor="tests", now=now)
        assert [one.status for one in self.wait(opened)] == ["RECORDED"]
        self.compare()

    @rule(data=st.data(), amount=amounts, takes=st.booleans())
    def adjust(self, data: st.DataObject, amount: int, takes: bool) -> None:
        shop, unit, purse = self.choose(data)
        asked = {"partner": shop, "unit": unit, "reason": "test", "amount": -amount if takes else amount}
        now = self.world.clock.now()
        if not takes:
            purse.grant(amount, now, **good_for(self.default))
            self.ask(adjust_points, **asked)
        else:
            self.try_taking(lambda: purse.withdraw(amount, now), adjust_points, asked)
        self.compare()

    @rule(data=st.data(), amount=amounts, takes_all=st.booleans())
    def hold(self, data: st.DataObject, amount: int, takes_all: bool) -> None:
        shop, unit, purse = self.choose(data)
        now = self.world.clock.now()
        if takes_all:
            amount = purse.available_at(now) or amount
        asked = {"partner": shop, "unit": unit, "purpose": "a kettle", "amount": amount}
        parts, held = self.try_taking(lambda: purse.hold(amount, now), hold_points, asked)
        if held is not None:
            self.holds.append((purse, held.hold_id, parts, amount))
        self.compare()

    def try_taking(
        self, model: Callable[[], Any], call: Callable[..., Any], asked: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Both take it, or both refuse it."""
        try:
            expected = model()
        except TooMuch:
            with pytest.raises(InsufficientPoints):
                self.ask(call, **asked)
            return None, None
        return expected, self.ask(call, **asked)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), share=st.sampled_from([0, None, 0, 0.5]))
    def end_hold(self, data: st.DataObject, share: float | None) -> None:
        place = data.draw(st.integers(0, len(self.holds) - 1))
        purse, hold_id, parts, amount = self.holds.pop(place)
        captured = amount if share is None else int(amount * share)
        purse.end(parts, captured, self.world.clock.now())
        if captured:
            self.ask(capture_hold, hold_id=hold_id, amount=None if share is None else captured)
        else:
            self.ask(release_hold, hold_id=hold_id)
        self.compare()

    @precondition(lambda self: self.granted)
    @rule(data=st.data(), share=st.sampled_from([1, 0.3, 0.5]), of_held=st.booleans())
    def recall(self, data: st.DataObject, share: float, of_held: bool) -> None:
        held = [one for one in self.granted if one[3].held] if of_held else []
        shop, unit, lot_id, lot = data.draw(st.sampled_from(held or self.granted))
        amount = max(int(lot.granted * share), 1)
        self.purses[shop, unit].recall(lot, amount, self.world.clock.now())
        self.wait(take_back(self.world, shop, lot_id, amount, unit=unit))
        self.compare()

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        call, given = data.draw(st.sampled_from(self.done))
        answer = self.wait(call(**given, now=self.world.clock.now()))
        assert not answer.is_new
        self.compare()

    @rule(hours=st.sampled_from([5, 30, 60, 24 * 15]), is_late=st.booleans())
    def pass_time(self, hours: int, is_late: bool) -> None:
        now = self.world.clock.now() + timedelta(hours=hours)
        self.world.clock.set(now)
        if not is_late:
            for purse in self.purses.values():
                purse.settle(now)
            self.wait(turn_lots_of(self.world.program_id, now))
        self.compare()

    @rule(shop=st.sampled_from(sorted(SHOPS)), zone=st.sampled_from(ZONES))
    def change_zone(self, shop: str, zone: str) -> None:
        for unit in UNITS:
            self.purses[shop, unit].zone = ZoneInfo(zone)
        self.wait(self.world.partner(shop, time_zone=zone))
        self.compare()

    def compare(self) -> None:
        """The tables are what the model says, and right in themselves."""
        wallets = {tuple(row)[:2]: tuple(row)[2:] for row in self.wait(self.world.rows(WALLETS))}
        lots: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for row in self.wait(self.world.rows(LOTS)):
            lots.setdefault((row["code"], row["unit"]), []).append(tuple(row)[2:])
        for key, purse in self.purses.items():
            assert wallets.get(key, (0, 0, 0, 0, None)) == purse.seen, key
            assert lots.get(key, []) == [one.seen() for one in purse.lots], key
        self.wait(check_invariants(self.world.program_id))
        self.wait(check_audit(self.world.program_id, [WALLETS_REPLAYED]))

    def teardown(self) -> None:
        if self.purses:
            self.wait(check_audit(self.world.program_id))
