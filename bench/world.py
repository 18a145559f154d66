"""What the ingest rows are measured on: a program of some size, and a stream of sales that never repeats a draw."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from activity.rules import ActivityInput, LineInput
from game.badges.service import BadgeInput, create_badge
from game.missions.service import (
    MissionInput,
    MissionRewardInput,
    ObjectiveInput,
    create_mission,
    publish_mission,
)
from leaderboards.rules import Grouping
from leaderboards.service import LeaderboardInput, create_leaderboard
from loyalty.earning.inputs import BandInput, BoostInput, CapInput, HoursInput, NthInput, TermsInput, Weekday
from loyalty.earning.service import EarningRuleInput, PointsPer, create_earning_rule
from loyalty.earning.terms import CapPeriod
from loyalty.ledger.expiry import Expiry
from loyalty.tiers.service import TierInput, TierLadderInput, set_tier_ladder
from metrics.rules import Measure
from metrics.service import FilterInput, MetricInput, create_metric
from metrics.windows import Period
from partners.inputs import PartnerInput, PartnerKind, ProductInput, ProgramInput, RegionInput
from partners.segments import SegmentInput, upsert_segments
from partners.service import create_program, upsert_partners, upsert_products, upsert_regions

PARTNERS: Final = 4_000
PRODUCTS: Final = 2_000
CATEGORIES: Final = 40
REGIONS: Final = 8
LINES: Final = 5
MISSIONS: Final = 50
RULES: Final = 20
BOARDS: Final = 10
EVERY: Final = 10**9
"""More than a run earns: caps and budgets are kept, and hold nobody back."""
SORTS: Final[Mapping[str, TermsInput]] = {
    "banded": TermsInput(bands=[BandInput(Decimal(0), Decimal(1)), BandInput(Decimal(6), Decimal(2))]),
    "stepped": TermsInput(step=Decimal(2)),
    "third": TermsInput(nth=NthInput(3, repeats=True)),
    "first": TermsInput(group="welcome", priority=2, nth=NthInput(1)),
    "daily": TermsInput(group="welcome", priority=1, caps=[CapInput(CapPeriod.DAY, 50)]),
    "monthly": TermsInput(caps=[CapInput(CapPeriod.MONTH, EVERY), CapInput(CapPeriod.ACTIVITY, 20)]),
    "funded": TermsInput(budget=EVERY),
    "happy": TermsInput(weekdays=list(Weekday), hours=HoursInput("00:00", "23:59")),
    "boosted": TermsInput(boosts=[BoostInput("north", Decimal("1.5"))]),
    "locked": TermsInput(expiry=Expiry.after(months=12)),
}
"""Rules with terms, one of every sort."""


@dataclass(frozen=True, slots=True)
class World:
    """A program ready to record into, and when it began."""

    program_id: int
    began_at: datetime
    partners: int = PARTNERS


async def build(key: str, *, now: datetime) -> World:
    """4,000 partners, 20 earning rules, 50 live missions, 10 leaderboards, a ladder and badges."""
    program = await create_program(program=ProgramInput(key, key), now=now)
    id_ = program.id
    regions = [RegionInput("all", "All")] + [
        RegionInput(f"r{n}", f"Region {n}", "all") for n in range(REGIONS)
    ]
    await upsert_regions(program_id=id_, regions=regions)
    partners = [
        PartnerInput(f"p{n}", f"Partner {n}", PartnerKind.RETAILER, f"r{n % REGIONS}")
        for n in range(PARTNERS)
    ]
    await upsert_partners(program_id=id_, partners=partners, now=now)
    products = [ProductInput(f"s{n}", f"Product {n}", category=f"c{n % CATEGORIES}") for n in range(PRODUCTS)]
    await upsert_products(program_id=id_, products=products)
    await _metrics(id_, now)
    await _rules(id_, now)
    tiers = [TierInput(f"t{n}", f"Tier {n}", Decimal(n * 2_000), 1 + Decimal(n) / 10) for n in range(4)]
    await set_tier_ladder(program_id=id_, ladder=TierLadderInput("amount", Period.QUARTERLY, tiers))
    await _missions(id_, now)
    await _boards(id_, now)
    return World(id_, now)


async def _metrics(program_id: int, now: datetime) -> None:
    metrics = [
        MetricInput("amount", "Sales", Measure.AMOUNT),
        MetricInput("sales", "Baskets", Measure.COUNT),
        MetricInput("points", "Points", Measure.POINTS_ALL),
        MetricInput("days", "Days", Measure.DISTINCT_DAYS),
    ]
    for n in range(CATEGORIES):
        filter_ = FilterInput(categories=[f"c{n}"])
        measure = Measure.AMOUNT if n % 2 else Measure.QUANTITY
        metrics.append(MetricInput(f"category-{n}", f"Category {n}", measure, filter=filter_))
    for metric in metrics:
        await create_metric(program_id=program_id, metric=metric, now=now)


async def _rules(program_id: int, now: datetime) -> None:
    """Plain ones for the past, too; and for what is measured one of every sort."""
    segment = SegmentInput("north", "North", regions=["r0", "r1"])
    await upsert_segments(program_id=program_id, segments=[segment], tiers=())
    each = PointsPer(quantity=Decimal(3))
    rules = [
        EarningRuleInput("base", "base", "SALE", PointsPer(amount=Decimal(1))),
        EarningRuleInput("visit", "visit", "SALE", PointsPer(activity=2)),
    ]
    for n in range(RULES - len(rules) - len(SORTS)):
        rules.append(EarningRuleInput(f"push-{n}", f"Push {n}", "SALE", each, _of_category(n)))
    for n, (key, terms) in enumerate(SORTS.items(), start=RULES - len(SORTS)):
        since = now - timedelta(days=1)
        lock_days = 14 if terms.expiry else 0
        rules.append(
            EarningRuleInput(
                key,
                key,
                "SALE",
                each,
                _of_category(n),
                starts_at=since,
                lock_days=lock_days,
                terms=terms,
            )
        )
    for rule in rules:
        await create_earning_rule(program_id=program_id, rule=rule, now=now)


def _of_category(n: int) -> FilterInput:
    return FilterInput(categories=[f"c{n}"])


async def _missions(program_id: int, now: datetime) -> None:
    await create_badge(program_id=program_id, badge=BadgeInput("winner", "Winner"), now=now)
    levels = [Decimal(10), Decimal(100), Decimal(1000)]
    await create_badge(program_id=program_id, badge=BadgeInput("seller", "Seller", "sales", levels), now=now)
    for n in range(MISSIONS):
        metric = ("amount", "sales")[n % 2] if n < 10 else f"category-{n % CATEGORIES}"
        mission = MissionInput(
            key=f"mission-{n}",
            title=f"Mission {n}",
            starts_at=now - timedelta(days=1),
            ends_at=now + timedelta(days=90),
            objectives=[ObjectiveInput("goal", "Goal", metric, Decimal(200 * (n + 1)))],
            rewards=[MissionRewardInput(points=100), MissionRewardInput(badge="winner")],
        )
        await create_mission(program_id=program_id, mission=mission, now=now)
        await publish_mission(program_id=program_id, key=mission.key, now=now)


async def _boards(program_id: int, now: datetime) -> None:
    for n in range(BOARDS):
        metric = ("amount", "points", "sales", "days")[n] if n < 4 else f"category-{n}"
        period = (Period.MONTHLY, Period.QUARTERLY, Period.WEEKLY)[n % 3]
        board = LeaderboardInput(f"board-{n}", f"Board {n}", metric, period, group_by=Grouping.REGION)
        await create_leaderboard(program_id=program_id, leaderboard=board, now=now)


def sales(world: World, count: int, *, seed: int, share: tuple[int, int] = (0, 1)) -> Sequence[ActivityInput]:
    """`count` sales of five lines each, some minutes apart, over all partners; of a share (1, 2), over every second."""
    draw = random.Random(seed)
    first, step = share
    return [
        ActivityInput(
            source="bench",
            external_id=f"{seed}-{n}",
            kind="SALE",
            partner=f"p{draw.randrange(first, world.partners, step)}",
            occurred_at=world.began_at - timedelta(seconds=draw.randrange(3600)),
            lines=[
                LineInput(
                    f"s{draw.randrange(PRODUCTS)}",
                    Decimal(draw.randrange(1, 12)),
                    Decimal(draw.randrange(100, 20_000)) / 100,
                )
                for _ in range(LINES)
            ],
        )
        for n in range(count)
    ]


def now() -> datetime:
    """The instant from which a run's world is built."""
    return datetime.now(UTC)
