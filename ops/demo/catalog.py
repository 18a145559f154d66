"""The program "Harbour Foods": what is counted, what earns, what can be reached. Chosen from the data, so that each
tier holds some partners and each mission is finished by some and not by others.

Missions lie in the last 13 weeks of the data, whatever part of the year is loaded, and one reaches into the future.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from game.badges.service import BadgeInput
from game.missions.service import MissionInput, MissionRewardInput, ObjectiveInput
from leaderboards.rules import Grouping
from leaderboards.service import LeaderboardInput
from loyalty.earning.service import EarningRuleInput, PointsPer
from loyalty.tiers.service import TierInput, TierLadderInput
from metrics.rules import Measure
from metrics.service import FilterInput, MetricInput
from metrics.windows import Period
from ops.demo.names import AREAS, ROOT, area_of, shop_name
from ops.demo.source import SoldProduct, partner_code
from partners.audiences import AudienceInput
from partners.service import PartnerInput, PartnerKind, ProductInput, ProgramInput, RegionInput

PROGRAM: Final = "harbour-foods"
BRAND: Final = "Harbour Foods"
WEEKS: Final = 13
"""How much loads where nothing else is asked for, and over how much the missions are spread."""

DAIRY: Final = ("FLUID MILK PRODUCTS", "CHEESE", "MILK BY-PRODUCTS", "YOGURT", "BUTTER")
FROZEN: Final = (
    "FROZEN PIZZA", "FRZN VEGETABLE/VEG DSH", "ICE CREAM/MILK/SHERBTS", "FRZN NOVELTIES/WTR ICE", "SEAFOOD - FROZEN",
    "FRZN POTATOES", "FRZN BREAKFAST FOODS",
)  # fmt: skip
BAKING: Final = (
    "BAKING NEEDS", "SUGARS/SWEETNERS", "SPICES & EXTRACTS", "SHORTENING/OIL", "DRY MIX DESSERTS", "FLOUR & MEALS",
    "BAKING MIXES", "MOLASSES/SYRUP/PANCAKE MIXS",
)  # fmt: skip
COFFEE: Final = ("COFFEE", "TEAS", "COCOA MIXES")
BREAD: Final = ("BAKED BREAD/BUNS/ROLLS", "BREAD", "ROLLS")


def describe_program() -> ProgramInput:
    """The program itself."""
    return ProgramInput(key=PROGRAM, name=BRAND)


def describe_regions() -> list[RegionInput]:
    """One root, and the sales areas under it."""
    root = RegionInput(ROOT, f"{BRAND}, all areas")
    return [root, *(RegionInput(area.code, area.name, ROOT) for area in AREAS)]


def describe_partners(stores: Sequence[int]) -> list[PartnerInput]:
    """A distributor for each area, and under it the shops."""
    distributors = [
        PartnerInput(area.distributor, area.distributor_name, PartnerKind.DISTRIBUTOR, area.code)
        for area in AREAS
    ]
    shops = [
        PartnerInput(
            code=partner_code(store),
            name=shop_name(store),
            kind=PartnerKind.RETAILER,
            region=area_of(store).code,
            parent=area_of(store).distributor,
            attributes={"store": store},
        )
        for store in stores
    ]
    return distributors + shops


def describe_products(products: Sequence[SoldProduct]) -> list[ProductInput]:
    """The products, each with its department, category and type."""
    return [
        ProductInput(
            sku=product.sku,
            name=" ".join(filter(None, (_in_words(product.type), product.package_size))),
            category=product.category,
            brand=BRAND,
            attributes={"department": product.department, "type": product.type},
        )
        for product in products
    ]


def _in_words(code: str) -> str:
    """FLUID MILK:WHITE ONLY as a name: Fluid Milk: White Only."""
    return code.replace(":", ": ").title().replace("'S", "'s")


def describe_metrics() -> list[MetricInput]:
    """What is counted."""
    return [
        MetricInput("sales", "Sales", Measure.AMOUNT),
        MetricInput("baskets", "Baskets", Measure.COUNT),
        MetricInput("range", "Different products sold", Measure.DISTINCT_PRODUCTS),
        MetricInput("trading-days", "Days with sales", Measure.DISTINCT_DAYS),
        MetricInput("dairy-sales", "Dairy sales", Measure.AMOUNT, filter=FilterInput(categories=DAIRY)),
        MetricInput("frozen-sales", "Frozen sales", Measure.AMOUNT, filter=FilterInput(categories=FROZEN)),
        MetricInput("baking-sales", "Baking sales", Measure.AMOUNT, filter=FilterInput(categories=BAKING)),
        MetricInput(
            "bread-units", "Loaves and rolls", Measure.QUANTITY, filter=FilterInput(categories=BREAD)
        ),
        MetricInput("points-earned", "Points earned", Measure.POINTS_EARNED),
    ]


def describe_ladder() -> TierLadderInput:
    """Four tiers by the sales of a quarter: about half of the shops pass the first line, a few the last."""
    return TierLadderInput(
        metric="sales",
        period=Period.QUARTERLY,
        tiers=[
            TierInput("bronze", "Bronze", Decimal(0)),
            TierInput("silver", "Silver", Decimal(300), Decimal("1.1")),
            TierInput("gold", "Gold", Decimal(1_000), Decimal("1.25")),
            TierInput("platinum", "Platinum", Decimal(2_000), Decimal("1.5")),
        ],
    )


def describe_rules(opening: datetime) -> list[EarningRuleInput]:
    """What earns points. `opening`: when the 13 weeks begin."""
    return [
        EarningRuleInput("sell-out", "Sell-out", "SALE", PointsPer(amount=Decimal(10))),
        EarningRuleInput("every-basket", "Every basket counts", "SALE", PointsPer(activity=5)),
        EarningRuleInput(
            "dairy-push",
            "Dairy push",
            "SALE",
            PointsPer(amount=Decimal(5)),
            filter=FilterInput(categories=DAIRY),
        ),
        EarningRuleInput(
            "frozen-month",
            "Frozen month",
            "SALE",
            PointsPer(quantity=Decimal(8)),
            filter=FilterInput(categories=FROZEN),
            starts_at=opening + timedelta(weeks=8),
            ends_at=opening + timedelta(weeks=12),
        ),
        EarningRuleInput(
            "coffee-circle",
            "Coffee circle, for Gold and Platinum",
            "SALE",
            PointsPer(amount=Decimal(20)),
            filter=FilterInput(categories=COFFEE),
            audience=AudienceInput(tiers=("gold", "platinum")),
        ),
    ]


def describe_badges() -> list[BadgeInput]:
    """Marks that stay: three over a metric, three that missions award."""
    return [
        BadgeInput(
            "busy-counter", "Busy counter", "baskets", [Decimal(level) for level in (10, 50, 150, 300, 1_000)]
        ),
        BadgeInput(
            "big-seller", "Big seller", "sales", [Decimal(level) for level in (500, 1_500, 3_000, 10_000)]
        ),
        BadgeInput("open-door", "Open door", "trading-days", [Decimal(level) for level in (7, 30, 75, 300)]),
        BadgeInput("dairy-champion", "Dairy champion"),
        BadgeInput("full-shelf", "Full shelf"),
        BadgeInput("harbour-legend", "Harbour legend", hidden=True),
    ]


def describe_missions(opening: datetime) -> list[MissionInput]:
    """Seven missions over the 13 weeks from `opening` and a little beyond."""

    def week(number: int) -> datetime:
        return opening + timedelta(weeks=number)

    shops = AudienceInput(partner_kinds=(PartnerKind.RETAILER,))
    return [
        MissionInput(
            key="strong-start",
            title="A strong start",
            description="Sell for 150 in the first four weeks.",
            starts_at=week(0),
            ends_at=week(4),
            audience=shops,
            objectives=[ObjectiveInput("sales", "Sell for 150", "sales", Decimal(150))],
            rewards=[MissionRewardInput(points=500)],
        ),
        MissionInput(
            key="dairy-weeks",
            title="Dairy weeks",
            description="Five weeks for milk, cheese and yogurt.",
            starts_at=week(3),
            ends_at=week(8),
            audience=shops,
            objectives=[ObjectiveInput("dairy", "Sell dairy for 150", "dairy-sales", Decimal(150))],
            rewards=[MissionRewardInput(points=750), MissionRewardInput(badge="dairy-champion")],
        ),
        MissionInput(
            key="full-shelf",
            title="The full shelf",
            description="Show what the range has: 250 different products in six weeks.",
            starts_at=week(4),
            ends_at=week(10),
            audience=shops,
            objectives=[ObjectiveInput("range", "Sell 250 different products", "range", Decimal(250))],
            rewards=[MissionRewardInput(points=1_000), MissionRewardInput(badge="full-shelf")],
        ),
        MissionInput(
            key="frozen-feast",
            title="Frozen feast",
            description="The freezer pays twice: in points for each piece, and here.",
            starts_at=week(8),
            ends_at=week(12),
            audience=shops,
            objectives=[
                ObjectiveInput("frozen", "Sell frozen food for 60", "frozen-sales", Decimal(60)),
                ObjectiveInput("baskets", "Serve 60 baskets", "baskets", Decimal(60)),
            ],
            rewards=[MissionRewardInput(points=900)],
        ),
        MissionInput(
            key="harbour-quarter",
            title="The harbour quarter",
            description="For the very best of 13 weeks.",
            starts_at=week(0),
            ends_at=week(13) + timedelta(days=1),
            audience=shops,
            objectives=[
                ObjectiveInput("sales", "Sell for 3,000", "sales", Decimal(3_000)),
                ObjectiveInput("baskets", "Serve 300 baskets", "baskets", Decimal(300)),
                ObjectiveInput("days", "Sell on 85 days", "trading-days", Decimal(85)),
            ],
            rewards=[MissionRewardInput(points=5_000), MissionRewardInput(badge="harbour-legend")],
        ),
        MissionInput(
            key="season-of-baking",
            title="The season of baking",
            description="Flour, sugar, spice, and a loaf on every table.",
            starts_at=week(11),
            ends_at=week(17),
            audience=shops,
            objectives=[
                ObjectiveInput("baking", "Sell baking goods for 40", "baking-sales", Decimal(40)),
                ObjectiveInput("bread", "Sell 25 loaves and rolls", "bread-units", Decimal(25)),
            ],
            rewards=[MissionRewardInput(points=1_200)],
        ),
        MissionInput(
            key="next-wave",
            title="The next wave",
            description="A new start for everyone, with double the points of the last one.",
            starts_at=week(16),
            ends_at=week(20),
            audience=shops,
            objectives=[ObjectiveInput("sales", "Sell for 150", "sales", Decimal(150))],
            rewards=[MissionRewardInput(points=1_000)],
        ),
    ]


def describe_boards() -> list[LeaderboardInput]:
    """A monthly race by points, and a quarterly one by sales, in each area too."""
    return [
        LeaderboardInput("monthly-points", "Points of the month", "points-earned", Period.MONTHLY),
        LeaderboardInput(
            "quarterly-sales",
            "Sales of the quarter",
            "sales",
            Period.QUARTERLY,
            group_by=Grouping.REGION,
        ),
    ]
