"""What a client is told while a server is away: to come again, and when. Nothing is lost by that, or counted twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest

from api.graphql import STOPPING
from base import engine, failpoints
from base.database import reading
from base.outages import AWAY, CROWDED, FULL, Outage
from tests.api.door import Answer, Api, open_api
from tests.api.sockets import served

pytestmark = pytest.mark.usefixtures("feed")

RECORD = """
    mutation ($input: ActivityRecordInput!) {
        activityRecord(input: $input) { ... on ActivityRecordPayload { outcomes { status } } }
    }
"""

WAITING = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
               WHERE NOT l.granted AND a.datname = current_database())
"""


def sale(external_id: str) -> Answer:
    given = {
        "source": "pos", "externalId": external_id, "kind": "SALE", "partner": "shop",
        "occurredAt": "2026-11-20T08:00:00Z", "lines": [{"sku": "tea", "quantity": "1", "amount": "10"}],
    }  # fmt: skip
    return {"query": RECORD, "variables": {"input": {"activities": [given]}}}


async def post(api: Api, body: Answer) -> httpx2.Response:
    return await api.post(api.token("INTEGRATION"), body)


def assert_away(response: httpx2.Response, outage: Outage) -> None:
    """All that a client can tell it by: the status, the header, the code, the seconds, and words without detail."""
    assert response.status_code == 503
    assert response.headers["retry-after"] == str(outage.retry_after)
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": outage.retry_after}
    assert error["message"] == str(outage)


def statuses(response: httpx2.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [one["status"] for one in response.json()["data"]["activityRecord"]["outcomes"]]


@pytest.mark.parametrize("point", [name for name in failpoints.POINTS if name.startswith("pipeline.")])
async def test_an_outage_is_told_and_a_repetition_is_taken(point: str) -> None:
    api = await open_api()
    for action, outage in (("disk_full", FULL), ("disconnect", AWAY)):
        with failpoints.armed(f"{point}={action}*1"):
            assert_away(await post(api, sale(action)), outage)
            assert statuses(await post(api, sale(action))) == [
                "DUPLICATE" if point == "pipeline.committed" else "RECORDED"
            ]


@pytest.mark.parametrize("action", ["deadlock", "serialization"])
async def test_contention_is_retried_until_it_is_too_much(action: str) -> None:
    api = await open_api()
    with failpoints.armed(f"pipeline.written={action}*3"):
        assert statuses(await post(api, sale("x"))) == ["RECORDED"]
    with failpoints.armed(f"pipeline.written={action}"):
        response = await post(api, sale("y"))
    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 1}


async def test_a_fault_of_ours_is_none_of_these() -> None:
    api = await open_api()
    with failpoints.armed("pipeline.loaded=error"):
        response = await post(api, sale("x"))
    assert response.status_code == 200
    assert response.json()["errors"][0]["extensions"] == {"code": "INTERNAL"}
    assert "retry-after" not in response.headers


@asynccontextmanager
async def no_connection_left(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Whoever is in the block has all connections of the pool."""
    async with AsyncExitStack() as held:
        for _ in range(10):
            await held.enter_async_context(reading())
        monkeypatch.setattr(engine, "ACQUIRE_SECONDS", 0.05)
        yield


async def test_a_pool_without_a_connection_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also before anybody is signed in: that takes a connection too."""
    api = await open_api()
    async with no_connection_left(monkeypatch):
        assert_away(await post(api, sale("x")), CROWDED)
        assert_away(await post(api, {"query": "{ viewer { name } }"}), CROWDED)
    assert statuses(await post(api, sale("x"))) == ["RECORDED"]


async def test_an_operation_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    api = await open_api()
    monkeypatch.setattr("api.door.OPERATION_SECONDS", 0.3)
    async with reading() as connection, connection.transaction():
        await connection.execute("SELECT FROM partner WHERE program_id = $1 FOR UPDATE", api.world.program_id)
        response = await post(api, sale("x"))
    assert response.status_code == 503
    assert statuses(await post(api, sale("x"))) == ["RECORDED"]


async def test_who_waits_while_the_server_stops_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by a text that is no JSON, as servers say that they end."""
    monkeypatch.setattr("ops.listening.DRAIN_SECONDS", 0.2)
    api = await open_api()
    headers = {"authorization": f"Bearer {api.token('INTEGRATION')}"}
    async with reading() as connection, connection.transaction():
        await connection.execute("SELECT FROM partner WHERE program_id = $1 FOR UPDATE", api.world.program_id)
        async with httpx2.AsyncClient(headers=headers) as client:
            async with served(api) as server:
                asking = asyncio.create_task(
                    client.post(f"http://127.0.0.1:{server.port}/graphql", json=sale("x"))
                )
                while not await connection.fetchval(WAITING):  # noqa: ASYNC110  # another connection does
                    await asyncio.sleep(0.01)
            assert_away(await asking, STOPPING)
    assert statuses(await post(api, sale("x"))) == ["RECORDED"]


async def test_over_a_socket_the_code_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    api = await open_api()
    token = api.token("INTEGRATION")
    async with served(api) as server:
        async with server.signed_in(token) as line:

            async def errors_of(body: Answer, id_: str) -> Any:
                await line.subscribe(body["query"], body.get("variables"), id_)
                message = await line.hear()
                if message["type"] == "error":
                    return message["payload"]
                assert (await line.hear())["type"] == "complete"
                return message["payload"]["errors"]

            with failpoints.armed("pipeline.loaded=disk_full*1"):
                (error,) = await errors_of(sale("x"), "1")
                assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": FULL.retry_after}
            async with no_connection_left(monkeypatch):
                (error,) = await errors_of({"query": "{ viewer { name } }"}, "2")
                assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": CROWDED.retry_after}
        async with no_connection_left(monkeypatch), server.open() as socket:
            await socket.send(
                f'{{"type": "connection_init", "payload": {{"authorization": "Bearer {token}"}}}}'
            )
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (1013, "UNAVAILABLE: try again in 2 s")
