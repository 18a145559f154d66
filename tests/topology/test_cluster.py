"""Boards and the live feed on a cluster of three nodes, one of which goes and comes back."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import base.feed
import base.redis
from base.database import reading
from leaderboards.queries import top
from leaderboards.rebuild import heal
from leaderboards.rules import GRACE
from leaderboards.seasons import advance_program
from tests.services.leaderboards.scenes import Scene, make_scene, relay, until
from tests.topology.cluster import Cluster

pytestmark = pytest.mark.usefixtures("no_other_boards")

READ_SECONDS = 4.0
"""What a reader waits at most before the database answers instead."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of this module; each test leaves it whole."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
async def connected(
    cluster: Cluster, database: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[base.redis.Client]:
    """This process, connected to the cluster."""
    client = await base.redis.open_client(cluster.url)
    monkeypatch.setattr(base.redis, "_shared", client)
    await base.feed.connect(cluster.url)
    yield client
    await base.feed.close()
    await client.aclose()


async def make_boards(cluster: Cluster) -> Scene:
    """A program with a board on each node, filled: named after the place of its node."""
    scene = await make_scene("a", "b", "c")
    wanted, number = set(range(len(cluster.nodes))), 0
    while wanted:
        view = await scene.add_board(f"board-{number}")
        wanted.discard(cluster.nodes.index(cluster.node_of(view.season.id)))
        number += 1
    await heal()
    await scene.count(await scene.view("board-0"), {"a": 5, "b": 3})
    await relay(scene)
    return scene


async def read_all(scene: Scene) -> dict[str, tuple[list[str], bool]]:
    """Every board: who stands on it, and whether that is provisional."""
    found = {}
    for key in await board_keys(scene):
        async with asyncio.timeout(READ_SECONDS), reading() as connection:
            page = await top(connection, await scene.view(key))
        found[key] = ([one.partner.code for one in page.standings], page.provisional)
    return found


async def board_keys(scene: Scene) -> list[str]:
    async with reading() as connection:
        rows = await connection.fetch("SELECT key FROM leaderboard WHERE program_id = $1", scene.program_id)
    return [row["key"] for row in rows]


async def test_a_node_that_goes_and_comes_back(cluster: Cluster, connected: base.redis.Client) -> None:
    scene = await make_boards(cluster)
    assert all(board == (["a", "b"], False) for board in (await read_all(scene)).values())
    node = cluster.nodes[0]  # of the URL
    node.kill()
    # Until the others miss it they serve what is theirs; then nothing is served. Readers get an answer either way.
    assert all(standing == ["a", "b"] for standing, _ in (await read_all(scene)).values())
    await asyncio.to_thread(cluster.wait_broken)
    assert all(board == (["a", "b"], True) for board in (await read_all(scene)).values())
    with pytest.raises(base.redis.UNAVAILABLE):
        await base.redis.ping()
    assert await heal() == []
    await scene.count(await scene.view("board-0"), {"c": 9})
    with pytest.raises(base.redis.UNAVAILABLE):
        await relay(scene)
    season = (await scene.view("board-0")).season
    await advance_program(scene.program_id, season.starts_at)

    node.start()
    await asyncio.to_thread(cluster.wait_whole)

    async def is_healed() -> bool:
        await heal()
        return not any(provisional for _, provisional in (await read_all(scene)).values())

    await until(is_healed)
    await base.redis.ping()
    await relay(scene)
    assert all(board == (["c", "a", "b"], False) for board in (await read_all(scene)).values())
    await scene.count(await scene.view("board-0"), {"c": 0})
    await relay(scene)
    season = (await scene.view("board-0")).season
    assert season.ends_at is not None
    await advance_program(scene.program_id, season.ends_at + GRACE)
    assert {row.state.value for key in await board_keys(scene) for row in await scene.seasons(key)} == {
        "CLOSED",
        "LIVE",
    }


async def test_while_one_node_is_missed_by_nobody_yet_the_boards_of_the_others_are_healed(
    cluster: Cluster, connected: base.redis.Client
) -> None:
    scene = await make_boards(cluster)
    away, *others = cluster.nodes
    for node in others:
        node.ask("FLUSHALL")
    for node in others:
        node.ask("CONFIG SET", "cluster-require-full-coverage", "no")
    away.kill()
    try:
        keys = {
            key
            for key in await board_keys(scene)
            if cluster.node_of((await scene.view(key)).season.id) is not away
        }
        healed = await heal()
        assert keys <= {one.board for one in healed}
        found = await read_all(scene)
        assert {key for key, (_, provisional) in found.items() if not provisional} == keys
    finally:
        away.start()
        for node in others:
            node.ask("CONFIG SET", "cluster-require-full-coverage", "yes")
        await asyncio.to_thread(cluster.wait_whole)


@pytest.mark.parametrize("lost", [0, 1, 2])
async def test_the_live_feed_goes_on_through_another_node(
    cluster: Cluster, connected: base.redis.Client, lost: int
) -> None:
    """The first node is the one of the URL."""
    speaker, listener = base.feed.Feed(cluster.url), base.feed.Feed(cluster.url)
    try:
        async with listener.listening("word") as heard, asyncio.timeout(30):
            stream = aiter(heard)
            speaker.publish("word", b"before")
            assert await anext(stream) == b"before"
            cluster.nodes[lost].kill()
            hearing = asyncio.ensure_future(anext(stream))
            while not (hearing.done() and hearing.result() == b"after"):
                if hearing.done():  # a gap
                    hearing = asyncio.ensure_future(anext(stream))
                speaker.publish("word", b"after")
                await asyncio.wait({hearing}, timeout=0.1)
    finally:
        await speaker.close()
        await listener.close()
        cluster.nodes[lost].start()
        await asyncio.to_thread(cluster.wait_whole)
