"""The application around GraphQL: health, readiness, limits, and refusals in one form."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

import api.app
import base.redis
from api.app import create_app
from base.settings import Settings

LIMIT = 2048


async def nothing_pending() -> list[str]:
    return []


async def one_pending() -> list[str]:
    return ["0009_next"]


def client_of(pending: object = nothing_pending) -> httpx2.AsyncClient:
    app = create_app(Settings(max_body_bytes=LIMIT), pending=pending, connect=False)  # type: ignore[arg-type]
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://mitra")


async def test_alive_asks_nobody() -> None:
    answer = await client_of().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_where_all_parts_are(database: None, redis: base.redis.Client) -> None:
    answer = await client_of().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "redis": "ok", "migrations": "ok"}


async def test_not_ready_names_the_migrations(database: None, redis: base.redis.Client) -> None:
    answer = await client_of(one_pending).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["migrations"] == "missing: 0009_next"
    assert answer.json()["database"] == "ok"


async def test_not_ready_names_redis(
    database: None, redis: base.redis.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base.redis, "_shared", base.redis.client("redis://127.0.0.1:1"))
    answer = await client_of().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["redis"].startswith("failed: ")
    assert answer.json()["database"] == "ok"


async def test_nobody_waits_for_a_part_that_hangs(
    database: None, redis: base.redis.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.app, "CHECK_SECONDS", 0.02)
    asked = 0
    let_go = asyncio.Event()

    async def hanging() -> list[str]:
        nonlocal asked
        asked += 1
        try:
            await let_go.wait()
        finally:
            await let_go.wait()  # as a connection takes its time to end
        return []

    client = client_of(hanging)
    for _ in range(2):
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["migrations"]) == (503, "does not answer")
    assert asked == 1
    let_go.set()


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 512):
        yield b"x" * 512


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in pieces"])
async def test_a_large_body_is_refused_by_code(announced: bool) -> None:
    content = b"x" * (LIMIT + 1) if announced else in_pieces(LIMIT * 2)
    answer = await client_of().post("/graphql", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": "PAYLOAD_TOO_LARGE"}
    assert str(LIMIT) in error["message"]


async def test_an_unknown_path_is_refused_in_the_same_form() -> None:
    answer = await client_of().get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["extensions"] == {"code": "NOT_FOUND"}


async def test_the_front_door_leads_to_graphiql() -> None:
    answer = await client_of().get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/graphql")
