"""Boards while Redis is away and after it came back empty; and the same on a cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

import base.feed
import base.redis
from base.database import reading
from leaderboards.keys import generations_key, groups_key, prefix, ranking_key, rows_key
from leaderboards.live import changes
from leaderboards.queries import StandingPage, around, standings_of, top
from leaderboards.rebuild import heal, rebuild
from leaderboards.rules import GRACE, Grouping
from leaderboards.seasons import advance_program
from metrics.rules import Measure
from tests.services.leaderboards.own_valkey import OwnValkey
from tests.services.leaderboards.scenes import SECONDS, Scene, make_scene, relay, until

pytestmark = pytest.mark.usefixtures("no_other_boards")

SERVERS = pytest.mark.parametrize("valkey", [False, True], indirect=True, ids=["alone", "cluster"])


@pytest.fixture
async def valkey(
    request: pytest.FixtureRequest, tmp_path: Path, database: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OwnValkey]:
    """A server of the test's own, to which this process is connected meanwhile."""
    server = OwnValkey(tmp_path, cluster=getattr(request, "param", False))
    server.start()
    client = await base.redis.open_client(server.url)
    monkeypatch.setattr(base.redis, "_shared", client)
    await base.feed.connect(server.url)
    yield server
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await base.feed.close()
    await client.aclose()
    server.kill()


async def make_board() -> Scene:
    scene = await make_scene("a", "b", "c")
    await scene.add_partner("d", region="BALI")
    view = await scene.add_board(group_by=Grouping.REGION)
    await rebuild(view)
    await scene.count(view, {"a": 5, "b": 3, "d": 3})
    await relay(scene)
    return scene


async def read(scene: Scene, group: str = "") -> tuple[list[tuple[str, int]], bool]:
    async with reading() as connection:
        page: StandingPage = await top(connection, await scene.view(), group=group)
    return [(one.partner.code, one.rank) for one in page.standings], page.provisional


async def test_without_redis_standings_come_from_the_database_and_then_from_redis_again(
    valkey: OwnValkey,
) -> None:
    scene = await make_board()
    assert await read(scene) == ([("a", 1), ("b", 2), ("d", 2)], False)
    valkey.kill()
    assert await read(scene) == ([("a", 1), ("b", 2), ("d", 2)], True)
    await scene.count(await scene.view(), {"c": 9})
    with pytest.raises(base.redis.UNAVAILABLE):
        await relay(scene)
    assert await read(scene) == ([("c", 1), ("a", 2), ("b", 3), ("d", 3)], True)
    assert await heal() == []
    valkey.start()
    await heal()
    await relay(scene)
    assert await read(scene) == ([("c", 1), ("a", 2), ("b", 3), ("d", 3)], False)


async def test_seasons_close_without_redis_and_their_keys_go_when_it_is_back(valkey: OwnValkey) -> None:
    scene = await make_board()
    season = (await scene.view()).season
    valkey.kill()
    assert season.ends_at is not None
    await advance_program(scene.program_id, season.ends_at + GRACE)
    closed = (await scene.seasons())[0]
    assert (closed.state.value, closed.generation) == ("CLOSED", 1)
    valkey.start()
    await advance_program(scene.program_id, season.ends_at + GRACE)
    assert (await scene.seasons())[0].generation == 0


async def test_who_watches_sees_the_database_meanwhile_and_a_snapshot_after(
    valkey: OwnValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboards.live.REFRESHED_SECONDS", 0.5)
    scene = await make_board()
    async with (
        aclosing(changes(program_id=scene.program_id, key="board")) as stream,
        asyncio.timeout(SECONDS),
    ):
        assert not (await anext(stream)).provisional
        valkey.kill()
        await scene.count(await scene.view(), {"c": 9}, told=False)
        async for change in stream:
            if change.provisional and change.top[0].partner.code == "c":
                break
        valkey.start()

        async def is_healed() -> bool:
            await heal()
            return not (await read(scene))[1]

        await until(is_healed)
        snapshot = False
        async for change in stream:
            snapshot = snapshot or change.snapshot
            if snapshot and not change.provisional:
                break
        assert change.top[0].partner.code == "c"


@SERVERS
async def test_all_of_it_works_alone_and_in_a_cluster(valkey: OwnValkey) -> None:
    client = base.redis.connected()
    assert isinstance(client, base.redis.RedisCluster) == valkey.is_cluster
    scene = await make_board()
    other = await scene.add_board("other", measure=Measure.COUNT)
    await heal()
    await scene.count(other, {"a": 5, "b": 7, "d": 4})
    await relay(scene)
    assert await read(scene, "JAVA") == ([("a", 1), ("b", 2)], False)
    async with reading() as connection:
        view = await scene.view("other")
        near = await around(connection, view, partner="a", span=1)
        places = await standings_of(connection, await scene.view(), partner_id=scene.partners["d"])
    assert [one.partner.code for one in near.standings] == ["b", "a", "d"]
    assert {one.group: one.rank for one in places} == {"": 2, "BALI": 1, "ID": 2}
    async with (
        aclosing(changes(program_id=scene.program_id, key="board")) as stream,
        asyncio.timeout(SECONDS),
    ):
        await anext(stream)
        await scene.count(await scene.view(), {"c": 99})
        await relay(scene)
        assert (await anext(stream)).top[0].partner.code == "c"
    await rebuild(await scene.view())
    assert (await read(scene))[0][0] == ("c", 1)
    season = (await scene.view()).season
    assert season.ends_at is not None
    await advance_program(scene.program_id, season.ends_at + GRACE)
    assert await client.exists(generations_key(season.id)) == 0


def test_all_keys_of_a_season_share_a_tag_and_seasons_do_not() -> None:
    def tag(key: str) -> str:
        return key[key.index("{") : key.index("}") + 1]

    for season_id in (7, 71):
        keys = [
            generations_key(season_id), rows_key(season_id, 3), groups_key(season_id, 3),
            *(ranking_key(season_id, generation, group) for generation in (1, 2) for group in ("", "ID", "{x}", "}")),
        ]  # fmt: skip
        assert {tag(key) for key in keys} == {f"{{b{season_id}}}"}
        assert all(key.startswith(prefix(season_id)) for key in keys)
