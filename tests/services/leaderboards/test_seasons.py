"""Seasons over time: they come, are caught up, and close for good."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import base.redis
from base.database import reading
from leaderboards.keys import prefix
from leaderboards.queries import BoardView, around, size, standings_of, top
from leaderboards.rebuild import heal
from leaderboards.rules import GRACE, Grouping, SeasonState
from leaderboards.seasons import advance_program, advance_seasons
from metrics.windows import Period
from partners.history import begin_history, end_history
from tests.services.leaderboards.scenes import NOW, Scene, make_scene, relay
from tests.services.programs import rows

AFTER = datetime(2026, 12, 1, tzinfo=UTC) + GRACE


async def states(scene: Scene) -> dict[str, SeasonState]:
    return {season.key: season.state for season in await scene.seasons()}


async def closed(scene: Scene, key: str = "2026-11") -> BoardView:
    view = await scene.view()
    (season,) = [season for season in await scene.seasons() if season.key == key]
    assert season.state is SeasonState.CLOSED
    return BoardView(view.board, season)


async def test_a_board_has_its_present_season_from_the_start(boards: base.redis.Client) -> None:
    scene = await make_scene()
    view = await scene.add_board()
    assert (view.season.key, view.season.state) == ("2026-11", SeasonState.LIVE)
    assert view.season.starts_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert view.season.ends_at == datetime(2026, 12, 1, tzinfo=UTC)


async def test_a_board_that_starts_later_is_scheduled_and_then_lives(boards: base.redis.Client) -> None:
    scene = await make_scene()
    start = datetime(2027, 2, 10, tzinfo=UTC)
    view = await scene.add_board(starts_at=start)
    assert (view.season.key, view.season.state) == ("2027-02", SeasonState.SCHEDULED)
    async with reading() as connection:
        page = await top(connection, view)
    assert (page.standings, page.provisional) == ((), False)
    await advance_program(scene.program_id, start)
    assert await states(scene) == {"2027-02": SeasonState.LIVE}


async def test_past_windows_get_closed_seasons_from_the_first_that_counts(boards: base.redis.Client) -> None:
    scene = await make_scene("a")
    view = await scene.add_board()
    await scene.count(view, {"a": 3}, window=date(2026, 8, 1))
    await advance_program(scene.program_id, NOW)
    assert await states(scene) == {
        "2026-08": SeasonState.CLOSED, "2026-09": SeasonState.CLOSED, "2026-10": SeasonState.CLOSED,
        "2026-11": SeasonState.LIVE,
    }  # fmt: skip
    assert (await scene.view()).season.key == "2026-11"
    async with reading() as connection:
        page = await top(connection, await closed(scene, "2026-08"))
    assert [(one.partner.code, str(one.score)) for one in page.standings] == [("a", "3")]


async def test_seasons_before_the_boards_start_are_not_made(boards: base.redis.Client) -> None:
    scene = await make_scene("a")
    view = await scene.add_board(
        starts_at=datetime(2026, 10, 5, tzinfo=UTC), ends_at=datetime(2026, 11, 25, tzinfo=UTC)
    )
    await scene.count(view, {"a": 3}, window=date(2026, 1, 1))
    await advance_program(scene.program_id, AFTER + timedelta(days=90))
    assert list(await states(scene)) == ["2026-10", "2026-11"]


async def test_a_season_goes_through_grace_and_takes_what_comes_late(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 5, "b": 3})
    await relay(scene)
    await advance_program(scene.program_id, datetime(2026, 12, 1, tzinfo=UTC))
    assert await states(scene) == {"2026-11": SeasonState.GRACE, "2026-12": SeasonState.LIVE}
    await scene.count(view, {"b": 9})
    await relay(scene)
    grace = BoardView(view.board, (await scene.seasons())[0])
    async with reading() as connection:
        assert [one.partner.code for one in (await top(connection, grace)).standings] == ["b", "a"]
    await advance_program(scene.program_id, AFTER - timedelta(microseconds=1))
    assert (await states(scene))["2026-11"] is SeasonState.GRACE
    await advance_program(scene.program_id, AFTER)
    assert (await states(scene))["2026-11"] is SeasonState.CLOSED


async def test_final_standings_are_frozen_and_their_projection_is_dropped(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b", "c")
    await scene.add_partner("d", region="BALI")
    view = await scene.add_board(group_by=Grouping.REGION)
    await heal()
    await scene.count(view, {"a": 5, "b": 8, "c": 5, "d": 5})
    await relay(scene)
    await advance_program(scene.program_id, AFTER)
    season = await closed(scene)
    assert season.season.closed_at == AFTER
    assert [key async for key in boards.scan_iter(match=f"{prefix(season.season.id)}*")] == []
    await scene.count(view, {"a": 100})
    await scene.change("b", region="BALI")
    await relay(scene)
    await advance_program(scene.program_id, AFTER + timedelta(days=1))
    async with reading() as connection:
        page = await top(connection, season, first=3)
        rest = await top(connection, season, first=3, after=page.standings[-1].cursor)
        java = await top(connection, season, group="JAVA")
        near = await around(connection, season, partner="c", span=1)
        mine = await standings_of(connection, season, partner_id=scene.partners["d"])
        assert await size(connection, season, group="BALI") == 1
    assert (page.provisional, page.size, page.has_next, rest.has_next) == (False, 4, True, False)
    final = [
        (one.partner.code, one.rank, one.position, str(one.score))
        for one in (*page.standings, *rest.standings)
    ]
    assert final == [("b", 1, 1, "8"), ("a", 2, 2, "5"), ("c", 2, 3, "5"), ("d", 2, 4, "5")]
    assert [one.partner.code for one in java.standings] == ["b", "a", "c"]
    assert [one.partner.code for one in near.standings] == ["a", "c", "d"]
    assert {one.group: (one.rank, one.position) for one in mine} == {"": (2, 4), "BALI": (1, 1), "ID": (2, 4)}


async def test_a_suspended_partner_is_hidden_in_final_standings_too(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board()
    await scene.count(view, {"a": 5, "b": 3})
    await advance_program(scene.program_id, AFTER)
    await scene.change("a", status="SUSPENDED")
    async with reading() as connection:
        page = await top(connection, await closed(scene))
    assert [(one.partner.code, one.rank) for one in page.standings] == [("b", 2)]


async def test_months_of_missed_ticks_are_caught_up_by_one(boards: base.redis.Client) -> None:
    scene = await make_scene("a")
    view = await scene.add_board()
    await scene.count(view, {"a": 5})
    await advance_program(scene.program_id, datetime(2027, 3, 15, tzinfo=UTC))
    assert list((await states(scene)).items()) == [
        ("2026-11", SeasonState.CLOSED), ("2026-12", SeasonState.CLOSED), ("2027-01", SeasonState.CLOSED),
        ("2027-02", SeasonState.CLOSED), ("2027-03", SeasonState.LIVE),
    ]  # fmt: skip


async def test_advancing_again_and_at_once_changes_nothing(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board()
    await scene.count(view, {"a": 5, "b": 5})
    await asyncio.gather(*(advance_seasons(AFTER) for _ in range(4)))
    before = await rows(
        "SELECT * FROM season_standing WHERE program_id = $1 ORDER BY position", scene.program_id
    )
    seasons = await scene.seasons()
    await advance_seasons(AFTER)
    assert (
        await rows("SELECT * FROM season_standing WHERE program_id = $1 ORDER BY position", scene.program_id)
        == before
    )
    assert await scene.seasons() == seasons
    assert [row["rank"] for row in before] == [1, 1]


async def test_a_season_is_not_closed_while_its_meters_are_being_filled(boards: base.redis.Client) -> None:
    scene = await make_scene("a")
    await scene.add_board()
    await scene.set_filled(False)
    await advance_program(scene.program_id, AFTER)
    assert (await states(scene))["2026-11"] is SeasonState.GRACE
    await scene.set_filled(True)
    await advance_program(scene.program_id, AFTER)
    assert (await states(scene))["2026-11"] is SeasonState.CLOSED


async def test_days_start_and_end_on_the_boards_own_clock_through_a_change_of_time(
    boards: base.redis.Client,
) -> None:
    scene = await make_scene("a")
    zone = "Europe/Berlin"
    view = await scene.add_board(
        period=Period.DAILY, time_zone=zone, now=datetime(2026, 10, 24, 23, tzinfo=UTC)
    )
    assert (view.season.key, view.season.starts_at) == ("2026-10-25", datetime(2026, 10, 24, 22, tzinfo=UTC))
    assert view.season.ends_at == datetime(2026, 10, 25, 23, tzinfo=UTC), "the day has 25 hours"
    await advance_program(scene.program_id, datetime(2026, 10, 25, 22, 59, tzinfo=UTC))
    assert await states(scene) == {"2026-10-25": SeasonState.LIVE}
    await advance_program(scene.program_id, datetime(2026, 10, 25, 23, tzinfo=UTC))
    assert await states(scene) == {"2026-10-25": SeasonState.GRACE, "2026-10-26": SeasonState.LIVE}


async def test_a_fixed_board_has_one_season(boards: base.redis.Client) -> None:
    scene = await make_scene("a")
    starts_at, ends_at = NOW - timedelta(days=1), NOW + timedelta(days=1)
    view = await scene.add_board(period=Period.FIXED, starts_at=starts_at, ends_at=ends_at)
    assert (view.season.key, view.season.starts_at, view.season.ends_at) == ("once", starts_at, ends_at)
    await scene.count(view, {"a": 5})
    await advance_program(scene.program_id, ends_at + GRACE)
    assert await states(scene) == {"once": SeasonState.CLOSED}
    async with reading() as connection:
        page = await top(connection, await scene.view())
    assert [one.partner.code for one in page.standings] == ["a"]


async def test_seasons_wait_for_the_end_of_a_history_load(boards: base.redis.Client) -> None:
    scene = await make_scene("a")
    view = await scene.add_board()
    await begin_history(scene.program_id)
    await scene.count(view, {"a": 3}, window=date(2026, 8, 1))
    await advance_seasons(NOW)
    assert await states(scene) == {"2026-11": SeasonState.LIVE}
    await end_history(scene.program_id)
    await advance_seasons(NOW)
    assert (await states(scene))["2026-08"] is SeasonState.CLOSED
