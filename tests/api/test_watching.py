"""A request's ids, its one line in the log, and what is counted of it."""

import asyncio
import logging
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

import base.feed
import base.redis
from api.app import create_app
from api.graphql import routes
from api.watching import Watching
from base.logs import current_fields
from base.telemetry import registry
from tests.api.door import DEVELOPMENT, Api, open_api
from tests.api.sockets import served
from tests.lines import Lines, captured

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
ID = "x-request-id"


def client_of(app: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://mitra.test")


def watched(api: Api) -> Api:
    """The API behind the middleware, as `serve` has it."""
    app = Starlette(routes=routes(DEVELOPMENT, clock=api.world.clock), middleware=[Middleware(Watching)])
    return Api(api.world, api.program, client_of(app))


def value(name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


# ------------------------------------------------------------------------------------------------------------ the ids


@pytest.mark.parametrize("stated", ["a1", "Root=1-67891233-abcdef012345678912345678", "x" * 128])
async def test_a_harmless_request_id_is_taken_on(stated: str) -> None:
    with captured() as lines:
        answer = await client_of(create_app(DEVELOPMENT, connect=False)).get("/nowhere", headers={ID: stated})
    assert answer.headers[ID] == stated
    assert lines.one("request")["request_id"] == stated


@pytest.mark.parametrize("stated", ["", "x" * 129, "a b", "a\x7fb", "ä", "someone@example.com", '"}'])
async def test_any_other_is_replaced(stated: str) -> None:
    headers = [(ID.encode(), stated.encode())]
    answer = await client_of(create_app(DEVELOPMENT, connect=False)).get("/nowhere", headers=headers)
    assert len(answer.headers[ID]) == 32
    assert answer.headers.get_list(ID) == [answer.headers[ID]]


async def test_an_id_that_is_stated_more_than_once_says_nothing() -> None:
    client = client_of(create_app(DEVELOPMENT, connect=False))
    for times in (2, 3):
        answer = await client.get("/healthz", headers=[(ID, "a")] * times)
        assert answer.headers[ID] != "a"


async def test_a_trace_is_carried_on() -> None:
    client = client_of(create_app(DEVELOPMENT, connect=False))
    with captured() as lines:
        await client.get("/nowhere", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        await client.get("/nowhere", headers={"traceparent": f"00-{TRACE}-{SPAN}-01-more"})
    carried, begun = lines.all("request")
    assert (carried["trace_id"], carried["parent_span_id"]) == (TRACE, SPAN)
    assert carried["span_id"] != SPAN
    assert begun["trace_id"] != TRACE
    assert "parent_span_id" not in begun
    assert [len(line["span_id"]) for line in (carried, begun)] == [16, 16]


# ----------------------------------------------------------------------------------------------------------- the line


async def test_the_line_of_a_request(database: None) -> None:
    api = watched(await open_api())
    token = api.token("PARTNER")
    body = {"query": "query Mine { viewer { name } }", "variables": {"secret": "of the caller"}}
    with captured() as lines:
        answer = await api.post(token, body, **{ID: "r-1"})
    assert answer.status_code == 200
    line = lines.one("request")
    assert line.pop("duration_ms") > 0
    assert {name: line[name] for name in ("level", "logger", "request_id", "method", "path", "status")} == {
        "level": "info",
        "logger": "api.watching",
        "request_id": "r-1",
        "method": "POST",
        "path": "/graphql",
        "status": 200,
    }
    assert (line["operation"], line["program"], line["role"]) == ("query viewer", api.program, "PARTNER")
    assert "codes" not in line
    for private in (token, "of the caller", "Mine", "shop"):
        assert private not in lines.text


@pytest.mark.parametrize(
    ("role", "document", "operation", "codes"),
    [
        ("PARTNER", "{ metrics { key } }", "query metrics", ["FORBIDDEN"]),
        ("ADMIN", "{ nonsense }", None, ["VALIDATION_ERROR"]),
        ("ADMIN", "{ viewer { name } metrics { key } }", "query several", []),
        ("ADMIN", "{ __typename }", "query introspection", []),
    ],
)
async def test_the_line_names_operation_and_codes(
    database: None, role: str, document: str, operation: str | None, codes: list[str]
) -> None:
    api = watched(await open_api())
    with captured() as lines:
        await api.answer(role, document)
    line = lines.one("request")
    assert line.get("operation") == operation
    assert line.get("codes", []) == codes


async def test_a_mutations_own_error_is_among_the_codes(database: None) -> None:
    api = watched(await open_api())
    given = {"key": "a", "name": {"en": "A"}, "measure": "COUNT", "kinds": ["NO SUCH KIND"]}
    with captured() as lines:
        told = await api.answer(
            "MARKETER",
            "mutation M($input: MetricCreateInput!) { metricCreate(input: $input) "
            "{ __typename ... on UserError { code } } }",
            {"input": given},
        )
    line = lines.one("request")
    if "errors" in told:
        codes = [error["extensions"]["code"] for error in told["errors"]]
    else:
        codes = [told["data"]["metricCreate"]["code"]]
    assert line["codes"] == codes


@pytest.mark.parametrize(
    ("method", "path", "status", "codes"),
    [
        ("GET", "/nowhere?token=secret", 404, ["NOT_FOUND"]),
        ("DELETE", "/graphql", 405, ["METHOD_NOT_ALLOWED"]),
        ("GET", "/%0Aforged%20line", 404, ["NOT_FOUND"]),
    ],
)
async def test_refusals_before_graphql_have_their_line(
    method: str, path: str, status: int, codes: list[str]
) -> None:
    with captured() as lines:
        await client_of(create_app(DEVELOPMENT, connect=False)).request(method, path)
    line = lines.one("request")
    assert (line["method"], line["path"], line["status"]) == (method, path.partition("?")[0], status)
    assert line["codes"] == codes
    assert "secret" not in lines.text


async def test_nobody_signed_in(database: None) -> None:
    api = watched(await open_api())
    with captured() as lines:
        answer = await api.post("no token at all", {"query": "{ viewer { name } }"})
    assert answer.status_code == 401
    line = lines.one("request")
    assert (line["status"], line["codes"]) == (401, ["UNAUTHENTICATED"])
    assert "role" not in line
    assert "no token at all" not in lines.text


async def test_who_is_well_is_not_told_of() -> None:
    client = client_of(create_app(DEVELOPMENT, connect=False))
    with captured() as lines:
        await client.get("/healthz")
    assert lines.all() == []
    with captured(logging.DEBUG) as lines:
        await client.get("/healthz")
    assert lines.one("request")["level"] == "debug"


async def test_what_nobody_caught_is_answered_with_its_id_and_traced_once() -> None:
    async def fail(_: Request) -> Response:
        raise ZeroDivisionError

    app = Starlette(routes=[Route("/", fail)], middleware=[Middleware(Watching)])
    with captured() as lines:
        answer = await client_of(app).get("/", headers={ID: "r-2"})
    assert (answer.status_code, answer.headers[ID]) == (500, "r-2")
    assert answer.json()["errors"][0]["extensions"] == {"code": "INTERNAL"}
    failed, line = lines.all()
    assert (failed["event"], failed["request_id"]) == ("a request failed", "r-2")
    assert failed["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert (line["status"], line["codes"]) == (500, ["INTERNAL"])
    assert "exception" not in line


# ------------------------------------------------------------------------------------------------------- what it is on


async def test_requests_side_by_side_do_not_mix() -> None:
    seen: dict[str, str] = {}
    both = asyncio.Barrier(2)

    async def tell(request: Request) -> Response:
        async with asyncio.timeout(10):
            await both.wait()
        seen[request.url.path] = current_fields()["request_id"]
        return Response()

    routed = [Route("/a", tell), Route("/b", tell)]
    client = client_of(Starlette(routes=routed, middleware=[Middleware(Watching)]))
    await asyncio.gather(*(client.get(f"/{name}", headers={ID: name}) for name in "ab"))
    assert seen == {"/a": "a", "/b": "b"}
    assert current_fields() == {}


async def test_the_live_feed_is_on_no_request(
    database: None, feed: None, redis: base.redis.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task begins with the first listener, in a request, and goes on for everybody."""
    seen: list[dict[str, Any]] = []
    shared = base.feed.connected()
    told = shared._tell

    def tell(channel: str, payload: bytes) -> None:
        seen.append(current_fields())
        told(channel, payload)

    monkeypatch.setattr(shared, "_tell", tell)

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        async with shared.listening("a channel") as heard:
            assert current_fields()
            shared.publish("a channel", b"news")
            async with asyncio.timeout(20):
                assert await anext(aiter(heard)) == b"news"
        await Response()(scope, receive, send)

    await client_of(Watching(listen)).get("/")
    assert seen == [{}]


async def test_a_socket_has_one_id_and_a_line_for_each_operation(database: None, feed: None) -> None:
    api = await open_api()
    app_lines: Lines
    before = value("mitra_requests_total", operation="query viewer", code="OK")
    with captured() as app_lines:
        async with served(api) as server, server.signed_in(api.token("PARTNER")) as line:
            assert value("mitra_sockets") == 1
            await line.subscribe("{ viewer { name } }")
            assert (await line.next_data())["viewer"]
            assert (await line.hear())["type"] == "complete"
            assert line.socket.response is not None
            request_id = line.socket.response.headers[ID]
    operation, socket = app_lines.one("operation"), app_lines.one("socket")
    assert operation["request_id"] == socket["request_id"] == request_id
    assert (operation["operation"], operation["role"]) == ("query viewer", "PARTNER")
    assert (socket["path"], socket["role"], socket["close_code"]) == ("/graphql", "PARTNER", 1000)
    assert "operation" not in socket
    assert value("mitra_sockets") == 0
    assert value("mitra_requests_total", operation="query viewer", code="OK") == before + 1


# ------------------------------------------------------------------------------------------------------------- counted


async def test_requests_are_counted_by_operation_and_code(database: None) -> None:
    api = watched(await open_api())
    good = {"operation": "query viewer", "code": "OK"}
    bad = {"operation": "query metrics", "code": "FORBIDDEN"}
    before = value("mitra_requests_total", **good), value("mitra_requests_total", **bad)
    timed = value("mitra_request_seconds_count", operation="query viewer")
    await api.ask("ADMIN", "query ANameOfTheClient { viewer { name } }")
    await api.refusal("PARTNER", "{ metrics { key } }")
    assert (value("mitra_requests_total", **good), value("mitra_requests_total", **bad)) == (
        before[0] + 1,
        before[1] + 1,
    )
    assert value("mitra_request_seconds_count", operation="query viewer") == timed + 1


async def test_a_client_cannot_make_labels(database: None) -> None:
    api = watched(await open_api())
    names = {f"query {name}" for name in ("Mine", "Yours")}
    for name in ("Mine", "Yours"):
        await api.ask("ADMIN", f"query {name} {{ {name}: viewer {{ name }} }}")
    operations = {
        sample.labels["operation"]
        for family in registry.collect()
        for sample in family.samples
        if "operation" in sample.labels
    }
    assert not operations & names


async def test_the_middleware_passes_the_lifespan_on() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing() -> Message:
        return {}

    async def nowhere(_: Message) -> None: ...

    await Watching(app)({"type": "lifespan"}, nothing, nowhere)
    assert seen == ["lifespan"]
