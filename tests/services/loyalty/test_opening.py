"""Opening balances: brought over once a key, as lots with an expiry of their own, and counted by no metric."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from base.database import Connection, reading
from base.errors import Invalid
from game.review import review_program
from loyalty.because import chain
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.books import MOST
from loyalty.ledger.opening import OpeningBalance, OpeningOutcome, open_balances
from loyalty.ledger.queries import load_expiring
from metrics.rules import Measure
from metrics.windows import Period
from partners.service import PartnerStatus
from tests.invariants import check_audit, check_invariants
from tests.services.programs import counted_statements
from tests.world import NOW, Balance, World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

TODAY = NOW.date()
LOTS = """
SELECT p.code, l.granted, l.remaining, l.spent, l.repaid, l.granted_at, l.expires_at FROM lot l
JOIN partner p ON p.program_id = l.program_id AND p.id = l.partner_id WHERE l.program_id = $1 ORDER BY l.id
"""


@pytest.fixture
async def world() -> World:
    return await make_world({"a": "Asia/Jakarta", "b": "America/New_York"})


def balance(key: str = "k", partner: str = "a", points: int = 100, **more: Any) -> OpeningBalance:
    return OpeningBalance(key, partner, points, **more)


async def bring(world: World, *balances: OpeningBalance) -> list[OpeningOutcome]:
    return await open_balances(
        program_id=world.program_id, balances=balances, actor="import", now=world.clock.now()
    )


async def check(world: World) -> None:
    await check_invariants(world.program_id)
    await check_audit(world.program_id)


async def test_a_balance_is_a_lot_that_ends_with_its_last_local_day(world: World) -> None:
    outcomes = await bring(
        world,
        balance("1", expires_on=date(2026, 12, 31), granted_on=date(2025, 3, 1)),
        balance("2", "b", 7, expires_on=date(2027, 3, 13)),
        balance("3", "a", 5),
    )
    assert [one.status for one in outcomes] == ["RECORDED"] * 3
    lots = [tuple(row) for row in await world.rows(LOTS)]
    granted = datetime(2025, 2, 28, 17, tzinfo=UTC)
    assert lots == [
        ("a", 100, 100, 0, 0, granted, datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("b", 7, 7, 0, 0, NOW, datetime(2027, 3, 14, 5, tzinfo=UTC)),  # that day has 23 hours
        ("a", 5, 5, 0, 0, NOW, None),
    ]
    assert (await world.wallet("a"), await world.wallet("b")) == (Balance(105, 0, 2), Balance(7, 0, 1))
    await check(world)


async def test_the_ledger_says_what_it_was_and_tells_it(world: World) -> None:
    (outcome,) = await bring(world, balance(expires_on=date(2026, 12, 31), granted_on=date(2025, 3, 1)))
    (posted,) = await world.rows("SELECT * FROM ledger_transaction WHERE program_id = $1")
    assert (posted["id"], posted["key"]) == (outcome.transaction_id, "opening/k")
    assert (posted["occurred_at"], posted["posted_at"]) == (datetime(2025, 2, 28, 17, tzinfo=UTC), NOW)
    told = (await world.everything())["facts"]
    (_, _, steps, facts) = told[0]
    assert facts == [
        {"type": "PointsPosted", "because": 0, "unit": "POINT", "amount": 100, "kind": "OPENING"}
    ]
    assert chain(steps, 0) == [
        {
            "step": "opening",
            "on": None,
            "points": 100,
            "unit": "POINT",
            "grantedOn": "2025-03-01",
            "expiresOn": "2026-12-31",
            "actor": "import",
        }
    ]
    entries = await world.rows(
        "SELECT account, kind, bucket, amount FROM ledger_entry WHERE program_id = $1 ORDER BY number"
    )
    assert [tuple(row) for row in entries] == [
        ("WALLET", "OPENING", "AVAILABLE", 100),
        ("OPENING", "OPENING", None, -100),
    ]
    (row,) = await world.rows(
        "SELECT transaction_ids FROM outbox WHERE program_id = $1 AND cardinality(transaction_ids) > 0"
    )
    assert row["transaction_ids"] == [outcome.transaction_id]


async def test_the_same_again_is_the_same_whatever_became_of_it_since(world: World) -> None:
    given = balance(expires_on=TODAY + timedelta(days=1))
    (first,) = await bring(world, given)
    world.clock.set(NOW + timedelta(days=30))
    await world.partner("a", "Asia/Tokyo", status=PartnerStatus.CLOSED)
    (again,) = await bring(world, given)
    assert (again.status, again.transaction_id) == ("DUPLICATE", first.transaction_id)
    assert await world.wallet("a") == Balance(100, 0, 1)


@pytest.mark.parametrize(
    "changes", [{"points": 99}, {"partner": "b"}, {"expires_on": TODAY}, {"granted_on": TODAY}]
)
async def test_another_balance_under_a_key_is_a_conflict(world: World, changes: dict[str, Any]) -> None:
    given = balance(expires_on=date(2026, 12, 31))
    await bring(world, given)
    (refused,) = await bring(world, replace(given, **changes))
    assert (refused.status, refused.code, refused.field) == ("REJECTED", "IDEMPOTENCY_CONFLICT", ("key",))
    assert (await world.wallet("a"), await world.wallet("b")) == (Balance(100, 0, 1), Balance())


async def test_within_one_call_a_key_is_posted_once(world: World) -> None:
    outcomes = await bring(world, balance(), balance(), balance(points=5), balance(partner="b"))
    assert [one.status for one in outcomes] == ["RECORDED", "DUPLICATE", "REJECTED", "REJECTED"]
    assert outcomes[1].transaction_id == outcomes[0].transaction_id
    assert await world.wallet("a") == Balance(100, 0, 1)


FAR = "9999-12-31"
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("UNKNOWN_PARTNER", "partner", {"partner": "nobody"}),
    ("INVALID_TEXT", "partner", {"partner": "a\0b"}),
    ("PARTNER_CLOSED", "partner", {"partner": "closed"}),
    ("UNKNOWN_UNIT", "unit", {"unit": "USD"}),
    ("INVALID_AMOUNT", "points", {"points": 0}),
    ("INVALID_AMOUNT", "points", {"points": -5}),
    ("INVALID_AMOUNT", "points", {"points": MOST + 1}),
    ("EXPIRED_BALANCE", "expiresOn", {"expires_on": TODAY - timedelta(days=1)}),
    ("INVALID_DATE", "expiresOn", {"expires_on": date.fromisoformat(FAR)}),
    ("FUTURE_DATE", "grantedOn", {"granted_on": TODAY + timedelta(days=1)}),
    ("INVALID_DATE", "grantedOn", {"granted_on": date(1, 1, 1)}),
    ("INVALID_TEXT", "key", {"key": " "}),
    ("INVALID_TEXT", "key", {"key": "x" * 201}),
    ("INVALID_TEXT", "key", {"key": "a\0b"}),
    ("INVALID_TEXT", "key", {"key": "\ud83d"}),
]


async def test_each_fault_refuses_its_balance_alone(world: World) -> None:
    await world.partner("closed", status=PartnerStatus.CLOSED)
    wrong = [replace(balance(f"w{n}"), **changes) for n, (_, _, changes) in enumerate(REFUSED)]
    *refused, taken = await bring(world, *wrong, balance("right"))
    assert [(one.status, one.code, *one.field) for one in refused] == [
        ("REJECTED", code, field) for code, field, _ in REFUSED
    ]
    assert all(one.message and one.transaction_id is None for one in refused)
    assert taken.status == "RECORDED"
    assert await world.wallet("a") == Balance(100, 0, 1)
    assert len(await world.rows("SELECT FROM ledger_transaction WHERE program_id = $1")) == 1


async def test_only_refusals_leave_nothing(world: World) -> None:
    before = await world.rows("SELECT FROM outbox WHERE program_id = $1")
    await bring(world, balance(points=0))
    await bring(world, balance(partner="nobody"))
    assert await world.rows("SELECT FROM outbox WHERE program_id = $1") == before
    assert await world.wallet("a") == Balance()


async def test_today_is_the_partners_own(world: World) -> None:
    """At 20:00 in UTC it is tomorrow in Jakarta, and still today in New York."""
    world.clock.set(NOW.replace(hour=20))
    in_jakarta, in_new_york = await bring(
        world, balance("1", "a", expires_on=TODAY), balance("2", "b", expires_on=TODAY)
    )
    assert (in_jakarta.code, in_new_york.status) == ("EXPIRED_BALANCE", "RECORDED")
    granted, early = await bring(
        world,
        balance("3", "a", granted_on=TODAY + timedelta(days=1)),
        balance("4", "b", granted_on=TODAY + timedelta(days=1)),
    )
    assert (granted.status, early.code) == ("RECORDED", "FUTURE_DATE")


async def test_a_wallet_holds_what_every_client_can_tell(world: World) -> None:
    full, more, other = await bring(
        world, balance("1", points=MOST), balance("2", points=1), balance("3", "b")
    )
    assert (full.status, more.code, more.field) == ("RECORDED", "TOO_MANY_POINTS", ("points",))
    assert other.status == "RECORDED"
    assert (await world.wallet("a")).available == MOST


@pytest.mark.parametrize("count", [0, 1_001])
async def test_one_to_a_thousand_at_once(world: World, count: int) -> None:
    with pytest.raises(Invalid) as refused:
        await bring(world, *(balance(str(n)) for n in range(count)))
    assert (refused.value.code, refused.value.field) == ("WRONG_SIZE", ("balances",))


async def adjust(world: World, amount: int) -> None:
    await adjust_points(
        program_id=world.program_id,
        partner="a",
        amount=amount,
        reason="test",
        idempotency_key=str(amount),
        actor="tests",
        now=NOW,
    )


async def test_a_debt_is_repaid_from_it(world: World) -> None:
    await world.earn(amount=1)
    await world.accept(sale("x1", "a", 60))
    await adjust(world, -60)
    await world.accept(return_of("r1", "a", "x1"))
    assert (await world.wallet("a")).debt == 60
    await bring(world, balance("1", points=25), balance("2", points=50, expires_on=TODAY))
    assert await world.wallet("a") == Balance(15, 0, 9)
    await check(world)


async def test_what_expires_first_is_spent_first_then_what_was_granted_first(world: World) -> None:
    soon, later = TODAY + timedelta(days=1), TODAY + timedelta(days=9)
    await bring(
        world,
        balance("never", points=10),
        balance("later", points=20, expires_on=later, granted_on=date(2026, 2, 1)),
        balance("later, and older", points=30, expires_on=later, granted_on=date(2026, 1, 1)),
        balance("soon", points=40, expires_on=soon),
    )
    await adjust(world, -75)
    assert [row["spent"] for row in await world.rows(LOTS)] == [0, 5, 30, 40]
    await adjust(world, -25)
    assert [row["spent"] for row in await world.rows(LOTS)] == [10, 20, 30, 40]
    await check(world)


async def test_no_metric_counts_them(world: World) -> None:
    """Neither live, nor when the past is gone through again."""
    await world.count("earned", Measure.POINTS_EARNED, Period.MONTHLY, kinds=[])
    await world.count("all", Measure.POINTS_ALL, Period.MONTHLY, kinds=[])
    await world.earn(amount=1)
    await world.accept(sale("x1", "a", 10))
    await bring(world, balance(points=1_000))
    await world.count("late", Measure.POINTS_ALL, kinds=[])
    await world.badge("rich", "late", [10, 100])
    await review_program(world.program_id, world.clock)
    assert await world.value("earned", Period.MONTHLY, "a") == 10
    assert await world.value("all", Period.MONTHLY, "a") == 10
    assert await world.badges("a") == {("rich", 1)}
    assert (await world.wallet("a")).available == 1_010
    await world.accept(return_of("r1", "a", "x1"))
    assert await world.value("all", Period.MONTHLY, "a") == 0
    assert (await world.wallet("a")).available == 1_000
    await check(world)


async def test_one_key_for_two_partners_at_once_has_one_winner(world: World) -> None:
    for turn in range(10):
        keys = [f"{turn}-{number}" for number in range(3)]
        first = [balance(key, "a", 1) for key in keys]
        second = [balance(key, "b", 1) for key in reversed(keys)]
        outcomes = [
            one for both in await asyncio.gather(bring(world, *first), bring(world, *second)) for one in both
        ]
        for key in keys:
            assert sorted(one.status for one in outcomes if one.key == key) == ["RECORDED", "REJECTED"]
    assert (await world.wallet("a")).available + (await world.wallet("b")).available == 30
    await check(world)


async def test_many_at_once_with_sales_of_the_same_partners(world: World) -> None:
    await world.earn(amount=1)
    calls = [
        *(bring(world, balance(f"{n}a", "a", 1), balance(f"{n}b", "b", 1)) for n in range(5)),
        *(bring(world, balance(f"{n}b", "b", 1), balance(f"{n}a", "a", 1)) for n in range(5)),
        *(world.accept(sale(f"{n}a", "a", 1), sale(f"{n}b", "b", 1)) for n in range(5)),
    ]
    await asyncio.gather(*calls)
    assert (await world.wallet("a")).available == (await world.wallet("b")).available == 10
    await check(world)


async def test_what_a_caller_settles_stands_or_falls_with_it(world: World) -> None:
    seen: list[Sequence[OpeningOutcome]] = []

    async def settle(connection: Connection, outcomes: Sequence[OpeningOutcome]) -> None:
        seen.append(outcomes)
        posted = await connection.fetchval(
            "SELECT count(*) FROM ledger_transaction WHERE program_id = $1", world.program_id
        )
        assert posted == 1
        if len(seen) == 1:
            raise RuntimeError("not now")

    async def bring_settled() -> list[OpeningOutcome]:
        return await open_balances(
            program_id=world.program_id, balances=[balance()], actor="import", now=NOW, settle=settle
        )

    with pytest.raises(RuntimeError):
        await bring_settled()
    assert await world.wallet("a") == Balance()
    assert await bring_settled() == seen[1]
    assert await world.wallet("a") == Balance(100, 0, 1)


async def test_a_thousand_cost_the_statements_of_one() -> None:
    codes = [f"p{number:03}" for number in range(500)]
    world = await make_world(codes)
    await bring(world, balance("warm up", "p000"))

    async def statements(*balances: OpeningBalance) -> int:
        async with counted_statements() as sent:
            outcomes = await bring(world, *balances)
        assert {one.status for one in outcomes} <= {"RECORDED", "DUPLICATE"}
        return len(sent)

    one = await statements(balance("one", "p001"))
    many = [balance(f"k{n}", codes[n % 500], expires_on=TODAY) for n in range(1_000)]
    assert await statements(*many) == one
    assert await statements(*many) <= one
    assert one <= 12
    await check(world)


async def test_what_expires_soon_is_told_by_day(world: World) -> None:
    await bring(
        world,
        balance("1", points=10, expires_on=TODAY),
        balance("2", points=20, expires_on=TODAY + timedelta(days=3)),
        balance("3", points=5, expires_on=TODAY + timedelta(days=3)),
        balance("4", points=40, expires_on=TODAY + timedelta(days=60)),
        balance("5", points=80),
        balance("6", "b", 1, expires_on=TODAY),
    )
    await adjust(world, -12)
    ids = {
        row["code"]: row["id"]
        for row in await world.rows("SELECT code, id FROM partner WHERE program_id = $1")
    }

    async def expiring(partner: str, days: int, now: datetime = NOW) -> list[tuple[int, datetime]]:
        key = (ids[partner], "POINT", now + timedelta(days=days))
        async with reading() as connection:
            found = await load_expiring(connection, program_id=world.program_id, keys=[key], now=now)
        return [(one.amount, one.expires_at) for one in found[key]]

    third = datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert await expiring("a", 30) == [(23, third)]  # today's ten are spent, and two of these
    assert await expiring("a", 90) == [(23, third), (40, third + timedelta(days=57))]
    assert await expiring("a", 3) == []
    assert await expiring("b", 1) == [(1, datetime(2026, 11, 21, 5, tzinfo=UTC))]
    assert await expiring("a", 30, third) == []
