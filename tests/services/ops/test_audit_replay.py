"""`mitra audit --replay` of tiers and progress: silent over all that was decided, in any order; over nothing else."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest

from base.clock import SetClock
from base.database import Connection
from game.missions.rules import reward_key
from game.plan import plans
from game.tier_override import TierOverrideInput, override_tier
from game.tier_reviews import review_tiers, review_tiers_of
from loyalty.tiers.rules import Downgrade
from metrics.rules import Measure
from metrics.windows import Period
from ops.audit import paging
from ops.audit.check import Check, Finding
from ops.audit.climbing import CLIMBED, look_at_tiers
from ops.audit.counting import METERS
from ops.audit.progress import PROGRESS, look_at_progress
from partners.audiences import AudienceInput
from partners.history import begin_history, end_history
from partners.service import PartnerKind
from tests.invariants import check_audit
from tests.spoiling import owner
from tests.world import NOW, Amount, World, activity, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

STEPS: Final[Mapping[str, tuple[Amount, Amount]]] = {
    "bronze": (0, 1),
    "silver": (100, "1.5"),
    "gold": (500, 2),
}


def at(day: str) -> datetime:
    """Noon in London."""
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


async def tiers(world: World) -> Finding:
    """What climbing again finds; where nothing is wrong, nor anything else in the program."""
    found = await look_at_tiers(world.program_id)
    if not found.violations:
        await check_audit(world.program_id)
    return found


async def progress(world: World) -> Finding:
    """What deciding missions and badges again finds; where nothing is wrong, nor anything else in the program."""
    found = await look_at_progress(world.program_id)
    if not found.violations:
        await check_audit(world.program_id)
    return found


async def spoil(database_url: str, world: World, statement: str, *more: object) -> None:
    """Change what is kept, as its owner may."""
    async with owner(database_url) as connection:
        answer = await connection.execute(statement, world.program_id, *more)
    assert not answer.endswith(" 0"), "there is nothing to spoil"


async def put(world: World, partner: str, tier: str | None, key: str, until: datetime | None = None) -> None:
    """A person puts a partner on a tier."""
    given = TierOverrideInput(partner, tier, "they asked", key, until)
    await override_tier(program_id=world.program_id, given=given, actor="finance", now=world.clock.now())


# ---------------------------------------------------------------------------------------------------------------- tiers


async def test_partners_from_before_the_ladder_climb_from_where_they_stood_then(database_url: str) -> None:
    world = await make_world(["shop", "kiosk"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.accept(sale("a", "shop", 120, at=NOW - timedelta(days=70)), sale("b", "kiosk", 20))
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.ONE_STEP)
    await world.accept(sale("c", "shop", 600, at=NOW - timedelta(days=10)))
    await world.review()
    await world.accept(sale("d", "kiosk", 90), return_of("e", "shop", "c"))
    world.clock.set(at("2026-12-03"))
    await world.accept(sale("f", "kiosk", 10, at=at("2026-12-02")))
    await review_tiers(world.clock)
    found = await tiers(world)
    assert (found.looked, found.violations) == (2, 0)
    assert found.note == (
        "2 partners climbed from where they stood when the ladder was set, or its past gone through"
    )
    await spoil(database_url, world, "UPDATE tier_standing SET carried = carried + 1 WHERE program_id = $1")
    assert (await look_at_tiers(world.program_id)).violations == 2


async def test_a_ladder_that_is_set_anew_is_climbed_from_there() -> None:
    world = await make_world(["shop"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    await put(world, "shop", "gold", "k1", until=at("2027-01-10"))
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "tin": (50, 1), "gold": (200, 2)})
    await world.accept(sale("a", "shop", 60))
    assert (await tiers(world)).violations == 0
    await world.ladder(
        "amount", Period.QUARTERLY, {"bronze": (0, 1), "gold": (200, 2)}, downgrade=Downgrade.ONE_STEP
    )
    await world.accept(sale("b", "shop", 150))
    await world.review()
    world.clock.set(at("2027-02-02"))
    await world.accept(sale("c", "shop", 10, at=at("2027-02-02")))
    assert (await tiers(world)).violations == 0
    assert await world.tier("shop") == 1


@pytest.mark.parametrize("measure", [Measure.POINTS_EARNED, Measure.POINTS_ALL])
async def test_a_ladder_may_count_points(database_url: str, measure: Measure) -> None:
    """With returns, and rewards that come and go: those of a review, too."""
    world = await make_world(["shop", "kiosk"])
    await world.count("points", measure, kinds=[])
    await world.count("amount", Measure.AMOUNT)
    await world.earn("base", amount=2)
    await world.earn("tea", quantity=3)
    await world.ladder("points", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    await world.mission("m", {"amount": 40}, points=400)
    await world.accept(
        sale("a", "shop", [line("tea", 3, 30), line("soap", 1, 20)], at=NOW - timedelta(days=5)),
        sale("b", "kiosk", 45),
    )
    await world.mission("late", {"amount": 45}, points=90)
    await world.review()
    await world.accept(
        return_of("r1", "shop", [back("a", 1, "tea", 2, 20)]),
        return_of("r2", "kiosk", "b"),
        sale("c", "kiosk", 60),
    )
    found = await tiers(world)
    assert (found.looked, found.violations, found.note) == (2, 0, "")
    await spoil(
        database_url,
        world,
        "UPDATE ledger_entry SET kind = 'EARN' WHERE program_id = $1 AND kind = 'REVERSE'",
    )
    assert (await look_at_tiers(world.program_id)).violations > 0


async def test_a_partner_keeps_the_calendar_that_it_had_on_its_way() -> None:
    world = await make_world({"shop": "Asia/Jakarta", "kiosk": "UTC"})
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.ladder("amount", Period.YEARLY, STEPS, downgrade=Downgrade.TO_EARNED, from_joining=True)
    await world.partner("shop", "Asia/Jakarta", joined_on=date(2025, 11, 21))
    await world.accept(sale("a", "shop", 120), sale("b", "kiosk", 120))
    world.clock.set(
        NOW + timedelta(hours=10)
    )  # the year of joining is over in Jakarta, and in London not yet
    await world.accept(sale("c", "shop", 130, at=NOW + timedelta(hours=10)))
    await world.partner("shop", "America/New_York", joined_on=date(2025, 11, 21))
    await world.accept(sale("d", "shop", 20, at=NOW + timedelta(hours=10)))
    await world.partner("shop", "America/New_York", joined_on=date(2025, 12, 5))
    world.clock.set(at("2026-12-06"))
    await review_tiers(world.clock)
    await world.accept(sale("e", "shop", 100, at=at("2026-12-06")))
    found = await tiers(world)
    assert (found.looked, found.violations, found.note) == (2, 0, "")


async def test_a_past_in_pieces_with_reviews_between_them() -> None:
    world = await make_world(["shop", "kiosk"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    await begin_history(world.program_id)
    days = ("2026-06-04", "2026-07-08", "2026-08-13")
    for number, day in enumerate(days):
        await world.accept(sale(f"a{number}", "shop", 120, at=at(day)), history=True)
    await world.accept(sale("beside", "kiosk", 130), sale("beside too", "shop", 90))
    await end_history(world.program_id)
    await review_tiers(world.clock)
    await begin_history(world.program_id)
    for number, day in enumerate(days):
        await world.accept(sale(f"b{number}", "kiosk", 700, at=at(day)), history=True)
        await world.accept(sale(f"c{number}", "shop", 300, at=at(day)), history=True)
    await world.accept(sale("beside again", "kiosk", 130))
    await end_history(world.program_id)
    world.clock.set(at("2026-12-02"))
    await review_tiers(world.clock)
    found = await tiers(world)
    assert (found.looked, found.violations, found.note) == (2, 0, "")


async def test_what_an_activity_reviewed_stays_where_it_was_refused() -> None:
    world = await make_world(["shop", "kiosk"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    await world.accept(sale("a", "shop", 600))
    world.clock.set(at("2027-01-05"))
    refused, _ = await world.record(return_of("x", "shop", "nothing"), sale("b", "kiosk", 10))
    assert refused.status == "REJECTED"
    assert await world.tier("shop") == 0
    world.clock = SetClock(at("2026-12-05"))  # of a process that is behind
    await world.accept(sale("c", "shop", 200, at=at("2026-12-05")))
    assert await world.tier("shop") == 0
    assert (await tiers(world)).violations == 0


async def test_the_history_tells_of_each_change_and_of_no_other(database_url: str) -> None:
    world = await make_world(["shop", "kiosk"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    await put(world, "kiosk", "silver", "k1")
    await world.accept(sale("a", "shop", 600), sale("b", "kiosk", 510))
    await put(world, "shop", "bronze", "k2", until=at("2026-12-20"))
    await put(world, "kiosk", None, "k3")
    world.clock.set(at("2027-01-05"))
    assert await review_tiers_of(world.program_id, world.clock) == 2
    found = await tiers(world)
    assert (found.looked, found.violations, found.note) == (2, 0, "")
    causes = await world.rows("SELECT DISTINCT cause FROM tier_change WHERE program_id = $1 ORDER BY cause")
    assert [row["cause"] for row in causes] == ["COUNTED", "OVERRIDDEN", "OVERRIDE_ENDED", "REVIEWED"]
    await spoil(
        database_url,
        world,
        "UPDATE tier_change SET changed_at = changed_at + '1 hour' WHERE program_id = $1 AND cause = 'REVIEWED'",
    )
    found = await look_at_tiers(world.program_id)
    assert found.violations == 2
    assert "the history has gold to bronze at 2027-01-01 01:00 (REVIEWED), not" in found.offending[0]


async def test_a_ladder_whose_past_has_been_gone_through_is_the_same_to_every_process() -> None:
    """One that compiled its plan while the past was gone through still begins a standing when the others do."""
    world = await make_world(["shop", "kiosk"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.accept(sale("a", "shop", 10))
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    plans.forget(world.program_id)
    assert (await plans.get(world.program_id)).due
    await world.review()
    await world.accept(sale("b", "kiosk", 300, at=NOW - timedelta(days=25)))
    assert await world.tier("kiosk") == 0
    assert (await tiers(world)).violations == 0


# ------------------------------------------------------------------------------------------------------------- progress


async def make_missions() -> World:
    """Missions and badges of all sorts, of which some begin late, some come back and some have ended."""
    world = await make_world(["shop", "kiosk", "stall"])
    await world.count("amount", Measure.AMOUNT)
    await world.count("visits", Measure.COUNT, kinds=["VISIT"])
    await world.count("points", Measure.POINTS_ALL, kinds=[])
    await world.earn("base", amount=1)
    await world.ladder("amount", Period.MONTHLY, STEPS)
    await world.badge("seller", "amount", [50, 100, 1_000])
    await world.badge("rich", "points", [200, 400])
    await world.badge("prize")
    await world.mission("fifty", {"amount": 50}, points=100, badge="prize")
    await world.mission("both", {"amount": 80, "visits": 1}, badge="prize")
    await world.mission("brief", {"amount": 60}, points=10)
    await world.accept(sale("a", "shop", 55), sale("b", "kiosk", 90), sale("c", "stall", 40))
    await world.mission("late", {"amount": 40, "visits": 2}, points=20)
    await world.mission("late-too", {"amount": 40}, points=300, starts_at=NOW - timedelta(days=3))
    await world.accept(activity("v", "stall", kind="VISIT"), sale("d", "stall", 15))
    world.clock.set(NOW + timedelta(hours=1))
    await world.review()
    await world.accept(
        return_of("e", "kiosk", "b"),
        activity("v2", "stall", kind="VISIT"),
        activity("v3", "kiosk", kind="VISIT"),
    )
    world.clock.set(NOW + timedelta(hours=2))
    await world.end("brief")
    await world.accept(sale("f", "kiosk", 110), return_of("g", "stall", "d"), sale("h", "shop", 10))
    return world


async def test_missions_and_badges_are_decided_again() -> None:
    world = await make_missions()
    assert await world.completions("kiosk") == {
        "fifty": (2, True),
        "both": (1, True),
        "brief": (1, False),
        "late-too": (2, True),
    }
    found = await progress(world)
    assert (found.looked, found.violations, found.note) == (22, 0, "")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mission_completion SET n = 1 WHERE program_id = $1 AND n = 2",
        "UPDATE mission_completion SET revoked_at = NULL WHERE program_id = $1",
        "UPDATE mission_completion SET revoked_at = revoked_at + '1 hour' WHERE program_id = $1",
        "DELETE FROM mission_completion WHERE program_id = $1 AND n = 1 AND revoked_at IS NULL",
        "UPDATE badge_award SET awarded_at = awarded_at + '1 hour' WHERE program_id = $1",
        "UPDATE badge_award SET revoked_at = awarded_at WHERE program_id = $1 AND revoked_at IS NULL",
        "UPDATE ledger_transaction SET activity_id = NULL WHERE program_id = $1 AND key LIKE 'mission/%'",
        "UPDATE activity_line SET amount = amount - 15 WHERE program_id = $1 AND amount > 100",
    ],
)
async def test_what_was_not_decided_so_is_found(database_url: str, statement: str) -> None:
    world = await make_missions()
    await spoil(database_url, world, statement)
    found = await look_at_progress(world.program_id)
    assert found.violations > 0
    assert found.offending


async def test_audiences_by_tier_are_those_of_the_tier_then(database_url: str) -> None:
    world = await make_world(["shop", "kiosk"])
    await world.count("amount", Measure.AMOUNT)
    await world.count("visits", Measure.COUNT, kinds=["VISIT"])
    await world.ladder("amount", Period.MONTHLY, STEPS, downgrade=Downgrade.TO_EARNED)
    silver = AudienceInput(tiers=["silver", "gold"])
    await world.mission("seen", {"visits": 2}, points=10, audience=silver, starts_at=NOW - timedelta(days=30))
    await world.accept(
        activity("v1", "shop", kind="VISIT"),
        sale("a", "shop", 120),
        activity("v2", "shop", kind="VISIT"),
        *(activity(f"w{number}", "kiosk", kind="VISIT") for number in range(3)),
    )
    await put(world, "kiosk", "gold", "k1", until=at("2026-12-20"))
    await world.mission("late", {"visits": 1}, points=10, audience=silver)
    await world.review()
    world.clock.set(at("2026-12-21"))
    await world.accept(
        activity("v4", "kiosk", kind="VISIT", at=at("2026-12-21")),
        return_of("r", "kiosk", "w0", at=at("2026-12-21")),
    )
    assert await world.completions("shop") == {"seen": (1, True), "late": (1, True)}
    assert await world.completions("kiosk") == {"late": (1, True)}
    found = await progress(world)
    assert (found.looked, found.violations, found.note) == (3, 0, "")
    await spoil(
        database_url,
        world,
        """INSERT INTO mission_completion (program_id, mission_id, occurrence, partner_id, n, completed_at)
           SELECT $1, m.id, 'once', p.id, 1, $2 FROM mission m, partner p
           WHERE m.program_id = $1 AND p.program_id = $1 AND m.key = 'seen' AND p.code = 'kiosk'""",
        NOW,
    )
    assert (await look_at_progress(world.program_id)).violations == 1


async def test_audiences_by_what_is_not_kept_are_taken_from_the_facts(database_url: str) -> None:
    world = await make_world(["shop", "kiosk", "stall"])
    await world.count("amount", Measure.AMOUNT)
    dealers = AudienceInput(partner_kinds=[PartnerKind.WHOLESALER])
    await world.badge("prize")
    await world.mission("dealers", {"amount": 50}, points=100, badge="prize", audience=dealers)
    await world.partner("shop", kind=PartnerKind.WHOLESALER)
    await world.accept(sale("a", "shop", 60), sale("b", "kiosk", 60), sale("c", "stall", 60))
    await world.partner("shop")
    await world.partner("kiosk", kind=PartnerKind.WHOLESALER)
    await world.mission("late", {"amount": 55}, audience=dealers, badge="prize")
    world.clock.set(NOW + timedelta(hours=1))
    await world.review()
    await world.accept(return_of("r", "kiosk", "b"), sale("d", "kiosk", 70))
    assert await world.completions("shop") == {"dealers": (1, True)}
    found = await progress(world)
    assert found.violations == 0
    assert "2 missions have an audience by what is not kept" in found.note
    (completed,) = await world.rows(
        """SELECT m.id, c.partner_id FROM mission_completion c
           JOIN mission m ON m.program_id = $1 AND m.id = c.mission_id
           JOIN partner p ON p.program_id = $1 AND p.id = c.partner_id
           WHERE c.program_id = $1 AND p.code = 'shop'"""
    )
    key = reward_key(completed["id"], completed["partner_id"], 1)
    await spoil(
        database_url,
        world,
        "UPDATE ledger_transaction SET posted_at = posted_at + '1 hour' WHERE program_id = $1 AND key = $2",
        key,
    )
    assert (await look_at_progress(world.program_id)).violations == 1


async def test_what_is_left_out_is_said(database_url: str) -> None:
    world = await make_missions()
    await spoil(
        database_url,
        world,
        "UPDATE activity SET config_version = 0 WHERE program_id = $1 AND external_id IN ('a', 'b')",
    )
    await spoil(database_url, world, "UPDATE mission_completion SET n = 7 WHERE program_id = $1 AND n = 2")
    found = await look_at_progress(world.program_id)
    assert found.violations == 0
    assert found.note == "left out: 2 partners with activities from before their configuration was kept"
    await world.mission("next", {"amount": 10})
    found = await look_at_progress(world.program_id)
    assert "missions and badges whose past is still being gone through" in found.note


async def test_two_overrides_at_one_instant_are_two() -> None:
    world = await make_world(["shop"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.ladder("amount", Period.MONTHLY, STEPS)
    await world.mission("m", {"amount": 5}, points=10, audience=AudienceInput(tiers=["gold"]))
    await world.review()
    await put(world, "shop", "gold", "k1")
    await world.accept(sale("a", "shop", 10))
    await put(world, "shop", "bronze", "k2")
    found = await look_at_progress(world.program_id)
    assert (found.looked, found.violations) == (1, 0)


async def test_a_day_that_is_not_the_partners_is_found(database_url: str) -> None:
    world = await make_world({"shop": "Asia/Tokyo"})
    await world.accept(sale("a", "shop", 10))
    assert not (await METERS.look(world.program_id)).violations
    await spoil(database_url, world, "UPDATE activity SET local_date = local_date + 1 WHERE program_id = $1")
    (found,) = (await METERS.look(world.program_id)).offending
    assert found.startswith("activity pos a counts on ")


@pytest.mark.parametrize("check", [METERS, CLIMBED, PROGRESS], ids=lambda check: check.name)
async def test_what_is_configured_meanwhile_is_gone_by(monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    """A ladder that is set, and a mission that is ended, between the start of a replay and its first page."""
    world = await make_missions()
    ahead: list[Callable[[], Coroutine[None, None, object]]] = [
        lambda: world.ladder(
            "amount", Period.MONTHLY, {"bronze": (0, 1), "silver": (10, 1), "gold": (20, 2)}
        ),
        lambda: world.end("fifty"),
        world.review,
        lambda: world.accept(return_of("z", "kiosk", "f"), sale("y", "stall", 12)),
    ]

    next_partners = paging.next_partners

    async def late(connection: Connection, program_id: int, after: int) -> list[int]:
        while ahead:
            # Beside the transaction of the page, not in it.
            await asyncio.create_task(ahead.pop(0)(), context=Context())
        return await next_partners(connection, program_id, after)

    monkeypatch.setattr(paging, "next_partners", late)
    found = await check.look(world.program_id)
    assert (found.looked > 0, found.violations) == (True, 0)
