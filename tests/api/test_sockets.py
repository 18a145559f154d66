"""Sockets: signing in, what is told live, and what closes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from api import socket as socket_module
from api.auth import Claims
from metrics.rules import Measure
from metrics.windows import Period
from partners.service import PartnerStatus
from tests.api.door import open_api
from tests.api.sockets import Line, served
from tests.world import return_of, sale

pytestmark = pytest.mark.usefixtures("feed")

FACTS = """
subscription {
  partnerFacts {
    __typename id because { step detail }
    ... on PointsPosted { unit amount }
    ... on MissionCompleted { mission { key title } window }
    ... on MissionRevoked { mission { key title } window }
  }
}
"""
BOARD = """
subscription ($key: String!) {
  leaderboardChanged(key: $key, first: 3) {
    snapshot provisional top { rank position score partner { code name region { code } } }
  }
}
"""


async def test_a_partner_hears_of_its_own_facts() -> None:
    api = await open_api(("shop", "other"))
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.earn("base", amount=1)
    async with served(api, relay=True) as port, port.signed_in(api.token("PARTNER")) as line:
        await line.subscribe(FACTS)
        await api.world.mission("autumn", {"sales": 5}, points=40)  # newer than the subscription
        heard: list[str] = []
        number = 0
        while "MissionRevoked" not in heard:  # until the feed has the subscription, what happens is not heard
            number += 1
            await api.world.accept(sale(f"o{number}", "other", 10), sale(f"s{number}", "shop", 10))
            await api.world.accept(return_of(f"r{number}", "shop", f"s{number}"))
            while (data := await line.data_or_nothing(0.5)) is not None:
                fact = data["partnerFacts"]
                heard.append(fact["__typename"])
                assert "reported by pos" in fact["because"][0]["detail"]
                assert " o" not in fact["because"][0]["detail"]
        assert set(heard) >= {"PointsPosted", "MissionRevoked"}
        await line.send(id="1", type="complete")


async def test_a_board_is_told_as_it_changes() -> None:
    api = await open_api(("shop", "other"))
    await api.world.count("sales", Measure.AMOUNT)
    board = {"key": "top", "name": "Top", "metric": "sales", "period": "MONTHLY"}
    await api.change("ADMIN", "leaderboardCreate", board, "leaderboard { key }")
    await api.world.accept(sale("a1", "shop", 10))
    async with served(api, relay=True) as port, port.signed_in(api.token("REGIONAL_LEAD")) as line:
        await line.subscribe(BOARD, {"key": "top"})
        change = (await line.next_data())["leaderboardChanged"]
        assert change["snapshot"] is True
        await api.world.accept(sale("a2", "other", "20.5"))
        while len(change["top"]) < 2:
            change = (await line.next_data())["leaderboardChanged"]
        assert [(row["rank"], row["score"], row["partner"]["code"]) for row in change["top"]] == [
            (1, "20.5", "other"),
            (2, "10", "shop"),
        ]
        assert change["top"][0]["partner"]["region"] == {"code": "JKT"}


async def test_groups_that_a_board_does_not_have_are_not_watched() -> None:
    api = await open_api()
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.ladder("sales", Period.YEARLY, {"bronze": (0, 1), "gold": (100, 2)})
    for grouping in ("NONE", "REGION", "TIER"):
        board = {"key": grouping, "name": "Top", "metric": "sales", "period": "MONTHLY", "groupBy": grouping}
        await api.change("ADMIN", "leaderboardCreate", board, "leaderboard { key }")
    document = (
        "subscription ($key: String!, $group: String) {"
        " leaderboardChanged(key: $key, group: $group) { snapshot } }"
    )
    async with served(api) as port, port.signed_in(api.token("ADMIN")) as line:
        for key, group, known in (
            ("REGION", "JKT", True),
            ("TIER", "gold", True),
            ("NONE", "", True),
            ("TIER", None, True),
            ("NONE", "JKT", False),
            ("REGION", "gold", False),
            ("TIER", "JKT", False),
            ("REGION", "invented", False),
        ):
            await line.subscribe(document, {"key": key, "group": group}, id_=f"{key} {group}")
            message = await line.hear()
            while message["id"] != f"{key} {group}":  # another board may be told once more
                message = await line.hear()
            assert ("UNKNOWN_GROUP" not in str(message)) is known, message
            assert ("snapshot" in str(message)) is known, message


async def test_what_may_not_be_watched() -> None:
    api = await open_api()
    async with served(api) as port, port.signed_in(api.token("ADMIN")) as line:
        await line.subscribe(FACTS)
        refused = await line.hear()
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "FORBIDDEN"
        await line.subscribe(BOARD, {"key": "nothing"})
        message = await line.hear()
        assert "NOT_FOUND" in str(message)


async def test_who_is_not_signed_in_is_closed() -> None:
    api = await open_api()
    expired = api.token("ADMIN", now=datetime.now(UTC) - timedelta(days=2))
    async with served(api) as port:
        for payload, reason in (
            ({}, "MISSING_TOKEN"),
            ({"authorization": 7}, "MISSING_TOKEN"),
            ({"authorization": "Bearer nonsense"}, "MALFORMED_TOKEN"),
            ({"authorization": f"Bearer {expired}"}, "TOKEN_EXPIRED"),
        ):
            async with port.open() as socket:
                line = Line(socket)
                await line.send(type="connection_init", payload=payload)
                code, why = await line.closed()
                assert code == 4401
                assert (why or "").startswith(reason)
        async with port.open() as socket:
            line = Line(socket)
            await line.subscribe(FACTS)
            assert (await line.closed())[0] == 4401


async def test_a_socket_ends_when_its_partner_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "CHECK_SECONDS", 0.05)
    api = await open_api()
    async with served(api) as port, port.signed_in(api.token("PARTNER")) as line:
        await line.subscribe(FACTS)
        await api.world.close("shop")
        code, why = await line.closed()
        assert (code, (why or "").partition(":")[0]) == (4401, "PARTNER_CLOSED")


async def test_a_check_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "CHECK_SECONDS", 0.05)
    api = await open_api()
    async with served(api) as port, port.signed_in(api.token("PARTNER")) as line:
        await line.subscribe(FACTS)
        async with unreachable_callers(monkeypatch) as tried:
            await tried.wait()
        await api.world.close("shop")
        code, why = await line.closed()
        assert (code, (why or "").partition(":")[0]) == (4401, "PARTNER_CLOSED")


async def test_a_socket_ends_with_its_token_whatever_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    api = await open_api()
    token = api.token("PARTNER", lasting=timedelta(seconds=3))
    async with served(api) as port, port.signed_in(token) as line, unreachable_callers(monkeypatch):
        await line.subscribe(FACTS)
        code, why = await line.closed()
        assert (code, (why or "").partition(":")[0]) == (4401, "TOKEN_EXPIRED")


@asynccontextmanager
async def unreachable_callers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """While this lasts whoever signs in finds no database; set once somebody has tried."""
    tried = asyncio.Event()

    async def fail(claims: Claims) -> NoReturn:
        tried.set()
        raise ConnectionRefusedError("the database restarts")

    with monkeypatch.context() as patch:
        patch.setattr(socket_module, "enter", fail)
        yield tried


@pytest.mark.parametrize(
    "message",
    [
        "[]",
        '"x"',
        "{",
        '{"type": "nothing"}',
        '{"type": "subscribe", "id": "1", "payload": []}',
        '{"type": "subscribe", "id": 7}',
    ],
)
async def test_messages_that_are_none(message: str) -> None:
    api = await open_api()
    async with served(api) as port, port.signed_in(api.token("ADMIN")) as line:
        await line.socket.send(message)
        assert (await line.closed())[0] == 4400


async def test_operations_that_are_none() -> None:
    api = await open_api()
    async with served(api) as port, port.signed_in(api.token("ADMIN")) as line:
        for payload in (
            {"query": 7},
            {"query": "{ tiers { key } }", "variables": [1]},
            {"query": "{ nothing }"},
        ):
            await line.send(id="1", type="subscribe", payload=payload)
            message = await line.hear()
            assert message["type"] == "error", message
            assert message["payload"][0]["extensions"]["code"] in ("BAD_REQUEST", "VALIDATION_ERROR")


async def test_only_the_newer_protocol_and_only_allowed_origins() -> None:
    api = await open_api()
    async with served(api) as port:
        async with port.open(protocol=Subprotocol("graphql-ws")) as socket:
            assert (await Line(socket).closed())[0] == 4406
        with pytest.raises(InvalidStatus):
            async with port.open(origin="https://elsewhere.example"):
                pass


async def test_operations_of_one_socket_see_what_changed_between_them() -> None:
    api = await open_api()
    await api.world.earn("base", amount=1)
    document = '{ partner(code: "shop") { wallet { available } } }'
    async with served(api) as port, port.signed_in(api.token("ADMIN")) as line:
        for expected in (0, 10, 20):
            await line.subscribe(document)
            assert (await line.next_data())["partner"]["wallet"]["available"] == expected
            assert (await line.hear())["type"] == "complete"
            await api.world.accept(sale(f"a{expected}", "shop", 10))


async def test_operations_on_one_socket_are_bounded() -> None:
    api = await open_api()
    async with served(api) as port, port.signed_in(api.token("PARTNER")) as line:
        for number in range(50):
            await line.subscribe(FACTS, id_=str(number))
        await line.subscribe(FACTS, id_="one too many")
        async with asyncio.timeout(10):
            message = await line.hear()
        assert (message["id"], message["type"]) == ("one too many", "error")


async def test_a_partner_that_is_suspended_still_hears() -> None:
    api = await open_api()
    await api.world.partner("shop", status=PartnerStatus.SUSPENDED)
    async with served(api) as port, port.signed_in(api.token("PARTNER")) as line:
        await line.subscribe("{ viewer { partner { status } } }")
        assert (await line.next_data())["viewer"]["partner"]["status"] == "SUSPENDED"
