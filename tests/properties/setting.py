"""The game that the properties play: every measure, every kind of rule, missions and badges that hang together.

`SETTING` says it once, as plain data; `make_setting` configures a world by it, and `tests/properties/model.py` reckons
by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from metrics.rules import Measure
from metrics.service import FilterInput
from metrics.windows import Period
from partners.audiences import AudienceInput
from partners.service import PartnerInput, PartnerKind
from tests.world import NOW, PRODUCTS, World, make_world

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
    """An earning rule: `rate` per ACTIVITY, QUANTITY or AMOUNT."""

    kind: str
    basis: str
    rate: Decimal
    skus: frozenset[str] = frozenset()
    tier: str | None = None


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

SETTING: Final = Setting(
    metrics={
        "amount": Counted(Measure.AMOUNT, (Period.MONTHLY, Period.LIFETIME), kinds=BOTH),
        "tea": Counted(Measure.AMOUNT, (Period.WEEKLY,), skus=frozenset({"tea"})),
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
        "drinks": Rule("SALE", "QUANTITY", D("0.7"), skus=frozenset({"tea", "coffee"})),
        "visit": Rule("VISIT", "ACTIVITY", D(5)),
        "silver": Rule("SALE", "ACTIVITY", D(3), tier="silver"),
    },
    ladder=("earned", Period.MONTHLY),
    tiers={"bronze": (D(0), D(1)), "silver": (D(60), D("1.25")), "gold": (D(150), D("1.5"))},
    badges={
        "seller": ("sales", (D(2), D(4))),
        "wide": ("range", (D(2), D(3))),
        "rich": ("points", (D(100), D(250))),
        "prize": (None, (D(1),)),
    },
    missions={
        "volume": Mission({"amount": D(80)}, points=40, badge="prize"),
        "variety": Mission({"sales": D(3), "range": D(2)}, points=25, badge="prize"),
        "collect": Mission({"earned": D(120)}, points=10),
        "loyal": Mission({"days": D(2)}, points=7, tier="silver"),
    },
)


async def make_setting(*, watched: bool = True) -> World:
    """A world configured by `SETTING`, without partners; without badges and missions where it is not `watched` yet."""
    world = await make_world(())
    await pack(world, PACKS[0])
    for key, metric in SETTING.metrics.items():
        conditions = FilterInput(skus=sorted(metric.skus), min_amount=metric.min_amount)
        await world.count(
            key,
            metric.measure,
            *metric.periods,
            kinds=metric.kinds or None,
            line_filter=conditions if metric.skus or metric.min_amount is not None else None,
        )
    await world.ladder(*SETTING.ladder, SETTING.tiers)
    for key, rule in SETTING.rules.items():
        per = {"activity": int(rule.rate)} if rule.basis == "ACTIVITY" else {rule.basis.lower(): rule.rate}
        await world.earn(
            key,
            kind=rule.kind,
            filter=FilterInput(skus=sorted(rule.skus)) if rule.skus else None,
            tiers=[rule.tier] if rule.tier else (),
            **per,
        )
    if watched:
        await watch(world)
    assert world.clock.now() == NOW
    return world


async def pack(world: World, packs: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Sell the products in these packs from now on."""
    stood = {one.sku: one for one in PRODUCTS}
    await world.products(*(replace(stood[sku], packs=held) for sku, held in packs.items()))


async def watch(world: World) -> None:
    """The badges and missions of `SETTING`."""
    for key, (metric, levels) in SETTING.badges.items():
        await world.badge(key, metric, levels if metric else ())
    for key, mission in SETTING.missions.items():
        await world.mission(
            key,
            mission.targets,
            points=mission.points,
            badge=mission.badge,
            starts_at=SETTING.mission_window[0],
            ends_at=SETTING.mission_window[1],
            audience=AudienceInput(tiers=[mission.tier]) if mission.tier else None,
        )


async def add_partners(world: World, zones: Mapping[str, str]) -> None:
    """New partners with their time zones."""
    await world.partners(
        [
            PartnerInput(code, code, PartnerKind.RETAILER, "JKT", time_zone=zone)
            for code, zone in zones.items()
        ]
    )
