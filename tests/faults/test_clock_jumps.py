"""A clock that jumps, and a relay that stands still for long: the books, the meters and the boards do not mind."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import base.feed
import base.redis
from activity.rules import ActivityInput
from base import outbox
from base.database import reading
from game.outcome import Outcome
from game.pipeline import record
from game.review import review_program
from leaderboards.projector import CONSUMER, project
from leaderboards.queries import list_boards, list_seasons
from leaderboards.rebuild import rebuild_all
from leaderboards.seasons import advance_program
from ops.audit.boards import look_at_boards
from tests.faults.rounds import Player, batches_of, make_town, open_outbox, start_of
from tests.invariants import check_audit, check_invariants
from tests.world import World, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

STANDINGS = """
SELECT s.key, t.group_key, t.position, t.partner_id, t.score FROM season_standing t
JOIN season s ON s.program_id = t.program_id AND s.id = t.season_id WHERE s.program_id = $1 ORDER BY 1, 2, 3
"""
LEFT = "SELECT id FROM outbox WHERE program_id = $1"
BOOKED = "SELECT external_id, posted_at, recorded_at, local_date FROM activity WHERE program_id = $1"
LOTS = (
    "SELECT 1 FROM lot l JOIN ledger_transaction t ON t.program_id = l.program_id AND t.id = l.transaction_id"
)
EARLY = f"{LOTS} WHERE l.program_id = $1 AND (l.matures_at < t.posted_at OR l.expires_at < t.posted_at)"


@dataclass
class Jumping:
    """A clock that is set as it pleases, as a machine's may be."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
async def relayed(database: None, redis: base.redis.Client, redis_url: str) -> AsyncIterator[None]:
    await base.feed.connect(redis_url)
    await open_outbox()
    yield
    await base.feed.close()


async def take(world: World, clock: Jumping, *batch: ActivityInput) -> list[Outcome]:
    return await record(program_id=world.program_id, activities=batch, clock=clock)


async def keep_up(world: World, clock: Jumping) -> None:
    """What the ticks do, by that clock."""
    await review_program(world.program_id, clock)
    await advance_program(world.program_id, clock.now())


async def check(world: World) -> None:
    await check_invariants(world.program_id)
    await check_audit(world.program_id)
    await rebuild_all(world.program_id)
    boards = await look_at_boards(world.program_id)
    assert not boards.violations, boards.offending
    assert not await world.rows(EARLY)


async def meters_of(world: World) -> dict[str, Any]:
    """What counts, and what was granted for it. Points mature and expire by the clock, so wallets are left out."""
    found = await world.everything()
    counted = {
        name: found[name] for name in ("meters", "parts", "usage", "standings", "completions", "lines")
    }
    return counted | {"granted": [lot[:4] for lot in found["lots"]]}


async def test_a_clock_that_jumps_moves_no_meter_to_another_window(relayed: None) -> None:
    """What counts is when it occurred; when it was booked is what the clock said."""
    batches = [batch for number in range(2) for batch in batches_of(number)]
    steady, jumping = await make_town(), await make_town()
    clock = Jumping(start_of(1))
    for batch in batches:
        await take(steady, clock, *batch)
    for batch, jump in zip(batches, (0, 40, -1, 3), strict=True):
        clock.instant = (
            start_of(1) + timedelta(days=jump) if jump > -1 else start_of(1) + timedelta(seconds=1)
        )
        outcomes = await take(jumping, clock, *batch)
        assert {one.status for one in outcomes} == {"RECORDED"}
    assert await meters_of(jumping) == await meters_of(steady)
    posted = {row["external_id"]: row["posted_at"] for row in await jumping.rows(BOOKED)}
    assert posted[batches[1][0].external_id] == start_of(1) + timedelta(days=40)
    assert posted[batches[3][0].external_id] == start_of(1) + timedelta(days=3)
    await check(jumping)


async def test_a_jump_back_reopens_no_season_and_a_repetition_is_still_one(relayed: None) -> None:
    world = await make_town()
    clock = Jumping(start_of(0))
    first = batches_of(0)[0]
    assert {one.status for one in await take(world, clock, *first)} == {"RECORDED"}
    await keep_up(world, clock)

    clock.instant = start_of(0) + timedelta(days=30)  # every season there is by then is closed
    await keep_up(world, clock)
    closed = await world.rows(STANDINGS)
    assert closed

    clock.instant = start_of(0) - timedelta(days=2)
    await keep_up(world, clock)
    assert await world.rows(STANDINGS) == closed
    repeated = await take(world, clock, *first)
    codes = {one.status for one in repeated} | {one.code for one in repeated} - {""}
    assert codes <= {"DUPLICATE", "REJECTED", "FUTURE_DATE"}

    (late, future) = await take(
        world,
        clock,
        sale("late", "a", 40, at=clock.now() - timedelta(days=1)),
        sale("future", "a", 40, at=clock.now() + timedelta(days=1)),
    )
    assert (late.status, future.code) == ("RECORDED", "FUTURE_DATE")
    assert await world.rows(STANDINGS) == closed, "what is closed does not move"

    clock.instant = start_of(0) + timedelta(days=31)
    again = await take(world, clock, *first, sale("future", "a", 40, at=start_of(0) - timedelta(days=1)))
    assert {one.status for one in again[:-1]} == {"DUPLICATE"}
    assert again[-1].status == "RECORDED"
    await take(world, clock, return_of("back", "a", "late", at=clock.now()))
    await keep_up(world, clock)
    await check(world)


async def test_a_missed_year_of_ticks_is_caught_up_at_once(relayed: None) -> None:
    world = await make_town()
    clock = Jumping(start_of(0))
    for batch in batches_of(0):
        await take(world, clock, *batch)
    clock.instant = datetime(2027, 11, 20, tzinfo=UTC)
    await keep_up(world, clock)
    async with reading() as connection:
        (board,) = await list_boards(connection, program_id=world.program_id)
        seasons = await list_seasons(connection, board)
    assert len(seasons) > 52
    assert next(season.state.value for season in seasons if season.starts_at <= clock.now()) == "LIVE"
    assert {season.state.value for season in seasons[3:]} == {"CLOSED"}
    await check(world)


async def test_a_relay_that_stood_still_for_long_catches_up(relayed: None) -> None:
    """Row by row or in pages, in any order of programs: the boards are exact, and nothing is left of the rows."""
    player = Player((await make_town()).program_id)
    world = player.world
    await rebuild_all(world.program_id)
    for number in range(6):
        for batch in batches_of(number):
            world.clock.advance_to(start_of(number))
            for one in batch:
                await world.accept(one)
    assert len(await world.rows(LEFT)) > 90
    await review_program(world.program_id, world.clock)
    await advance_program(world.program_id, world.clock.now())
    while any(one.rows for one in await outbox.depth() if one.consumer == CONSUMER):
        await outbox.consume(CONSUMER, project, limit=7)
    boards = await look_at_boards(world.program_id)
    assert not boards.violations, boards.offending

    await player.play(6)
    await check(world)
    await outbox.drop_consumed()
    assert not await world.rows(LEFT)
