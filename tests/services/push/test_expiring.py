"""Partners are told ahead that points expire: once for each day and lead, in their morning and language."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from base import failpoints
from base.database import transaction
from base.outbox import OutboxRow
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.configuring import set_policies, set_unit
from loyalty.ledger.expiry import Expiry
from loyalty.ledger.policies import NOTICE_DAYS, Policies
from loyalty.ledger.turning import turn_lots_of
from loyalty.ledger.units import Unit
from partners.history import begin_history, end_history
from partners.service import PartnerInput, PartnerKind
from push import expiring
from push.expiring import tell_expiring, tell_expiring_of
from push.notifier import Notifier
from tests.invariants import check_audit
from tests.ledger import give
from tests.world import NOW, World, make_world, sale

pytestmark = pytest.mark.usefixtures("database")

DAY: Final = timedelta(days=1)
MESSAGES: Final = """
SELECT p.code, m.template, m.locale, m.title, m.body, m.created_at, m.transaction_id, m.facts
FROM message m JOIN partner p ON p.program_id = m.program_id AND p.id = m.partner_id
WHERE m.program_id = $1 ORDER BY m.id
"""
DELIVERIES: Final = "SELECT state, error FROM delivery WHERE program_id = $1"


async def tick(world: World, at: datetime) -> None:
    """The job comes at that time."""
    world.clock.set(at)
    await tell_expiring_of(world.program_id, now=at, is_phone_configured=False)


async def told(world: World) -> list[str]:
    return [row["body"] for row in await world.rows(MESSAGES)]


async def spend(world: World, amount: int, *, unit: str = "POINT") -> None:
    await adjust_points(
        program_id=world.program_id,
        partner="shop",
        amount=-amount,
        reason="test",
        idempotency_key=f"{world.clock.now()} {unit}",
        actor="tests",
        now=world.clock.now(),
        unit=unit,
    )


def at(*day: int, hour: int = 8, minute: int = 0) -> datetime:
    year, month, date = day
    return datetime(year, month, date, hour, minute, tzinfo=UTC)


async def test_each_lead_is_told_once_with_what_is_left() -> None:
    world = await make_world()
    await tick(world, NOW)
    await give(world, "shop", 200, expiry=Expiry.after(days=60))
    await give(world, "shop", 100, expiry=Expiry.after(days=60))
    await give(world, "shop", 7, expiry=Expiry.after(days=61))
    await give(world, "shop", 5)
    await tick(world, at(2026, 12, 20, hour=7, minute=59))
    assert await told(world) == []
    for hour in (8, 8, 9, 23):
        await tick(world, at(2026, 12, 20, hour=hour))
    assert await told(world) == ["300 points will expire on 19 January 2027."]
    (message,) = await world.rows(MESSAGES)
    assert (message["template"], message["title"]) == ("points_expiring", "Use 300 points by 19 January 2027")
    assert (message["transaction_id"], message["facts"], message["created_at"]) == (
        None,
        [],
        at(2026, 12, 20),
    )
    assert [tuple(row) for row in await world.rows(DELIVERIES)] == [("NO_CHANNEL", "NOT_CONFIGURED")]

    await tick(world, at(2026, 12, 21))
    assert (await told(world))[1:] == ["7 points will expire on 20 January 2027."]
    await spend(world, 299)
    await tick(world, at(2027, 1, 12))
    assert (await told(world))[2:] == ["1 point will expire on 19 January."]
    await spend(world, 8)
    await tick(world, at(2027, 1, 13))
    await tick(world, at(2027, 1, 30))
    assert len(await told(world)) == 3, "nothing was left of the others"


@pytest.mark.parametrize(
    "zone", ["Asia/Tokyo", "Asia/Makassar", "America/New_York", "Pacific/Kiritimati", "Pacific/Niue"]
)
async def test_points_that_end_with_a_day_elsewhere_are_told_by_the_day_here(zone: str) -> None:
    """A partner that moved has points that end at any time of its day, and at more than one."""
    world = await make_world()
    await tick(world, NOW)
    await give(world, "shop", 200, expiry=Expiry.after(days=60))
    await give(world, "shop", 11, expiry=Expiry.after(days=60))
    await world.partner("shop", zone)
    await world.rows(
        "UPDATE lot SET expires_at = expires_at + interval '30 minutes' WHERE program_id = $1 AND granted = 11"
        " RETURNING 1"
    )
    for hours in range(0, 5 * 24, 3):
        await tick(world, at(2026, 12, 18, hour=0) + timedelta(hours=hours))
    (message,) = await told(world)
    assert message.startswith("211 points will expire on ")


async def test_it_is_told_in_the_partners_morning_and_language() -> None:
    world = await make_world()
    jakarta = PartnerInput(
        "toko", "Toko", PartnerKind.RETAILER, "JKT", time_zone="Asia/Jakarta", locale="id-ID"
    )
    new_york = PartnerInput("deli", "Deli", PartnerKind.RETAILER, "JKT", time_zone="America/New_York")
    await world.partners([jakarta, new_york])
    await set_policies(program_id=world.program_id, policies=Policies(expiry=Expiry.after(days=10)))
    await world.earn(amount=1)
    await tick(world, NOW)
    await world.accept(sale("a", "toko", 1_500), sale("b", "deli", 20))
    # The last day is 30 November there; seven days before, it is eight in Jakarta at 1:00 and in New York at 13:00.
    await tick(world, at(2026, 11, 23, hour=0, minute=59))
    assert await told(world) == []
    await tick(world, at(2026, 11, 23, hour=1))
    assert await told(world) == ["1.500 poin akan kedaluwarsa pada 30 November."]
    await tick(world, at(2026, 11, 23, hour=12, minute=59))
    assert len(await told(world)) == 1
    await tick(world, at(2026, 11, 23, hour=13))
    assert [(row["code"], row["locale"]) for row in await world.rows(MESSAGES)] == [
        ("toko", "id"),
        ("deli", "en"),
    ]


async def test_sliding_points_are_told_by_the_day_they_have_come_to() -> None:
    world = await make_world()
    await set_policies(program_id=world.program_id, policies=Policies(expiry=Expiry.sliding(days=40)))
    await world.earn(amount=1)
    await tick(world, NOW)
    await world.accept(sale("a", "shop", 10))
    await tick(world, at(2026, 11, 30))
    assert await told(world) == ["10 points will expire on 30 December."]
    world.clock.set(at(2026, 12, 10))
    await world.accept(sale("b", "shop", 5, at=world.clock.now()))
    await tick(world, at(2026, 12, 19))
    assert len(await told(world)) == 1, "it was put off"
    await tick(world, at(2026, 12, 23))
    assert (await told(world))[1:] == ["15 points will expire on 19 January 2027."]
    await tick(world, at(2027, 1, 12))
    assert (await told(world))[2:] == ["15 points will expire on 19 January."]


async def test_a_day_is_one_message_in_all_units() -> None:
    world = await make_world()
    await set_unit(program_id=world.program_id, unit=Unit("CASHBACK", "Cashback", "IDR", 2))
    await tick(world, NOW)
    await give(world, "shop", 300, expiry=Expiry.after(days=30))
    await give(world, "shop", 123450, expiry=Expiry.after(days=30), unit="CASHBACK")
    await tick(world, NOW + 23 * DAY)
    assert await told(world) == ["IDR 1,234.50 and 300 points will expire on 20 December."]


async def test_leads_that_were_slept_through_are_one_message() -> None:
    world = await make_world()
    await tick(world, NOW)
    await give(world, "shop", 300, expiry=Expiry.after(days=60))
    await tick(world, at(2027, 1, 18, hour=9))
    assert await told(world) == ["300 points will expire on 19 January."]
    await give(world, "shop", 50, expiry=Expiry.after(days=8))
    await tick(world, at(2027, 2, 20))
    assert len(await told(world)) == 1, "what has expired by now is not announced"


@pytest.mark.parametrize(
    ("days", "expected"),
    [((), []), ((14, 1), [5, 18]), (NOTICE_DAYS, [12])],
)
async def test_a_program_says_how_long_ahead(days: tuple[int, ...], expected: list[int]) -> None:
    world = await make_world()
    await set_policies(program_id=world.program_id, policies=Policies(expiry_notice_days=days))
    await tick(world, NOW)
    await give(world, "shop", 300, expiry=Expiry.after(days=29))
    for after in range(1, 30):
        await tick(world, NOW + after * DAY)
    assert [row["created_at"].day for row in await world.rows(MESSAGES)] == expected


async def test_what_came_up_before_anybody_looked_is_past() -> None:
    world = await make_world()
    await give(world, "shop", 300, expiry=Expiry.after(days=20))
    await tick(world, NOW)
    await tick(world, NOW + DAY)
    assert await told(world) == []
    await tick(world, NOW + 13 * DAY)
    assert await told(world) == ["300 points will expire on 10 December."]


async def test_nothing_is_told_while_a_past_is_loaded() -> None:
    world = await make_world()
    await tell_expiring(NOW, is_phone_configured=False)
    await give(world, "shop", 300, expiry=Expiry.after(days=20))
    await begin_history(world.program_id)
    await tell_expiring(NOW + 14 * DAY, is_phone_configured=False)
    assert await told(world) == []
    await end_history(world.program_id)
    await tell_expiring(NOW + 14 * DAY, is_phone_configured=False)
    assert len(await told(world)) == 1


async def test_it_may_be_stopped_anywhere_and_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [f"shop-{number}" for number in range(7)]
    world = await make_world(codes)
    monkeypatch.setattr(expiring, "PARTNERS_PER_PAGE", 2)
    await tick(world, NOW)
    for code in codes:
        await give(world, code, 10, expiry=Expiry.after(days=30))
        await give(world, code, 10, expiry=Expiry.after(days=31))
    later = NOW + 25 * DAY
    for point in ("expiring.noted=error@1", "expiring.written=error@2"):
        with failpoints.armed(point), pytest.raises(failpoints.FailpointError):
            await tick(world, later)
    assert len(await told(world)) == 4, "one page of two partners is done"
    await asyncio.gather(*(tick(world, later) for _ in range(4)))
    await tick(world, later)
    rows: list[Any] = [(row["code"], row["body"]) for row in await world.rows(MESSAGES)]
    assert len(rows) == len(set(rows)) == 14


async def test_the_number_of_statements_does_not_grow() -> None:
    counts = []
    for size in (1, 40):
        codes = [f"shop-{number}" for number in range(size)]
        world = await make_world(codes)
        await tick(world, NOW)
        for code in codes:
            await give(world, code, 10, expiry=Expiry.after(days=30))
        statements: list[str] = []
        async with transaction() as connection:
            with connection.query_logger(lambda logged, seen=statements: seen.append(logged.query)):
                await tick(world, NOW + 25 * DAY)
        counts.append(len([query for query in statements if "pg_catalog" not in query]))
        assert len(await told(world)) == size
    assert counts[0] == counts[1]


async def test_what_matured_and_expired_is_told_by_the_job_that_turns_lots() -> None:
    """Through the outbox: what was found late is told of its day; what fell due long before is not."""
    world = await make_world()
    await give(world, "shop", 40, lock=DAY, expiry=Expiry.after(days=1))
    await give(world, "shop", 60, lock=DAY, expiry=Expiry.after(days=20))
    for after in (1, 3, 30):
        world.clock.set(NOW + after * DAY)
        await turn_lots_of(world.program_id, world.clock.now())
        async with transaction() as connection:
            left = await connection.fetch("SELECT * FROM outbox WHERE program_id = $1", world.program_id)
            rows = [OutboxRow(row["program_id"], row["partner_ids"], row["transaction_ids"]) for row in left]
            await Notifier(world.clock, is_phone_configured=False).notify(connection, rows)
    assert await told(world) == [
        "Ready to use, and no longer pending: 100 points.",
        "40 points expired on 22 November.",
    ]
    await check_audit(world.program_id)
