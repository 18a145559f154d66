"""Partners sell, take back, repeat themselves, bring balances over and are adjusted; packs and rules change in time.

After each step all is as the model reckons it anew.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

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
from loyalty.ledger.opening import OpeningBalance, open_balances
from loyalty.ledger.turning import turn_lots_of
from tests.invariants import check_audit, check_invariants
from tests.properties.making import add_partners, change, end, make_setting, pack
from tests.properties.playing import Play, compare, in_thread, profile, some_zones
from tests.properties.setting import PACKS, SETTING
from tests.world import NOW, World

LAST: Final = NOW + timedelta(days=7)
"""The missions end some days after it."""

pytestmark = pytest.mark.usefixtures("database")


async def test_whatever_happens_is_reckoned_right() -> None:
    def run(wait: Callable[[Any], Any]) -> None:
        bound = type("Bound", (Machine,), {"wait": staticmethod(wait)})
        run_state_machine_as_test(bound, settings=profile(examples=10, steps=15))

    await in_thread(run)


class Machine(RuleBasedStateMachine):
    """Each example has a world of its own."""

    world: World
    wait: Callable[[Any], Any]

    def __init__(self) -> None:
        super().__init__()
        self.play = Play({})
        self.adjustments = 0
        self.openings = 0

    @initialize(zones=some_zones)
    def open_shops(self, zones: list[str]) -> None:
        self.play = Play({zone: zone for zone in zones})
        self.world = self.wait(make_setting())
        self.wait(add_partners(self.world, self.play.zones))

    @rule(data=st.data(), size=st.integers(1, 8))
    def record(self, data: st.DataObject, size: int) -> None:
        batch = [self.play.draw(data) for _ in range(size)]
        self.wait(self.world.accept(*batch))
        self.wait(compare(self.world, self.play))

    @rule(data=st.data(), size=st.integers(1, 4))
    def record_singly(self, data: st.DataObject, size: int) -> None:
        for _ in range(size):
            self.wait(self.world.accept(self.play.draw(data)))
        self.wait(compare(self.world, self.play))

    @precondition(lambda self: self.play.made)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.play.made), min_size=1, max_size=3))
        outcomes = self.wait(self.world.record(*chosen))
        assert {one.status for one in outcomes} == {"DUPLICATE"}
        self.wait(compare(self.world, self.play))

    @precondition(lambda self: self.play.made)
    @rule(data=st.data())
    def repeat_otherwise_among_new(self, data: st.DataObject) -> None:
        """A conflict stands among what is accepted."""
        changed = replace(data.draw(st.sampled_from(self.play.made)), attributes={"changed": True})
        new = self.play.draw(data)
        conflict, accepted = self.wait(self.world.record(changed, new))
        assert (conflict.code, accepted.status) == ("IDEMPOTENCY_CONFLICT", "RECORDED")
        self.wait(compare(self.world, self.play))

    @rule(data=st.data(), percent=st.sampled_from([-100, -50, 30]))
    def adjust(self, data: st.DataObject, percent: int) -> None:
        code = data.draw(st.sampled_from(sorted(self.play.shops)))
        shop = self.play.shops[code]
        now = self.play.program.now
        amount = percent if percent > 0 else -(shop.wallet.available_at(now) * -percent // 100)
        if amount:
            shop.adjust(amount)
            self.adjustments += 1
            self.wait(
                adjust_points(
                    program_id=self.world.program_id,
                    partner=code,
                    amount=amount,
                    reason="test",
                    idempotency_key=str(self.adjustments),
                    actor="tests",
                    now=now,
                )
            )
            self.wait(compare(self.world, self.play))

    @rule(data=st.data(), points=st.sampled_from([1, 50]), days=st.sampled_from([None, 1, 400]))
    def open_balance(self, data: st.DataObject, points: int, days: int | None) -> None:
        code = data.draw(st.sampled_from(sorted(self.play.shops)))
        now = self.play.program.now
        self.openings += 1
        expires_on = None if days is None else now.date() + timedelta(days=days)
        self.play.shops[code].open_balance(points, expires_on)
        given = OpeningBalance(str(self.openings), code, points, expires_on=expires_on)
        for status in ("RECORDED", "DUPLICATE"):
            opened = open_balances(program_id=self.world.program_id, balances=[given], actor="tests", now=now)
            assert [one.status for one in self.wait(opened)] == [status]
        self.wait(compare(self.world, self.play))

    @rule()
    def repack(self) -> None:
        """What was sold before goes on holding what it held."""
        self.play.packs = PACKS[1 - PACKS.index(self.play.packs)]
        self.wait(pack(self.world, self.play.packs))

    @rule(data=st.data(), ends=st.booleans())
    def change(self, data: st.DataObject, ends: bool) -> None:
        """What occurs from then on goes by the new version, or by none; what occurred before, however late, as then."""
        if not ends:
            self.wait(change(self.world, *self.play.change(data)))
        elif len(self.play.program.rules.ended) < 3:
            key = data.draw(st.sampled_from(list(SETTING.rules)))
            self.play.program.rules.ended.setdefault(key, self.play.program.now)
            self.wait(end(self.world, key))

    @precondition(lambda self: self.play.program.now < LAST)
    @rule(hours=st.sampled_from([5, 30, 60]), is_late=st.booleans())
    def pass_time(self, hours: int, is_late: bool) -> None:
        """Points mature and expire; the job may be late."""
        now = self.play.pass_time(hours, settle=not is_late)
        self.world.clock.set(now)
        if not is_late:
            self.wait(turn_lots_of(self.world.program_id, now))
        self.wait(compare(self.world, self.play))

    def teardown(self) -> None:
        if self.play.made:
            self.wait(check_invariants(self.world.program_id))
            self.wait(check_audit(self.world.program_id))
