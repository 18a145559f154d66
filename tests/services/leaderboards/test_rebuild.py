"""Projections are built beside the one in use, and again where they cannot be trusted."""

import pytest

import base.redis
from base.database import reading
from leaderboards import rebuild as rebuilding
from leaderboards.board import begin_generation, fill
from leaderboards.keys import generations_key, prefix, ranking_key
from leaderboards.queries import StandingPage, top
from leaderboards.rebuild import heal, rebuild, rebuild_all
from leaderboards.rules import Grouping
from leaderboards.seasons import advance_seasons
from leaderboards.standings import LiveRanking, load_page
from tests.services.leaderboards.scenes import NOW, Scene, make_scene, relay
from tests.services.programs import counted_statements, make_program

CODES = [f"p{number:02}" for number in range(40)]


async def read(scene: Scene, group: str = "") -> StandingPage:
    async with reading() as connection:
        return await top(connection, await scene.view(), first=100, group=group)


def places(page: StandingPage) -> list[tuple[str, int, int, str]]:
    return [(one.partner.code, one.rank, one.position, str(one.score)) for one in page.standings]


@pytest.fixture
async def scene(boards: base.redis.Client) -> Scene:
    """A board by region with 40 partners, of which many share a score."""
    scene = await make_scene(*CODES[:20])
    for code in CODES[20:]:
        await scene.add_partner(code, region="BALI")
    view = await scene.add_board(group_by=Grouping.REGION)
    await scene.count(view, {code: number % 7 for number, code in enumerate(CODES)})
    return scene


async def test_a_rebuild_equals_what_sql_says_and_what_is_projected(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", 7)
    for group in ("", "ID", "JKT", "BALI"):
        provisional = await read(scene, group)
        assert provisional.provisional
    done = await rebuild(await scene.view())
    assert done.standings == sum(1 for number in range(40) if number % 7)
    by_rebuild = {group: places(await read(scene, group)) for group in ("", "ID", "JKT", "BALI")}
    assert not (await read(scene)).provisional

    async with reading() as connection:
        view = await scene.view()
        for group, found in by_rebuild.items():
            part = await LiveRanking(connection, view.board, view.season).part(group, start=0, count=100)
            assert [scene.partners[code] for code, *_ in found] == [
                entry.partner_id for entry in part.entries
            ]
            assert [score for *_, score in found] == [str(entry.score) for entry in part.entries]

    await relay(scene)
    assert {group: places(await read(scene, group)) for group in by_rebuild} == by_rebuild


async def test_a_rebuild_replaces_the_generation_and_leaves_no_key_of_the_old_one(
    scene: Scene, boards: base.redis.Client
) -> None:
    first, second = await rebuild(await scene.view()), await rebuild(await scene.view())
    assert (first.generation, second.generation) == (1, 2)
    view = await scene.view()
    assert view.season.generation == 2
    keys = [key.decode() async for key in boards.scan_iter(match=f"{prefix(view.season.id)}*")]
    assert all(key == generations_key(view.season.id) or f"}}:{2}:" in key for key in keys)


async def test_what_changes_while_it_is_built_is_in_it(scene: Scene, boards: base.redis.Client) -> None:
    await rebuild(await scene.view())
    view = await scene.view()
    building = await begin_generation(boards, view.season, built_as="filled test")
    async with reading() as connection:
        old = await load_page(connection, board=view.board, season=view.season, after=0, limit=100)
    await relay(scene)
    await scene.count(view, {CODES[0]: 99, CODES[1]: 0})
    await relay(scene)
    await fill(boards, old, building)

    async def members(generation: int) -> list[tuple[bytes, float]]:
        key = ranking_key(view.season.id, generation, "JKT")
        found: list[tuple[bytes, float]]
        found = await boards.execute_command("ZRANGE", key, 0, -1, "WITHSCORES")
        return found

    assert (await members(building.number))[0][1] == -99
    assert await members(building.number) == await members(view.season.generation)


async def test_a_rebuild_of_an_older_number_does_not_replace_a_newer_one(
    scene: Scene, boards: base.redis.Client
) -> None:
    stale = await scene.view()
    await begin_generation(boards, stale.season, built_as="filled by one that hangs")
    await rebuild(stale)
    assert (await scene.view()).season.generation == 2
    assert list(await boards.hkeys(generations_key(stale.season.id))) == [b"2"]


async def test_a_new_board_is_built_by_healing_and_a_sound_one_is_left_alone(scene: Scene) -> None:
    await heal()
    assert (await scene.view()).season.generation == 1
    await heal()
    assert (await scene.view()).season.generation == 1


async def test_after_redis_was_flushed_reads_are_provisional_until_it_heals(
    scene: Scene, boards: base.redis.Client
) -> None:
    await heal()
    await relay(scene)
    before = places(await read(scene))
    await boards.execute_command("FLUSHDB")
    lost = await read(scene)
    assert lost.provisional
    assert places(lost) == before
    await scene.count(await scene.view(), {CODES[3]: 50})
    await relay(scene)
    assert (await read(scene)).provisional, "a single write does not make a board"
    await heal()
    healed = await read(scene)
    assert not healed.provisional
    assert healed.standings[0].partner.code == CODES[3]


async def test_a_projection_of_another_run_of_the_server_is_built_again(
    scene: Scene, boards: base.redis.Client
) -> None:
    await heal()
    season = (await scene.view()).season
    await boards.hset(generations_key(season.id), str(season.generation), "another-run filled x")
    await heal()
    assert (await scene.view()).season.generation == season.generation + 1


async def test_a_board_whose_meters_are_being_filled_is_provisional_and_built_again_after(
    scene: Scene,
) -> None:
    await scene.set_filled(False)
    await heal()
    assert (await read(scene)).provisional
    await scene.set_filled(True)
    await heal()
    assert (await scene.view()).season.generation == 2
    assert not (await read(scene)).provisional


async def test_all_boards_of_a_program_are_rebuilt_and_no_others(scene: Scene) -> None:
    other = await make_scene("x")
    await other.add_board()
    done = await rebuild_all(scene.program_id)
    assert [(one.board, one.season, one.standings) for one in done] == [("board", "2026-11", 34)]
    assert (await other.view()).season.generation == 0


async def test_a_program_without_a_board_costs_a_tick_nothing(scene: Scene) -> None:
    counts = []
    for _ in range(4):
        await make_program()
        async with counted_statements() as sent:
            await heal()
            await advance_seasons(NOW)
        counts.append(len(sent))
    # The first two find what earlier tests left to do.
    assert counts[2] == counts[3] > 0
