"""`mitra audit`: silent over whatever the pipeline writes, and each check finds what it is for."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

import base.redis
from base.database import reading
from leaderboards.keys import ranking_key
from leaderboards.queries import BoardView, seasons_in
from leaderboards.rebuild import rebuild_all
from leaderboards.rules import OPEN, Grouping
from leaderboards.seasons import advance_program
from leaderboards.service import LeaderboardInput, create_leaderboard
from loyalty.earning.inputs import CapInput
from loyalty.earning.terms import CapPeriod
from loyalty.ledger.adjust import adjust_points
from metrics.rules import Measure
from metrics.windows import Period
from ops.audit.check import sql_check
from ops.audit.checks import CHECKS, audit_program
from tests.invariants import check_audit
from tests.ledger import capture_hold, hold_points
from tests.spoiling import BY_NAME, look, owner, unguarded
from tests.world import NOW, World, activity, back, line, make_world, return_of, sale

LAST_MONTH: Final = NOW - timedelta(days=30)


async def make_busy_world() -> World:
    """A program in which everything happened that the pipeline knows, last month and this one."""
    world = await make_world(["shop", "kiosk", "stall"])
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.count("range", Measure.DISTINCT_PRODUCTS, Period.LIFETIME)
    await world.count("visits", Measure.COUNT, kinds=["VISIT"])
    await world.count("points", Measure.POINTS_EARNED, Period.WEEKLY)
    await world.earn("base", amount=10)
    await world.earn("tea", quantity=3)
    await world.earn("push", quantity=2, terms={"caps": [CapInput(CapPeriod.DAY, 8)], "budget": 1_000})
    await world.ladder(
        "amount", Period.QUARTERLY, {"bronze": (0, 1), "silver": (50, "1.5"), "gold": (150, 2)}
    )
    await world.badge("seller", "amount", [20, 100, 200])
    await world.badge("early")
    await world.badge("late")
    await world.mission("first-30", {"amount": 30}, points=100, badge="early")
    await world.mission("wide", {"range": 2, "amount": 40}, points=50, badge="late")
    for key, grouping in (("points", Grouping.NONE), ("amount", Grouping.REGION)):
        board = LeaderboardInput(f"board-{key}", "The board", key, Period.MONTHLY, group_by=grouping)
        await create_leaderboard(program_id=world.program_id, leaderboard=board, now=NOW)
    await world.accept(
        sale("a1", "shop", 60, at=LAST_MONTH),
        sale("a2", "kiosk", 45, at=LAST_MONTH + timedelta(hours=1)),
        sale(
            "a3",
            "shop",
            [line("tea", 4, 40), line("coffee", 2, 20), line("tea", 1, 5, unit="CASE")],
            at=NOW - timedelta(days=2),
        ),
        sale("a4", "stall", [line("tea", 1, 25), line("rice", 1, 25)], at=NOW - timedelta(days=1)),
        return_of("b1", "shop", [back("a3", 1, "tea", 1, 10)]),
        return_of("b2", "stall", "a4"),
        activity("v1", "stall", kind="VISIT"),
        activity("v2", "stall", kind="VISIT"),
        return_of("b3", "stall", "v2"),
    )
    await adjust_points(
        program_id=world.program_id,
        partner="kiosk",
        amount=-20,
        reason="taken",
        idempotency_key="k1",
        actor="finance",
        now=NOW,
    )
    for number, captured in enumerate((None, 3, 0)):
        held = await hold_points(
            program_id=world.program_id,
            partner="shop",
            amount=5,
            purpose="a kettle",
            idempotency_key=str(number),
            actor="tests",
            now=NOW,
        )
        if captured:
            await capture_hold(
                program_id=world.program_id,
                hold_id=held.hold_id,
                idempotency_key=str(number),
                actor="tests",
                now=NOW,
                amount=captured,
            )
    return world


async def test_what_the_pipeline_writes_is_clean(boards: base.redis.Client) -> None:
    world = await make_busy_world()
    await advance_program(world.program_id, NOW)
    await rebuild_all(world.program_id)
    found = [checked async for checked in audit_program(world.program_id)]
    assert [(one.check.name, one.finding.offending) for one in found if one.finding.violations] == []
    assert len(found) == len(CHECKS)
    assert [one.check.name for one in found if not one.finding.looked] == []


async def test_a_check_takes_as_long_as_the_books_are_and_others_do_not(boards: base.redis.Client) -> None:
    limits = "current_setting('statement_timeout') || ' ' || current_setting('transaction_timeout')"
    check = sql_check("limits", "", rows="SELECT 1 WHERE $1::bigint > 0", wrong=f"SELECT {limits}")
    world = await make_world()
    assert (await check.look(world.program_id)).offending == ("0 0",)
    async with reading() as connection:
        assert await connection.fetchval(f"SELECT {limits}") == "2min 5min"


async def test_what_waits_for_the_past_to_be_gone_through_is_left_out(boards: base.redis.Client) -> None:
    """A badge and a ladder over what was counted before: the review that makes them true is on its way."""
    world = await make_world()
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.badge("one", "amount", [10])
    await world.accept(sale("a", "shop", 100))
    await world.review()
    await world.badge("two", "amount", [20])
    await world.ladder("amount", Period.MONTHLY, {"bronze": (0, 1), "silver": (50, 1)})
    await check_audit(world.program_id)
    await world.review()
    await check_audit(world.program_id)


async def test_an_empty_program_is_clean(boards: base.redis.Client) -> None:
    world = await make_world()
    assert [one async for one in audit_program(world.program_id) if one.finding.violations] == []


CORRUPTIONS: Final = {
    "keys": "DELETE FROM activity_key WHERE program_id = $1 AND external_id = 'a1'",
    "activity numbers": "UPDATE activity SET number = number + 10 WHERE program_id = $1 AND external_id = 'a3'",
    "returns": "UPDATE activity_line SET quantity = 5 WHERE program_id = $1 AND reverses_id IS NOT NULL",
    "whole returns": """
        INSERT INTO activity (program_id, id, partner_id, number, kind, source, external_id, occurred_at, posted_at,
                              recorded_at, local_date, time_zone, currency, reverses_id)
        SELECT program_id, -n, partner_id, 100 + n, 'RETURN', source, 'x' || n, occurred_at, posted_at, recorded_at,
               local_date, time_zone, currency, id
        FROM activity, generate_series(1, 2) n WHERE program_id = $1 AND external_id = 'v1'
    """,
    "packs": "UPDATE activity_line SET unit_quantity = 7 WHERE program_id = $1 AND unit = 'CASE'",
    "double entry": "UPDATE ledger_entry SET amount = amount + 1 WHERE program_id = $1 AND account = 'ISSUED'",
    "one owner": """
        UPDATE ledger_transaction SET partner_id = (SELECT id FROM partner WHERE program_id = $1 AND code = 'stall')
        WHERE program_id = $1
    """,
    "buckets": "UPDATE wallet SET available = available + 1 WHERE program_id = $1",
    "wallet versions": "UPDATE wallet SET version = version + 1 WHERE program_id = $1",
    "balances after": """
        UPDATE ledger_entry SET balance_after = balance_after + 1
        WHERE program_id = $1 AND bucket = 'AVAILABLE' AND version = 1
    """,
    "told as posted": "UPDATE ledger_transaction SET facts = '[]' WHERE program_id = $1 AND key LIKE 'activity/%'",
    "wallets and lots": """
        UPDATE lot SET remaining = remaining - 1, spent = spent + 1 WHERE program_id = $1 AND remaining > 0
    """,
    "sliding lots": "UPDATE lot SET sliding = true WHERE program_id = $1 AND remaining > 0",
    "holds": "UPDATE hold SET amount = amount + 1 WHERE program_id = $1 AND state = 'OPEN'",
    "ends of holds": "UPDATE hold SET captured = captured - 1 WHERE program_id = $1 AND state = 'CAPTURED'",
    "lot movements": "DELETE FROM lot_movement WHERE program_id = $1 AND kind = 'REVERSED'",
    "adjustments": "UPDATE adjustment SET reason = 'given' WHERE program_id = $1",
    "wallets replayed": """
        UPDATE lot SET matures_at = matures_at + '1 second' WHERE program_id = $1 AND spent > 0
    """,
    "caps": "UPDATE earning_usage SET points = points + 1 WHERE program_id = $1",
    "budgets of rules": "UPDATE earning_budget SET spent = spent - 1 WHERE program_id = $1",
    "meters": "UPDATE meter SET value = value + 1 WHERE program_id = $1",
    "distinct counts": "DELETE FROM meter_part WHERE program_id = $1",
    "completions": "UPDATE meter SET value = 1 WHERE program_id = $1",
    "mission rewards": "UPDATE ledger_transaction SET key = 'x' || key WHERE program_id = $1 AND key LIKE 'mission/%'",
    "badge levels": "UPDATE badge_award SET revoked_at = now() WHERE program_id = $1 AND level = 2",
    "badges of missions": """
        UPDATE badge_award SET revoked_at = now()
        WHERE program_id = $1 AND badge_id = (SELECT id FROM badge WHERE program_id = $1 AND key = 'early')
    """,
    "tiers": "UPDATE tier_standing SET level = 2 WHERE program_id = $1 AND level = 1",
    "tiers climbed again": "UPDATE tier_standing SET earned = 0 WHERE program_id = $1 AND earned > 0",
    "progress replayed": """
        UPDATE mission_completion SET completed_at = completed_at - '1 second'::interval WHERE program_id = $1
    """,
    "final standings": "UPDATE season_standing SET rank = rank + 1 WHERE program_id = $1",
    "outbox": "UPDATE outbox SET xid = '9000000000' WHERE program_id = $1",
    "parked rows": """
        INSERT INTO outbox_parked (consumer, xid, id, program_id, partner_ids, transaction_ids, error)
        VALUES ('nobody', pg_current_xact_id(), 1, $1, '{}', '{}', 'x')
    """,
}
"""By check, what it must find."""

GUARDED: Final = {
    "one cause, one transaction": (
        "ledger_transaction",
        """
        INSERT INTO ledger_transaction (program_id, id, partner_id, key, occurred_at, posted_at, because, facts)
        SELECT program_id, -id, partner_id, key, occurred_at, posted_at, because, facts
        FROM ledger_transaction WHERE program_id = $1
        """,
        "DELETE FROM ledger_transaction WHERE program_id = $1 AND id < 0",
    ),
    "no bucket below zero": (
        "wallet",
        "UPDATE wallet SET held = -1 WHERE program_id = $1",
        "UPDATE wallet SET held = 0 WHERE program_id = $1",
    ),
    "lots add up": (
        "lot",
        "UPDATE lot SET granted = granted + 1 WHERE program_id = $1",
        "UPDATE lot SET granted = granted - 1 WHERE program_id = $1",
    ),
    "recalls": (
        "lot",
        "UPDATE lot SET recalled = recalled - 1000000 WHERE program_id = $1",
        "UPDATE lot SET recalled = recalled + 1000000 WHERE program_id = $1",
    ),
}
"""The same for what the database itself refuses: the table, what is done to it, and how it is undone."""


def test_every_check_is_proved() -> None:
    assert CORRUPTIONS.keys() | GUARDED.keys() | {"boards"} == BY_NAME.keys()
    assert len(BY_NAME) == len(CHECKS)


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_a_corruption_is_found(boards: base.redis.Client, database_url: str, name: str) -> None:
    world = await make_busy_world()
    await advance_program(world.program_id, NOW)
    other = await make_busy_world()
    before = await look(world, name)
    assert not before.violations
    async with owner(database_url) as connection:
        await connection.execute(CORRUPTIONS[name], world.program_id)
        found = await look(world, name)
        await connection.execute("DELETE FROM outbox WHERE program_id = $1", world.program_id)
        await connection.execute("DELETE FROM outbox_parked WHERE program_id = $1", world.program_id)
    assert found.violations > 0
    assert found.offending
    assert not (await look(other, name)).violations, "another program's books are its own"


@pytest.mark.parametrize("name", GUARDED)
async def test_what_the_database_refuses_is_found_too(
    boards: base.redis.Client, database_url: str, name: str
) -> None:
    world = await make_busy_world()
    table, corruption, undoing = GUARDED[name]
    async with owner(database_url) as connection, unguarded(connection, table):
        await connection.execute(corruption, world.program_id)
        found = await look(world, name)
        await connection.execute(undoing, world.program_id)
    assert found.violations > 0
    assert found.offending
    assert not (await look(world, name)).violations


async def test_a_meter_that_was_reached_at_another_time_is_found(
    boards: base.redis.Client, database_url: str
) -> None:
    world = await make_busy_world()
    async with owner(database_url) as connection:
        later = datetime(2026, 11, 20, 7, tzinfo=UTC)
        await connection.execute(
            "UPDATE meter SET reached_at = $2 WHERE program_id = $1", world.program_id, later
        )
    found = await look(world, "meters")
    assert found.violations > 0
    assert "reached at" in found.offending[0]


async def test_a_series_that_is_being_filled_is_left_out_and_said_so(
    boards: base.redis.Client, database_url: str
) -> None:
    world = await make_busy_world()
    async with owner(database_url) as connection:
        await connection.execute(
            "UPDATE meter_series SET filled_at = NULL WHERE program_id = $1", world.program_id
        )
        await connection.execute("UPDATE meter SET value = 7 WHERE program_id = $1", world.program_id)
    for name in ("meters", "completions", "badge levels", "tiers"):
        found = await look(world, name)
        assert (found.violations, found.note[:8]) == (0, "left out")


async def _views(world: World) -> list[BoardView]:
    async with reading() as connection:
        return await seasons_in(connection, program_id=world.program_id, states=OPEN)


async def _told(database_url: str, world: World) -> None:
    """Nothing is on its way to the boards any more."""
    async with owner(database_url) as connection:
        await connection.execute("DELETE FROM outbox WHERE program_id = $1", world.program_id)


async def test_boards_that_are_not_built_are_left_out(boards: base.redis.Client) -> None:
    world = await make_busy_world()
    found = await look(world, "boards")
    assert (found.looked, found.violations, found.note) == (
        0,
        0,
        "left out: 2 seasons that are not built yet",
    )


async def test_a_board_that_shows_something_else_is_found(
    boards: base.redis.Client, database_url: str
) -> None:
    world = await make_busy_world()
    await rebuild_all(world.program_id)
    await _told(database_url, world)
    clean = await look(world, "boards")
    assert clean.looked > 0
    assert not clean.violations
    view = (await _views(world))[0]
    ranking = ranking_key(view.season.id, view.season.generation, "")
    first = bytes((await boards.zrange(ranking, 0, 0))[0])  # type: ignore[arg-type]  # redis-py says "or a list"
    await boards.zadd(ranking, {first: -1})
    assert (await look(world, "boards")).violations == 1
    await boards.zrem(ranking, first)
    assert "is missing" in (await look(world, "boards")).offending[0]
    await rebuild_all(world.program_id)
    view = (await _views(world))[0]
    await boards.zadd(ranking_key(view.season.id, view.season.generation, ""), {"f" * 27: -5})
    assert "1 standings too many" in (await look(world, "boards")).offending[0]


async def test_what_the_boards_have_not_been_told_is_no_fault(
    boards: base.redis.Client, database_url: str
) -> None:
    world = await make_busy_world()
    await rebuild_all(world.program_id)
    await _told(database_url, world)
    await world.accept(sale("late", "kiosk", 10))
    assert not (await look(world, "boards")).violations
    await _told(database_url, world)
    assert (await look(world, "boards")).violations > 0
