"""HTTP: what is no GraphQL request gets a clear JSON answer."""

import pytest

from tests.api.door import PRODUCTION, Api, open_api

pytestmark = pytest.mark.usefixtures("database", "redis")


async def send(api: Api, content: bytes, content_type: str = "application/json") -> tuple[int, str]:
    headers = {"authorization": f"Bearer {api.token('ADMIN')}", "content-type": content_type}
    response = await api.client.post("/graphql", content=content, headers=headers)
    (error,) = response.json()["errors"]
    assert error["message"]
    return response.status_code, error["extensions"]["code"]


async def test_bodies_that_are_no_request() -> None:
    api = await open_api()
    for content in (
        b"",
        b"{",
        b"[1,",
        b'"text"',
        b"7",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"query": 7}',
        b'{"query": null}',
    ):
        assert await send(api, content) == (400, "BAD_REQUEST"), content
    assert await send(api, b'{"query": "{ tiers { key } }", "variables": [1]}') == (400, "BAD_REQUEST")
    assert await send(api, b'[{"query": "{ tiers { key } }"}]') == (400, "BAD_REQUEST")
    assert await send(api, b"query=x", "application/x-www-form-urlencoded") == (400, "BAD_REQUEST")
    assert await send(
        api, b'{"query": "{ partner(code: \\"a\\") { code } }", "variables": {"x": "\\u0000"}}'
    ) == (
        400,
        "BAD_REQUEST",
    )


async def test_operations_that_cannot_be_found() -> None:
    api = await open_api()

    async def code_of(**body: object) -> str:
        response = await api.post(api.token("ADMIN"), body)
        code: str = response.json()["errors"][0]["extensions"]["code"]
        return code

    two = "query A { tiers { key } } query B { badges { key } }"
    assert await code_of(query=two) == "UNKNOWN_OPERATION"
    assert await code_of(query=two, operationName="C") == "UNKNOWN_OPERATION"
    assert await code_of(query="{ tiers { key } }", operationName="C") == "UNKNOWN_OPERATION"
    assert await code_of(query="{ tiers { key } }", operationName=["C"]) == "BAD_REQUEST"
    assert await code_of(query="{ tiers { key }") == "SYNTAX_ERROR"
    assert await code_of(query="fragment A on Tier { key }") != ""
    assert await code_of(query='{ partner(code: "\\u0000") { code } }') == "BAD_REQUEST"
    block = await api.client.get(  # a request whose text is no JSON
        "/graphql",
        params={"query": '{ partner(code: """a\0""") { code } }'},
        headers={"authorization": f"Bearer {api.token('ADMIN')}"},
    )
    assert block.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    good = await api.post(api.token("ADMIN"), {"query": two, "operationName": "B"})
    assert good.json() == {"data": {"badges": []}}


async def test_get() -> None:
    api = await open_api()
    headers = {"authorization": f"Bearer {api.token('ADMIN')}"}
    good = await api.client.get("/graphql", params={"query": "{ tiers { key } }"}, headers=headers)
    assert good.json() == {"data": {"tiers": []}}
    empty = await api.client.get("/graphql", headers=headers)
    assert (empty.status_code, empty.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    change = 'mutation { badgeCreate(input: {key: "a", name: "A"}) { __typename } }'
    refused = await api.client.get("/graphql", params={"query": change}, headers=headers)
    assert refused.status_code == 400
    assert (await api.ask("ADMIN", "{ badges { key } }"))["badges"] == []


async def test_a_subscription_needs_a_socket() -> None:
    api = await open_api()
    error = await api.refusal("PARTNER", "subscription { partnerFacts { id } }")
    assert error["extensions"]["code"] == "SOCKET_NEEDED"


async def test_the_page_is_shown_in_development_only() -> None:
    accept = {"accept": "text/html,*/*"}
    page = await (await open_api()).client.get("/graphql", headers=accept)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text.replace("://mitra.test", "").replace("</", "")
    hidden = await (await open_api(settings=PRODUCTION)).client.get("/graphql", headers=accept)
    assert hidden.status_code == 401
