"""A partner's year, told in order: a shop climbs, is reviewed each quarter, loses ground and wins it back.

One story, so each chapter begins where the last one ended. The ladder takes one step at most, ten days after a quarter.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from base.database import reading
from game.outcome import Outcome
from game.tier_override import TierOverrideInput, override_tier
from game.tier_reviews import review_tiers
from loyalty.ledger.expiry import Expiry
from loyalty.tiers.inputs import TierInput, TierLadderInput
from loyalty.tiers.periods import Calendar
from loyalty.tiers.queries import load_rules
from loyalty.tiers.rules import Downgrade
from loyalty.tiers.service import set_tier_ladder
from loyalty.tiers.standing_queries import StandingRow, load_standings
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_audit, check_invariants
from tests.world import World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

SHOP = "toko-maju"
TIERS = (
    TierInput("bronze", "Bronze", Decimal(0)),
    TierInput("silver", "Silver", Decimal(300), Decimal("1.5")),
    TierInput("gold", "Gold", Decimal(1000), Decimal(2), Expiry.after(months=24), ("vip-line",)),
)


def on(day: str, time: str = "12:00") -> datetime:
    """A moment in New York, where the clocks go back on 7 November 2027 and forward on 14 March."""
    return (
        datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    )


class Story:
    """The shop, and how it stands."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sales = 0

    async def until(self, moment: datetime) -> None:
        """Time goes by, and the job comes."""
        self.world.clock.set(moment)
        await review_tiers(self.world.clock)

    async def sells(self, day: str, amount: int, *, of: str | None = None) -> Outcome:
        """A sale, reported today; it happened on the day `of` where that is told."""
        if self.world.clock.now() < on(day):
            self.world.clock.set(on(day))
        self.sales += 1
        sold = sale(f"INV-{self.sales}", SHOP, amount, at=on(of or day))
        (outcome,) = await self.world.accept(sold)
        return outcome

    async def stands(self) -> StandingRow:
        """As it reads it on its phone."""
        async with reading() as connection:
            rules = await load_rules(connection, program_id=self.world.program_id)
            assert rules is not None
            rows = await self.world.rows("SELECT id, created_at FROM partner WHERE program_id = $1")
            calendar = Calendar.of("America/New_York", rows[0]["created_at"])
            found = await load_standings(
                connection,
                program_id=self.world.program_id,
                ladder=rules,
                calendars={rows[0]["id"]: calendar},
                now=self.world.clock.now(),
            )
        return found[rows[0]["id"]]

    async def reads(self) -> tuple[str, str, int, str | None]:
        """Its tier, where it leads, what is counted, and until when it is kept."""
        row = await self.stands()
        keys = [tier.key for tier in TIERS]
        kept = None if row.kept_until is None else f"{row.kept_until:%Y-%m-%d %H:%M}"
        return keys[row.level], keys[row.projected], int(row.qualifying), kept


def told(outcome: Outcome) -> list[Any]:
    """What the shop hears at once."""
    return [
        fact.data["amount"] if fact.data["type"] == "PointsPosted" else (fact.data["from"], fact.data["to"])
        for fact in outcome.facts
    ]


async def make_year() -> Story:
    """A point per money unit; silver from 300 a quarter, gold from 1,000, one step down at most, ten days of grace."""
    world = await make_world({SHOP: "America/New_York"})
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.earn("base", amount=1)
    ladder = TierLadderInput("amount", Period.QUARTERLY, TIERS, downgrade=Downgrade.ONE_STEP, grace_days=10)
    await set_tier_ladder(program_id=world.program_id, ladder=ladder)
    return Story(world)


async def test_a_partners_year() -> None:
    shop = await make_year()

    # The first quarter: silver with the sale that reaches it, gold in March.
    assert told(await shop.sells("2027-01-15", 320)) == [320, ("bronze", "silver")]
    assert await shop.reads() == ("silver", "silver", 320, "2027-07-11 04:00")
    assert told(await shop.sells("2027-03-20", 700)) == [1050, ("silver", "gold")]
    assert await shop.reads() == ("gold", "gold", 1020, "2027-07-11 04:00")

    # Gold points are good for two years, to the end of the day there.
    assert told(await shop.sells("2027-03-31", 10)) == [20]
    (lot,) = await shop.world.rows(
        "SELECT expires_at FROM lot WHERE program_id = $1 AND expires_at IS NOT NULL"
    )
    assert lot["expires_at"] == on("2029-04-01", "00:00")

    # The second quarter is quiet. A sale of March that comes within the days of grace counts for March.
    assert told(await shop.sells("2027-04-09", 5, of="2027-03-30")) == [10]
    await shop.until(on("2027-04-11", "00:00"))
    assert await shop.reads() == ("gold", "silver", 0, "2027-07-11 04:00")
    assert told(await shop.sells("2027-05-02", 200)) == [400]

    # One that comes after the review earns its points, and moves no tier.
    assert told(await shop.sells("2027-05-03", 900, of="2027-03-01")) == [1800]
    assert await shop.reads() == ("gold", "silver", 200, "2027-07-11 04:00")

    # Ten days into July the quarter is reviewed: one step down, whatever it was.
    await shop.until(on("2027-07-10", "23:59"))
    assert (await shop.reads())[0] == "gold"
    await shop.until(on("2027-07-11", "00:00"))
    assert await shop.reads() == ("silver", "bronze", 0, "2027-10-11 04:00")

    # The brand's people make a mistake good: gold until the end of August.
    given = TierOverrideInput(
        SHOP, "gold", "a delivery that came late", "goodwill-1", on("2027-09-01", "00:00")
    )
    await override_tier(
        program_id=shop.world.program_id, given=given, actor="ann", now=shop.world.clock.now()
    )
    assert await shop.reads() == ("gold", "bronze", 0, "2027-09-01 04:00")
    assert told(await shop.sells("2027-08-15", 350)) == [700]

    # Then what was earned meanwhile holds: silver, now by a quarter of its own.
    await shop.until(on("2027-09-01", "00:00"))
    assert await shop.reads() == ("silver", "silver", 350, "2028-01-11 05:00")

    # A large sale makes gold in September, and comes back in October, within the days of grace: it takes gold with it.
    big = await shop.sells("2027-09-20", 800)
    assert told(big) == [1200, ("silver", "gold")]
    shop.world.clock.set(on("2027-10-05"))
    back = return_of("RET-1", SHOP, f"INV-{shop.sales}", at=on("2027-10-05"))
    (returned,) = await shop.world.accept(back)
    assert told(returned) == [-1200, ("gold", "silver")]
    await shop.until(on("2027-10-11", "00:00"))
    assert await shop.reads() == ("silver", "bronze", 0, "2028-01-11 05:00")

    # The last quarter earns nothing, and no job comes in January: the next sale is the first to know.
    assert told(await shop.sells("2028-01-20", 40)) == [40]
    assert await shop.reads() == ("bronze", "bronze", 40, None)

    history = await shop.world.rows(
        "SELECT from_tier, to_tier, cause, changed_at FROM tier_change WHERE program_id = $1 ORDER BY id"
    )
    assert [tuple(row) for row in history] == [
        ("bronze", "silver", "COUNTED", on("2027-01-15")),
        ("silver", "gold", "COUNTED", on("2027-03-20")),
        ("gold", "silver", "REVIEWED", on("2027-07-11", "00:00")),
        ("silver", "gold", "OVERRIDDEN", on("2027-07-11", "00:00")),
        ("gold", "silver", "OVERRIDE_ENDED", on("2027-09-01", "00:00")),
        ("silver", "gold", "COUNTED", on("2027-09-20")),
        ("gold", "silver", "RETURNED", on("2027-10-05")),
        ("silver", "bronze", "REVIEWED", on("2028-01-11", "00:00")),
    ]
    await check_invariants(shop.world.program_id)
    await check_audit(shop.world.program_id)
