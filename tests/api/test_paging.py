"""Pages: every row once, in order, and clear words for a cursor that is none."""

from typing import Any

import pytest

from tests.api.door import Api, open_api
from tests.world import sale

pytestmark = pytest.mark.usefixtures("database", "redis")


async def walk(api: Api, document: str, *path: str) -> list[Any]:
    """All nodes of a connection, page by page."""
    nodes, after = [], None
    while True:
        found: Any = await api.ask("ADMIN", document, {"after": after})
        for name in path:
            found = found[name]
        nodes += [edge["node"] for edge in found["edges"]]
        info = found["pageInfo"]
        assert info["hasPreviousPage"] is (after is not None)
        if not info["hasNextPage"]:
            return nodes
        assert info["endCursor"] == found["edges"][-1]["cursor"]
        after = info["endCursor"]


INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


async def test_partners_page_by_page() -> None:
    api = await open_api([f"p{number:02}" for number in range(7)])
    page = f"edges {{ cursor node {{ code }} }} {INFO}"
    document = f"query ($after: String) {{ partners(first: 3, after: $after) {{ {page} }} }}"
    found = await walk(api, document, "partners")
    assert [node["code"] for node in found] == ["elsewhere", *(f"p{number:02}" for number in range(7))]


async def test_entries_page_by_page_while_more_are_posted() -> None:
    api = await open_api()
    await api.world.earn("base", activity=1)
    for number in range(5):
        await api.world.accept(sale(f"a{number}", "shop", 10))
    document = f"""
        query ($after: String) {{
            partner(code: "shop") {{
                wallet {{ entries(first: 2, after: $after) {{ edges {{ cursor node {{ balanceAfter }} }} {INFO} }} }}
            }}
        }}
    """
    first = (await api.ask("ADMIN", document))["partner"]["wallet"]["entries"]
    await api.world.accept(sale("later", "shop", 10))
    after = {"after": first["pageInfo"]["endCursor"]}
    second = (await api.ask("ADMIN", document, after))["partner"]["wallet"]["entries"]
    assert [edge["node"]["balanceAfter"] for edge in first["edges"] + second["edges"]] == [5, 4, 3, 2]
    found = await walk(api, document, "partner", "wallet", "entries")
    assert [node["balanceAfter"] for node in found] == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("cursor", ["", "x", "WyJhIl0", "W10", "WzFd" * 1000, "WzFd", "bnVsbA", "eyJhIjoxfQ"])
async def test_what_is_no_cursor(cursor: str) -> None:
    api = await open_api()
    entries = "wallet { entries(after: $after) { edges { cursor } } }"
    document = f'query ($after: String) {{ partner(code: "shop") {{ {entries} }} }}'
    answer = await api.answer("ADMIN", document, {"after": cursor})
    if cursor == "WzFd":  # [1]: of an entry's version
        assert "errors" not in answer
    else:
        assert answer["errors"][0]["extensions"] == {"code": "INVALID_CURSOR", "field": ["after"]}
        assert answer["errors"][0]["path"] == ["partner", "wallet", "entries"]
