"""The game that the properties play: every measure, every term of a rule, missions and badges that hang together.

`SETTING` says it once, as plain data: `making.py` configures a world by it, and the models reckon by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from metrics.rules import Measure
from metrics.windows import Period

ZONES: Final = ("UTC", "Pacific/Kiritimati", "Pacific/Niue", "America/New_York")

INSTANTS: Final = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2026-09-30T23:30",  # one month here, the next one in Kiritimati
        "2026-10-01T10:30",  # still September in Niue
        "2026-10-25T12:00",
        "2026-11-01T04:30",  # 00:30 in New York, and the day has 25 hours
        "2026-11-01T05:30",
        "2026-11-01T06:30",
        "2026-11-02T03:00",
        "2026-11-19T08:00",
        "2026-11-20T08:00",
    )
)


@dataclass(frozen=True, slots=True)
class Counted:
    """A metric and over which periods it is kept."""

    measure: Measure
    periods: tuple[Period, ...]
    kinds: tuple[str, ...] = ("SALE",)
    skus: frozenset[str] = frozenset()
    min_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """An earning rule: `rate` per ACTIVITY, QUANTITY or AMOUNT. Whatever else it says, it may say nothing of.

    `nth`: (number, repeats, per). `caps`: points by ACTIVITY, DAY, MONTH, PARTNER. `weekdays`: 1 (Monday) to 7.
    `hours`: from and to, by the clock. `bands`: (from, rate). `basket`: what all lines together are worth, at least and
    at most. `boosts`: factors by segment.
    """

    kind: str
    basis: str
    rate: Decimal
    skus: frozenset[str] = frozenset()
    tier: str | None = None
    step: Decimal | None = None
    bands: tuple[tuple[Decimal, Decimal], ...] = ()
    basket: tuple[Decimal, Decimal] | None = None
    nth: tuple[int, bool, str] | None = None
    group: str | None = None
    priority: int = 0
    weekdays: frozenset[int] = frozenset()
    hours: tuple[int, int] | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    budget: int | None = None
    boosts: Mapping[str, Decimal] = field(default_factory=dict)
    tier_multiplier: bool = True
    lock_days: int = 0
    good_days: int | None = None


@dataclass(frozen=True, slots=True)
class Mission:
    """Targets by metric, and what is paid for reaching them all."""

    targets: Mapping[str, Decimal]
    points: int
    badge: str | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A configuration, in the order in which it is created."""

    metrics: Mapping[str, Counted]
    rules: Mapping[str, Rule]
    segments: Mapping[str, frozenset[str]]
    ladder: tuple[str, Period]
    tiers: Mapping[str, tuple[Decimal, Decimal]]
    badges: Mapping[str, tuple[str | None, tuple[Decimal, ...]]]
    missions: Mapping[str, Mission]
    mission_window: tuple[datetime, datetime] = field(
        default=(datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    )


D = Decimal

PACKS: Final[tuple[Mapping[str, Mapping[str, Decimal]], ...]] = (
    {"tea": {"CASE": D(12), "HALF": D("0.5")}, "coffee": {"CASE": D("2.5")}, "soap": {}},
    {"tea": {"CASE": D(20), "TIN": D(3)}, "coffee": {}, "soap": {"CASE": D(6)}},
)
"""By product, what it is sold in; and what it is sold in once that has changed."""

BOTH = ("SALE", "VISIT")
TEA, DRINKS = frozenset({"tea"}), frozenset({"tea", "coffee"})
BANDS = ((D(0), D(0)), (D(2), D(3)), (D(20), D("0.5")))
BOOSTS = {"shops": D("0.3"), "climbers": D("1.5")}

SETTING: Final = Setting(
    metrics={
        "amount": Counted(Measure.AMOUNT, (Period.MONTHLY, Period.LIFETIME), kinds=BOTH),
        "tea": Counted(Measure.AMOUNT, (Period.WEEKLY,), skus=TEA),
        "dear": Counted(Measure.AMOUNT, (Period.QUARTERLY,), min_amount=D(20)),
        "pieces": Counted(Measure.QUANTITY, (Period.DAILY, Period.YEARLY)),
        "sales": Counted(Measure.COUNT, (Period.MONTHLY,), kinds=BOTH),
        "range": Counted(Measure.DISTINCT_PRODUCTS, (Period.MONTHLY,)),
        "days": Counted(Measure.DISTINCT_DAYS, (Period.MONTHLY,), kinds=BOTH),
        "earned": Counted(Measure.POINTS_EARNED, (Period.WEEKLY,), kinds=()),
        "points": Counted(Measure.POINTS_ALL, (Period.DAILY, Period.MONTHLY), kinds=()),
    },
    rules={
        "base": Rule("SALE", "AMOUNT", D("1.5")),
        "drinks": Rule("SALE", "QUANTITY", D("0.7"), skus=DRINKS),
        "visit": Rule("VISIT", "ACTIVITY", D(5)),
        "silver": Rule("SALE", "ACTIVITY", D(3), tier="silver"),
        "capped": Rule("SALE", "AMOUNT", D(1), caps={"ACTIVITY": 15, "DAY": 20, "MONTH": 25, "PARTNER": 40}),
        "first": Rule("SALE", "ACTIVITY", D(9), skus=TEA, nth=(1, False, "MONTH")),
        "second": Rule("SALE", "QUANTITY", D("1.1"), nth=(2, True, "PARTNER"), caps={"MONTH": 8}),
        "fund": Rule("SALE", "AMOUNT", D("0.9"), skus=DRINKS, budget=60),
        "many": Rule("SALE", "QUANTITY", D(1), bands=BANDS, group="one", caps={"PARTNER": 25}),
        "happy": Rule(
            "SALE",
            "AMOUNT",
            D(3),
            step=D(10),
            weekdays=frozenset({6}),
            hours=(18, 6),
            caps={"DAY": 9},
            group="one",
            priority=2,
        ),
        "risen": Rule(
            "SALE", "ACTIVITY", D(3), boosts=BOOSTS, nth=(2, True, "PARTNER"), group="one", priority=1
        ),
        "slow": Rule("SALE", "AMOUNT", D("0.5"), basket=(D(10), D(80)), lock_days=24, good_days=1),
        "brief": Rule(
            "SALE", "QUANTITY", D(2), good_days=2, tier_multiplier=False, budget=50, caps={"DAY": 12}
        ),
        "call": Rule("VISIT", "ACTIVITY", D(4), lock_days=3, nth=(1, False, "DAY"), caps={"MONTH": 7}),
    },
    segments={"shops": frozenset(), "climbers": frozenset({"silver", "gold"})},
    ladder=("earned", Period.MONTHLY),
    tiers={"bronze": (D(0), D(1)), "silver": (D(90), D("1.25")), "gold": (D(260), D("1.5"))},
    badges={
        "seller": ("sales", (D(2), D(4))),
        "wide": ("range", (D(2), D(3))),
        "rich": ("points", (D(150), D(400))),
        "prize": (None, (D(1),)),
    },
    missions={
        "volume": Mission({"amount": D(80)}, points=40, badge="prize"),
        "variety": Mission({"sales": D(3), "range": D(2)}, points=25, badge="prize"),
        "collect": Mission({"earned": D(200)}, points=10),
        "loyal": Mission({"days": D(2)}, points=7, tier="silver"),
    },
)

CHANGES: Final[Mapping[str, Rule]] = {
    "base": Rule("SALE", "AMOUNT", D(1), caps={"DAY": 40}),
    "capped": Rule("SALE", "AMOUNT", D("1.2"), caps={"DAY": 30, "PARTNER": 80}),
    "first": Rule("SALE", "ACTIVITY", D(6), nth=(1, False, "PARTNER")),
    "second": Rule("SALE", "QUANTITY", D(2), skus=TEA, nth=(3, True, "PARTNER"), caps={"MONTH": 20}),
    "fund": Rule("SALE", "AMOUNT", D(2), budget=100),
    "brief": Rule("SALE", "QUANTITY", D(1), good_days=4),
    "happy": Rule("SALE", "AMOUNT", D(1), weekdays=frozenset({5}), group="one", priority=3),
    "call": Rule("VISIT", "ACTIVITY", D(7), lock_days=1, nth=(2, True, "DAY")),
}
"""What some of the rules say once they have changed."""
