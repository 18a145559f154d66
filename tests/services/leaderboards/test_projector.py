"""Meters go to the boards: once or repeated, in any order, and only what stands there."""

import base.redis
from base.database import reading
from base.outbox import OutboxRow
from leaderboards.board import write
from leaderboards.keys import ranking_key
from leaderboards.projector import project
from leaderboards.queries import around, size, standings_of, top
from leaderboards.rebuild import heal
from leaderboards.rules import Grouping
from metrics.rules import Measure
from tests.services.leaderboards.scenes import Scene, make_scene, relay


async def ranking(scene: Scene, key: str = "board", group: str = "") -> list[tuple[str, int, int, str]]:
    view = await scene.view(key)
    async with reading() as connection:
        page = await top(connection, view, first=100, group=group)
    assert not page.provisional
    return [(one.partner.code, one.rank, one.position, str(one.score)) for one in page.standings]


async def test_equal_scores_share_a_rank_and_the_first_to_reach_them_stands_first(
    boards: base.redis.Client,
) -> None:
    scene = await make_scene("a", "b", "c", "d")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"d": 10, "c": 20, "b": 20, "a": 30})
    await relay(scene)
    assert await ranking(scene) == [
        ("a", 1, 1, "30"),
        ("c", 2, 2, "20"),
        ("b", 2, 3, "20"),
        ("d", 4, 4, "10"),
    ]


async def test_projecting_again_changes_nothing(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 1, "b": 2})
    await relay(scene)
    before = await ranking(scene)
    async with reading() as connection:
        again = OutboxRow(scene.program_id, list(scene.partners.values()), [])
        await project(connection, [again, again])
    assert await ranking(scene) == before


async def test_a_value_of_nothing_leaves_the_board_and_comes_back(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 5, "b": 3})
    await relay(scene)
    await scene.count(view, {"a": 0})
    await relay(scene)
    assert [code for code, *_ in await ranking(scene)] == ["b"]
    await scene.count(view, {"a": 1})
    await relay(scene)
    assert [code for code, *_ in await ranking(scene)] == ["b", "a"]


async def test_quantities_and_amounts_rank_to_the_thousandth(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b", "c", "d")
    view = await scene.add_board(measure=Measure.AMOUNT)
    await heal()
    await scene.count(view, {"a": "10.5", "b": "10.5004", "c": "10.501", "d": "0.0004"})
    await relay(scene)
    assert await ranking(scene) == [("c", 1, 1, "10.501"), ("a", 2, 2, "10.5"), ("b", 2, 3, "10.5")]


async def test_what_a_sorted_set_cannot_hold_shares_the_first_rank(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b", "c")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 2**53 - 2, "b": 2**53 - 1, "c": 10**17})
    await relay(scene)
    largest = str(2**53 - 1)
    assert await ranking(scene) == [("b", 1, 1, largest), ("c", 1, 2, largest), ("a", 3, 3, str(2**53 - 2))]


async def test_a_suspended_partner_is_hidden_at_once_and_then_gone(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 5, "b": 3})
    await relay(scene)
    await scene.change("a", status="SUSPENDED")
    assert await ranking(scene) == [("b", 2, 2, "3")], "hidden before the projection hears of it"
    async with reading() as connection:
        view = await scene.view()
        assert await standings_of(connection, view, partner_id=scene.partners["a"]) == []
        assert (await around(connection, view, partner="a")).standings == ()
    await relay(scene)
    assert await ranking(scene) == [("b", 1, 1, "3")]
    await scene.change("a", status="ACTIVE")
    await relay(scene)
    assert await ranking(scene) == [("a", 1, 1, "5"), ("b", 2, 2, "3")]


async def test_a_board_by_region_ranks_in_every_region_up_to_the_root(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    await scene.add_partner("c", region="BALI")
    view = await scene.add_board(group_by=Grouping.REGION)
    await heal()
    await scene.count(view, {"a": 5, "b": 3, "c": 9})
    await relay(scene)
    assert [code for code, *_ in await ranking(scene, group="ID")] == ["c", "a", "b"]
    assert [code for code, *_ in await ranking(scene, group="JAVA")] == ["a", "b"]
    assert [code for code, *_ in await ranking(scene, group="BALI")] == ["c"]
    await scene.change("b", region="BALI")
    await relay(scene)
    assert [code for code, *_ in await ranking(scene, group="JKT")] == ["a"]
    assert [code for code, *_ in await ranking(scene, group="BALI")] == ["c", "b"]
    async with reading() as connection:
        view = await scene.view()
        places = await standings_of(connection, view, partner_id=scene.partners["b"])
        assert {one.group: (one.rank, one.percentile) for one in places} == {
            "": (3, 100 / 3), "ID": (3, 100 / 3), "BALI": (2, 50.0),
        }  # fmt: skip
        assert await size(connection, view, group="BALI") == 2


async def test_a_board_by_tier_follows_the_partner_into_its_tier(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board(group_by=Grouping.TIER)
    await scene.set_tiers("bronze", "silver")
    await heal()
    await scene.count(view, {"a": 5, "b": 3})
    await relay(scene)
    assert [code for code, *_ in await ranking(scene, group="bronze")] == ["a", "b"]
    await scene.set_tier("a", 1)
    await relay(scene)
    assert [code for code, *_ in await ranking(scene, group="bronze")] == ["b"]
    assert [code for code, *_ in await ranking(scene, group="silver")] == ["a"]


async def test_an_older_state_that_arrives_late_loses(boards: base.redis.Client) -> None:
    scene = await make_scene("a")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 5})
    await scene.count(view, {"a": 8})
    await relay(scene)
    view = await scene.view()
    key = ranking_key(view.season.id, view.season.generation, "")
    (member,) = await boards.execute_command("ZRANGE", key, 0, -1)
    stale = (scene.partners["a"], 2, "-5", member.decode(), "")
    assert await write(boards, {view.season.id: [stale]}) == frozenset()
    assert await ranking(scene) == [("a", 1, 1, "8")]


async def test_pages_follow_one_another_and_ranks_go_on(boards: base.redis.Client) -> None:
    scene = await make_scene(*"abcdef")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 9, "b": 7, "c": 7, "d": 7, "e": 2, "f": 1})
    await relay(scene)
    seen: list[tuple[str, int]] = []
    after = None
    async with reading() as connection:
        view = await scene.view()
        while True:
            page = await top(connection, view, first=2, after=after)
            seen += [(one.partner.code, one.rank) for one in page.standings]
            assert page.size == 6
            if not page.has_next:
                break
            after = page.standings[-1].cursor
        near = await around(connection, view, partner="c", span=1)
    assert seen == [("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 5), ("f", 6)]
    assert [(one.partner.code, one.rank, one.position) for one in near.standings] == [
        ("b", 2, 2),
        ("c", 2, 3),
        ("d", 2, 4),
    ]
