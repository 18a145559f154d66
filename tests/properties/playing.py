"""How the properties play: what Hypothesis draws, and what it is compared with.

Profiles: by default each property takes some ten seconds. For a soak, run `MITRA_HYPOTHESIS=thorough` (a few minutes a
property, and other examples every time):

    MITRA_HYPOTHESIS=thorough .venv/bin/python -m pytest tests/properties
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from activity.rules import ActivityInput
from tests.properties.earning_model import usage
from tests.properties.model import Program, Shop
from tests.properties.setting import CHANGES, INSTANTS, PACKS, SETTING, ZONES, Rule
from tests.world import World, activity, back, line, return_of

Result = TypeVar("Result")

THOROUGH: Final = os.environ.get("MITRA_HYPOTHESIS") == "thorough"


def profile(*, examples: int, steps: int = 50) -> settings:
    """So many examples, twenty times as many in a soak."""
    return settings(
        max_examples=examples * 20 if THOROUGH else examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=not THOROUGH,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


async def in_thread(run: Callable[[Callable[[Coroutine[Any, Any, Any]], Any]], None]) -> None:
    """Let Hypothesis, which is not asynchronous, run in a thread; `run` gets a function that awaits on our loop."""
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(run, lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result())


SKUS: Final = ("tea", "coffee", "soap")
quantities: Final = st.sampled_from([Decimal(text) for text in ("1", "2", "3", "0.5", "2.25")])
amounts: Final = st.sampled_from([Decimal(text) for text in ("0", "4.99", "10", "20", "33.3333", "60")])
lines: Final = st.lists(
    st.tuples(st.sampled_from(SKUS), quantities, amounts, st.integers(0, 3)), min_size=1, max_size=3
)
"""What is sold, how much of which unit (the number chooses among the product's), and for how much."""
some_zones: Final = st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True)
Packs = Mapping[str, Mapping[str, Decimal]]
BUDGETS: Final = """
SELECT r.key, b.budget, b.spent
FROM earning_budget b JOIN earning_rule r ON r.program_id = b.program_id AND r.id = b.rule_id
WHERE b.program_id = $1
"""


@dataclass
class Play:
    """Shops as the model has them, and the activities that were made up for them.

    What is drawn is applied to the model at once, so that a return can be of what is left.
    """

    zones: Mapping[str, str]
    prefix: str = "a"
    program: Program = field(init=False)
    made: list[ActivityInput] = field(default_factory=list)
    packs: Packs = field(default_factory=lambda: PACKS[0])
    """What the products are sold in now."""
    packs_of: dict[str, Packs] = field(default_factory=dict)
    """What they were sold in when an activity was made, by its name."""
    instants: list[datetime] = field(default_factory=lambda: list(INSTANTS))
    """When something may have occurred."""

    def __post_init__(self) -> None:
        self.program = Program(self.zones)

    @property
    def shops(self) -> Mapping[str, Shop]:
        return self.program.shops

    def _name(self) -> str:
        return f"{self.prefix}-{len(self.made)}"

    def draw(self, data: st.DataObject) -> ActivityInput:
        """Another activity, sound in its turn."""
        code = data.draw(st.sampled_from(sorted(self.shops)), label="partner")
        shop = self.shops[code]
        left = [ref for ref in shop.deeds if shop.can_return(ref)]
        what = data.draw(st.sampled_from(["sale", "sale", "visit", "whole", "part"]), label="what")
        if what in ("sale", "visit") or not left:
            sold = data.draw(lines, label="lines") if what != "visit" else []
            return self.sell(
                code,
                data.draw(st.sampled_from([*self.instants, *[self.program.now] * 4]), label="at"),
                sold,
                "VISIT" if what == "visit" else "SALE",
            )
        ref = data.draw(st.sampled_from(left), label="of")
        if what == "whole" or not shop.deeds[ref].lines:
            return self.take_back_whole(code, ref)
        others = [one for one in left if shop.deeds[one].lines]
        refs = [ref, *data.draw(st.lists(st.sampled_from(others), max_size=2), label="of these too")]
        return self._draw_parts(data, code, refs)

    def _draw_parts(self, data: st.DataObject, code: str, refs: list[str]) -> ActivityInput:
        shop = self.shops[code]
        taken: dict[tuple[str, int], tuple[Decimal, Decimal]] = {}
        parts = []
        units = []
        for ref in refs:
            number = data.draw(st.sampled_from([part[1] for part in shop.rest_of(ref)]), label="line")
            sold = shop.deeds[ref].lines[number]
            gone = taken.get((ref, number), (Decimal(0), Decimal(0)))
            left = (sold.quantity_left - gone[0], sold.amount_left - gone[1])
            if not left[0]:
                continue
            quantity = left[0] * data.draw(st.sampled_from([Decimal("0.25"), Decimal("0.5"), Decimal(1)]))
            amount = (
                left[1] * data.draw(st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]))
            ).quantize(Decimal("0.0001"), rounding="ROUND_FLOOR")
            quantity = quantity.quantize(Decimal("0.000001"), rounding="ROUND_FLOOR")
            if not quantity:
                continue
            taken[ref, number] = (gone[0] + quantity, gone[1] + amount)
            parts.append((ref, number, quantity, amount))
            fitting = [
                unit
                for unit, held in units_of(self.packs_of[ref][sold.sku])
                if Fraction(quantity) / Fraction(held) % Fraction(1, 10**6) == 0
            ]
            units.append(data.draw(st.sampled_from(fitting), label="unit"))
        return self.take_back(code, parts, units) if parts else self.take_back_whole(code, refs[0])

    def sell(
        self, code: str, at: datetime, sold: list[tuple[str, Decimal, Decimal, int]], kind: str = "SALE"
    ) -> ActivityInput:
        name = self._name()
        self.packs_of[name] = self.packs
        counted, reported = [], []
        for sku, quantity, amount, choice in sold:
            units = units_of(self.packs[sku])
            unit, held = units[choice % len(units)]
            counted.append((sku, quantity * held, amount))
            reported.append(line(sku, quantity, amount, unit=unit))
        self.shops[code].sell(name, kind, at, counted)
        given = activity(name, code, reported, kind=kind, at=at)
        self.made.append(given)
        return given

    def take_back_whole(self, code: str, ref: str) -> ActivityInput:
        self.shops[code].take_back_whole(ref)
        self.made.append(return_of(self._name(), code, ref, at=self.program.now))
        return self.made[-1]

    def take_back(
        self, code: str, parts: list[tuple[str, int, Decimal, Decimal]], units: list[str | None]
    ) -> ActivityInput:
        shop = self.shops[code]
        rows = []
        for (ref, number, quantity, amount), unit in zip(parts, units, strict=True):
            sku = shop.deeds[ref].lines[number].sku
            held = dict(units_of(self.packs_of[ref][sku]))[unit]
            rows.append(back(ref, number + 1, sku, quantity / held, amount, unit=unit))
        shop.take_back(parts)
        self.made.append(return_of(self._name(), code, rows, at=self.program.now))
        return self.made[-1]

    def change(self, data: st.DataObject) -> tuple[str, Rule, datetime]:
        """A rule says something else, or what it said at first; from now or, where its budget stays, from later on."""
        rules, now = self.program.rules, self.program.now
        key = data.draw(st.sampled_from(sorted(CHANGES.keys() - rules.ended)), label="rule")
        rule = data.draw(st.sampled_from([CHANGES[key], SETTING.rules[key]]), label="says")
        stays = rule.budget == rules.versions[key][-1][1].budget
        hours = data.draw(st.sampled_from([0, 0, 30]), label="in hours") if stays else 0
        rules.change(key, rule, now + timedelta(hours=hours))
        return key, rule, now + timedelta(hours=hours)

    def pass_time(self, hours: int, *, settle: bool) -> datetime:
        """Later on; what is due then may wait. It stays before the missions end."""
        self.program.now += timedelta(hours=hours)
        self.instants.append(self.program.now)
        for shop in self.shops.values() if settle else ():
            shop.wallet.settle(self.program.now)
        return self.program.now


def units_of(packs: Mapping[str, Decimal]) -> list[tuple[str | None, Decimal]]:
    """What a product's quantity may be of, and how much of its own unit that is."""
    return [(None, Decimal(1)), ("EA", Decimal(1)), *packs.items()]


async def compare(world: World, play: Play) -> None:
    """The world is what the model says."""
    got = await world.everything(play.shops)
    wallets = {row[0]: (row[1], row[4], row[5], row[2]) for row in got["wallets"]}
    levels = {row[0]: row[1] for row in got["standings"]}
    rules = play.program.rules
    budgets = {key: (limit, rules.spent(key)) for key, limit in rules.limits.items()}
    assert {row["key"]: (row["budget"], row["spent"]) for row in await world.rows(BUDGETS)} == budgets
    for code, shop in play.shops.items():
        used = {row[1:4]: row[4:] for row in got["usage"] if row[0] == code}
        assert used == {
            (key, *place): one for key in rules.versions for place, one in usage(shop.deeds, key).items()
        }, (code, "usage")
        assert wallets.get(code, (0, 0, 0, 0)) == shop.wallet.seen[:4], (code, "wallet")
        assert levels.get(code, 0) == shop.level, (code, "tier")
        meters = {}
        for row in got["meters"]:
            if row[0] == code:
                meters[row[1], row[2], row[5]] = (row[6], row[7])
        expected = shop.meters()
        for window in meters.keys() | expected.keys():
            if window in expected:
                assert (window, meters.get(window)) == (window, expected[window]), code
            else:
                assert (window, meters[window][0]) == (window, 0), code
        completions = {row[1]: (row[2], row[3]) for row in got["completions"] if row[0] == code}
        for key in SETTING.missions:
            completion = shop.completions[key]
            assert completions.get(key, (0, False)) == (completion.n, completion.paid is not None), (
                code,
                key,
            )
        awards = {(row[1], row[2]) for row in got["awards"] if row[0] == code and row[3]}
        assert awards == shop.badges(), (code, "badges")
