"""The live feed: a snapshot first, then each change, shared by all who watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

import base.redis
from base.errors import NotFound
from leaderboards import live
from leaderboards.live import BoardChange, changes
from leaderboards.rebuild import heal
from tests.services.leaderboards.scenes import SECONDS, Scene, make_scene, relay, until
from tests.services.programs import counted_statements


@pytest.fixture
async def scene(boards: base.redis.Client) -> Scene:
    scene = await make_scene("a", "b", "c")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 5, "b": 3})
    await relay(scene)
    return scene


async def hear(stream: AsyncIterator[BoardChange]) -> BoardChange:
    async with asyncio.timeout(SECONDS):
        return await anext(stream)


def codes(change: BoardChange) -> list[str]:
    return [one.partner.code for one in change.top]


async def test_a_snapshot_comes_first_and_then_each_change(scene: Scene) -> None:
    async with aclosing(changes(program_id=scene.program_id, key="board")) as stream:
        first = await hear(stream)
        assert (first.snapshot, first.provisional, codes(first)) == (True, False, ["a", "b"])
        await scene.count(await scene.view(), {"c": 9})
        await relay(scene)
        second = await hear(stream)
        assert (second.snapshot, codes(second)) == (False, ["c", "a", "b"])


async def test_a_change_below_the_watched_rows_is_not_sent(scene: Scene) -> None:
    async with aclosing(changes(program_id=scene.program_id, key="board", first=1)) as stream:
        assert codes(await hear(stream)) == ["a"]
        await scene.count(await scene.view(), {"b": 4})
        await relay(scene)
        await scene.count(await scene.view(), {"b": 8})
        await relay(scene)
        assert codes(await hear(stream)) == ["b"]


async def test_many_watchers_cost_one_reading_a_change(scene: Scene) -> None:
    streams = [changes(program_id=scene.program_id, key="board") for _ in range(200)]
    try:
        for stream in streams:
            await hear(stream)
        waiting = [asyncio.ensure_future(hear(stream)) for stream in streams]
        await scene.count(await scene.view(), {"c": 9})
        async with counted_statements() as sent:
            await relay(scene)
            heard = await asyncio.gather(*waiting)
        assert all(codes(change) == ["c", "a", "b"] for change in heard)
        assert (
            len([query for query in sent if "FROM leaderboard b" in query and "standing" not in query]) <= 2
        )
    finally:
        for stream in streams:
            await stream.aclose()
    assert live._watches == {}


async def test_a_suspended_partner_disappears_from_the_live_board(scene: Scene) -> None:
    async with aclosing(changes(program_id=scene.program_id, key="board")) as stream:
        await hear(stream)
        await scene.change("a", status="SUSPENDED")
        await relay(scene)
        change = await hear(stream)
        assert [(one.partner.code, one.rank) for one in change.top] == [("b", 1)]


async def test_an_unknown_board_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await anext(changes(program_id=scene.program_id, key="nothing"))


async def test_nobody_listens_after_the_last_has_left(scene: Scene, boards: base.redis.Client) -> None:
    stream = changes(program_id=scene.program_id, key="board")
    await hear(stream)
    view = await scene.view()
    channel = live._channel(view.board.id).encode()

    async def is_silent() -> bool:
        return channel not in await boards.pubsub_channels()

    assert not await is_silent()
    await stream.aclose()
    await until(is_silent)
