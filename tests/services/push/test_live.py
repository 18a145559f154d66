"""The live feed, and facts on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from base import feed
from base.clock import SetClock
from base.database import transaction
from base.redis import Client
from push.live import FactFeed, channel_of, partner_facts
from push.messages import HISTORY
from tests.services.push.builders import COMPLETED, NOW, Scene, make_scene

SECONDS = 10.0


@pytest.fixture
async def live(redis: Client, redis_url: str, database: None) -> AsyncIterator[feed.Feed]:
    await feed.connect(redis_url)
    yield feed.connected()
    await feed.close()


async def heard(payloads: AsyncIterator[bytes]) -> bytes:
    return await asyncio.wait_for(anext(payloads), SECONDS)


async def publish(scene: Scene, *transaction_ids: int) -> None:
    async with transaction() as connection:
        await FactFeed(SetClock(NOW)).publish(connection, [scene.outbox(*transaction_ids)])


async def test_all_listeners_of_a_channel_hear_over_one_connection(
    live: feed.Feed, redis: Client, redis_url: str
) -> None:
    async with live.listening("a") as first, live.listening("a") as second, live.listening("b") as other:
        live.publish("a", b"1")
        live.publish("b", b"2")
        live.publish("a", b"3")
        assert [await heard(first), await heard(first)] == [b"1", b"3"]
        assert [await heard(second), await heard(second)] == [b"1", b"3"]
        assert await heard(other) == b"2"
        clients = (await redis.execute_command("CLIENT", "LIST", "TYPE", "PUBSUB")).decode().splitlines()
        ours = [client for client in clients if f" db={redis_url.rpartition('=')[2]} " in client]
        assert len(ours) == 1
        assert " sub=3 " in ours[0]


async def test_a_channel_without_listeners_is_let_go(live: feed.Feed, redis: Client) -> None:
    async with live.listening("left"):
        assert await redis.execute_command("PUBSUB", "NUMSUB", "left") == [b"left", 1]
    async with asyncio.timeout(SECONDS):
        while (listeners := await redis.execute_command("PUBSUB", "NUMSUB", "left")) != [b"left", 0]:
            assert listeners == [b"left", 1]
    async with live.listening("left") as again:
        live.publish("left", b"still")
        assert await heard(again) == b"still"


async def test_a_listener_that_is_too_slow_is_told_of_a_gap(live: feed.Feed) -> None:
    async with live.listening("fast") as slow, live.listening("end") as end:
        for number in range(feed.WAITING + 1):
            live.publish("fast", b"%d" % number)
        live.publish("end", b"over")
        assert await heard(end) == b"over"
        assert await heard(slow) == feed.GAP


async def test_a_partners_facts_come_one_by_one(live: feed.Feed) -> None:
    scene = await make_scene()
    partner, other = await scene.add_partner(), await scene.add_partner()
    steps = [{"step": "activity", "on": None, "kind": "SALE"}]
    earned = {"type": "PointsPosted", "because": 0, "unit": "POINT", "amount": 5, "kind": "EARN"}
    posted = await scene.post(partner, earned, COMPLETED, steps=steps)
    async with aclosing(partner_facts(scene.program_id, partner)) as facts:
        first = asyncio.ensure_future(anext(facts))
        async with live.listening(channel_of(scene.program_id, partner)):
            await publish(scene, await scene.post(other, COMPLETED), await scene.post(partner), posted)
            told = [await asyncio.wait_for(first, SECONDS), await asyncio.wait_for(anext(facts), SECONDS)]
    assert told == [
        {
            "transaction_id": posted,
            "place": place,
            "occurred_at": NOW.isoformat(),
            "posted_at": NOW.isoformat(),
            "because": steps,
            "fact": fact,
        }
        for place, fact in enumerate([earned, COMPLETED])
    ]


async def test_history_is_not_live(live: feed.Feed) -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    old = await scene.post(partner, COMPLETED, posted_at=NOW - HISTORY - timedelta(days=1))
    new = await scene.post(partner, COMPLETED)
    async with live.listening(channel_of(scene.program_id, partner)) as payloads:
        await publish(scene, old, new)
        assert b'"transaction_id":%d,' % new in await heard(payloads)
