"""Setting up the demo's program through the same services that the API uses. Idempotent."""

from datetime import datetime, time, timedelta
from typing import Final

from base.database import reading
from game.badges.service import create_badge
from game.missions.service import create_mission, publish_mission
from leaderboards.service import create_leaderboard
from loyalty.earning.service import create_earning_rule
from loyalty.tiers.queries import known_tiers
from loyalty.tiers.service import set_tier_ladder
from metrics.service import create_metric
from ops.demo import catalog
from ops.demo.source import Reading
from partners.service import upsert_partners, upsert_products, upsert_regions

MOST_PRODUCTS: Final = 5_000
"""Products in one upsert."""


def opening_of(data: Reading) -> datetime:
    """Midnight of the day on which the last 13 weeks of the data begin, not shifted."""
    day = (data.last - timedelta(weeks=catalog.WEEKS)).date()
    return datetime.combine(day, time.min, tzinfo=data.last.tzinfo)


async def configure_demo(program_id: int, data: Reading, shift: timedelta) -> None:
    """Set up the program, as on the day before its first activity. Whatever stands already stays."""
    opening = opening_of(data) + shift
    now = min(opening, data.first + shift)
    await upsert_regions(program_id=program_id, regions=catalog.describe_regions())
    await upsert_partners(program_id=program_id, partners=catalog.describe_partners(data.stores), now=now)
    products = catalog.describe_products(data.products)
    for first in range(0, len(products), MOST_PRODUCTS):
        await upsert_products(program_id=program_id, products=products[first : first + MOST_PRODUCTS])
    for metric in catalog.describe_metrics():
        await create_metric(program_id=program_id, metric=metric, now=now)
    await set_tier_ladder(program_id=program_id, ladder=catalog.describe_ladder())
    async with reading() as connection:
        tiers = await known_tiers(connection, program_id=program_id)
    for rule in catalog.describe_rules(opening):
        await create_earning_rule(program_id=program_id, rule=rule, tiers=tiers, now=now)
    for badge in catalog.describe_badges():
        await create_badge(program_id=program_id, badge=badge, now=now)
    for mission in catalog.describe_missions(opening):
        await create_mission(program_id=program_id, mission=mission, now=now)
        await publish_mission(program_id=program_id, key=mission.key, now=now)
    for board in catalog.describe_boards():
        await create_leaderboard(program_id=program_id, leaderboard=board, now=now)
