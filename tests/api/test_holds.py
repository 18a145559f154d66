"""Paying with points over the API: reserved, spent or given back, each once, and seen by those whom it concerns."""

from typing import Any

import pytest

from api.ids import global_id
from tests.api.door import Answer, Api, open_api
from tests.invariants import check_invariants
from tests.ledger import give

pytestmark = pytest.mark.usefixtures("database")

SHOWN = "hold { id partnerCode unit amount purpose state captured endedAt }"


@pytest.fixture
async def api() -> Api:
    """A program whose `shop` has 100 points."""
    api = await open_api()
    await give(api.world, "shop", 100)
    return api


async def hold(api: Api, amount: int, key: str = "h", **more: Any) -> Answer:
    given = {"partner": "shop", "amount": amount, "purpose": "Order 12", "idempotencyKey": key, **more}
    return await api.change("INTEGRATION", "pointsHold", given, SHOWN)


async def capture(api: Api, id_: str, amount: int | None = None, key: str = "c") -> Answer:
    given = {"id": id_, "amount": amount, "idempotencyKey": key}
    return await api.change("INTEGRATION", "holdCapture", given, SHOWN)


async def release(api: Api, id_: str, key: str = "r") -> Answer:
    return await api.change("INTEGRATION", "holdRelease", {"id": id_, "idempotencyKey": key}, SHOWN)


async def test_points_are_reserved_spent_in_part_and_seen(api: Api) -> None:
    held = (await hold(api, 60))["hold"]
    assert {**held, "id": ""} == {
        "id": "",
        "partnerCode": "shop",
        "unit": "POINT",
        "amount": 60,
        "purpose": "Order 12",
        "state": "OPEN",
        "captured": 0,
        "endedAt": None,
    }
    assert (await hold(api, 60))["hold"] == held, "the same key answers as the first time"
    assert (await hold(api, 41, "more"))["code"] == "INSUFFICIENT_POINTS"
    ended = (await capture(api, held["id"], 25))["hold"]
    assert (ended["state"], ended["captured"], ended["endedAt"] is None) == ("CAPTURED", 25, False)
    assert (await capture(api, held["id"], 25))["hold"] == ended
    assert (await release(api, held["id"]))["code"] == "HOLD_ENDED"
    document = """{ viewer { partner { wallet { available held holds(first: 5) {
        edges { node { purpose state captured } }
    } } } } }"""
    wallet = (await api.ask("PARTNER", document))["viewer"]["partner"]["wallet"]
    assert (wallet["available"], wallet["held"]) == (75, 0)
    assert wallet["holds"]["edges"] == [
        {"node": {"purpose": "Order 12", "state": "CAPTURED", "captured": 25}}
    ]
    await check_invariants(api.world.program_id)


async def test_open_holds_are_listed_page_by_page(api: Api) -> None:
    ids = [(await hold(api, 10, str(number)))["hold"]["id"] for number in range(4)]
    await release(api, ids[1])
    document = """query ($after: String, $partner: String) {
        holds(partner: $partner, states: [OPEN], first: 2, after: $after) {
            edges { node { id } } pageInfo { hasNextPage endCursor }
        }
    }"""
    first = (await api.ask("FINANCE", document))["holds"]
    assert [edge["node"]["id"] for edge in first["edges"]] == [ids[3], ids[2]]
    after = {"after": first["pageInfo"]["endCursor"], "partner": "shop"}
    second = (await api.ask("FINANCE", document, after))["holds"]
    assert ([edge["node"]["id"] for edge in second["edges"]], second["pageInfo"]["hasNextPage"]) == (
        [ids[0]],
        False,
    )
    assert (await api.ask("FINANCE", document, {"partner": "nobody"}))["holds"]["edges"] == []


async def test_what_is_wrong_has_a_code_and_a_path(api: Api) -> None:
    id_ = (await hold(api, 60))["hold"]["id"]
    other = await open_api()
    faults = [
        (await hold(api, 0, "x"), "INVALID_AMOUNT", ["amount"]),
        (await hold(api, 5, "x", partner="nobody"), "UNKNOWN_PARTNER", ["partner"]),
        (await hold(api, 5, "x", unit="IDR"), "UNKNOWN_UNIT", ["unit"]),
        (await hold(api, 5, "x", purpose=" "), "INVALID_TEXT", ["purpose"]),
        (await hold(api, 61), "IDEMPOTENCY_CONFLICT", ["idempotencyKey"]),
        (await capture(api, id_, 61), "INVALID_AMOUNT", ["amount"]),
        (await capture(api, id_, 0), "INVALID_AMOUNT", ["amount"]),
        (await capture(api, id_, -1), "INVALID_AMOUNT", ["amount"]),
        (await capture(api, "x"), "UNKNOWN_HOLD", ["id"]),
        (await release(api, global_id("Hold", api.program, 1)), "UNKNOWN_HOLD", ["id"]),
        (await release(other, id_), "UNKNOWN_HOLD", ["id"]),
    ]
    assert [(fault["code"], fault["field"]) for fault, _, _ in faults] == [
        (code, field) for _, code, field in faults
    ]
