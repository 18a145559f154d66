"""Adjustments that take two people, the policies that say when, and units: as finance and an admin meet them."""

from typing import Any

import pytest

from api.access import ADJUSTING
from loyalty.ledger.approval import NAMELESS
from tests.api.door import Answer, Api, open_api
from tests.api.test_statements import read

pytestmark = pytest.mark.usefixtures("database", "redis")

SHOWN = """
    id state amount unit reason askedBy decidedBy decidedAt rejection partner { code }
    entries { bucket amount balanceAfter because { code detail value } }
"""
LIST = f"""
    query ($states: [AdjustmentState!], $first: Int, $after: String) {{
        adjustments(states: $states, first: $first, after: $after) {{
            edges {{ node {{ {SHOWN} }} }} pageInfo {{ hasNextPage endCursor }}
        }}
    }}
"""
POLICY = """policy {
    returns expiry { kind days months period on } adjustmentApprovalAbove { unit amount } expiryNoticeDays
}"""
UNIT = "unit { code name currency digits }"


def document(name: str, wanted: str) -> str:
    type_name = name[0].upper() + name[1:]
    return f"""
        mutation ($input: {type_name}Input!) {{
            {name}(input: $input) {{
                ... on {type_name}Payload {{ {wanted} }}
                ... on UserError {{ code message field }}
            }}
        }}
    """


async def change(api: Api, who: str, name: str, given: Any, wanted: str, role: str = "FINANCE") -> Answer:
    """What a mutation answers to somebody of that name."""
    data = await api.ask(role, document(name, wanted), {"input": given}, claims={"subject": who})
    answer: Answer = data[name]
    return answer


async def adjust(api: Api, who: str, amount: int, key: str, **more: Any) -> Answer:
    given = {"partner": "shop", "amount": amount, "reason": "a display", "idempotencyKey": key, **more}
    return await change(
        api, who, "pointsAdjust", given, f"adjustment {{ {SHOWN} }} entries {{ amount balanceAfter }}"
    )


async def approve(api: Api, who: str, id_: str) -> Answer:
    return await change(api, who, "adjustmentApprove", {"id": id_}, f"adjustment {{ {SHOWN} }}")


async def reject(api: Api, who: str, id_: str, reason: str = "no proof") -> Answer:
    given = {"id": id_, "reason": reason}
    return await change(api, who, "adjustmentReject", given, f"adjustment {{ {SHOWN} }}")


async def decide(api: Api, **given: Any) -> Answer:
    return await change(api, "chief", "programPolicySet", given, POLICY, role="ADMIN")


async def listed(api: Api, **given: Any) -> tuple[list[int], Answer]:
    found: Answer = (await api.ask("ADMIN", LIST, given))["adjustments"]
    return [edge["node"]["amount"] for edge in found["edges"]], found["pageInfo"]


async def test_two_people_adjust() -> None:
    api = await open_api()
    await decide(api, adjustmentApprovalAbove=[{"amount": 1_000}])
    small = await adjust(api, "siti", 1_000, "1")
    assert (small["adjustment"]["state"], small["entries"]) == (
        "POSTED",
        [{"amount": 1_000, "balanceAfter": 1_000}],
    )
    asked = await adjust(api, "siti", 1_001, "2")
    id_ = asked["adjustment"]["id"]
    assert (asked["entries"], asked["adjustment"]["state"]) == ([], "AWAITING_APPROVAL")
    assert (asked["adjustment"]["askedBy"], asked["adjustment"]["decidedBy"]) == ("siti", None)
    assert (await approve(api, "siti", id_))["code"] == "SAME_PERSON"
    approved = (await approve(api, "budi", id_))["adjustment"]
    assert (approved["state"], approved["decidedBy"], approved["partner"]) == (
        "POSTED",
        "budi",
        {"code": "shop"},
    )
    (entry,) = approved["entries"]
    assert (entry["bucket"], entry["amount"], entry["balanceAfter"]) == ("AVAILABLE", 1_001, 2_001)
    assert [step["detail"] for step in entry["because"]] == [
        "Asked for by siti, approved by budi",
        "Adjusted by hand: a display",
    ]
    again = await adjust(api, "siti", 1_001, "2")
    assert (again["adjustment"], again["entries"]) == (approved, [{"amount": 1_001, "balanceAfter": 2_001}])
    assert (await approve(api, "eka", id_))["adjustment"] == approved
    assert (await reject(api, "eka", id_))["code"] == "ADJUSTMENT_DECIDED"


async def test_tokens_without_a_name_are_no_two_people() -> None:
    """Theirs are the names that the books take for nobody's."""
    assert {role.value.lower() for role in ADJUSTING} == NAMELESS
    api = await open_api()
    await decide(api, adjustmentApprovalAbove=[{"amount": 0}])
    given = {"partner": "shop", "amount": 1, "reason": "a display", "idempotencyKey": "1"}
    data = await api.ask("FINANCE", document("pointsAdjust", f"adjustment {{ {SHOWN} }}"), {"input": given})
    asked = data["pointsAdjust"]["adjustment"]
    assert asked["askedBy"] in NAMELESS
    data = await api.ask(
        "ADMIN", document("adjustmentApprove", f"adjustment {{ {SHOWN} }}"), {"input": {"id": asked["id"]}}
    )
    assert data["adjustmentApprove"]["code"] == "UNNAMED_PERSON"
    assert (await reject(api, "budi", asked["id"]))["adjustment"]["state"] == "REJECTED"


async def test_one_that_is_rejected_is_never_posted() -> None:
    api = await open_api()
    await decide(api, adjustmentApprovalAbove=[{"amount": 0}])
    id_ = (await adjust(api, "siti", 1, "1"))["adjustment"]["id"]
    assert (await reject(api, "budi", id_, " "))["field"] == ["reason"]
    rejected = (await reject(api, "budi", id_))["adjustment"]
    assert (rejected["state"], rejected["rejection"], rejected["entries"]) == ("REJECTED", "no proof", [])
    assert (await approve(api, "eka", id_))["code"] == "ADJUSTMENT_DECIDED"
    assert (await api.world.wallet("shop")).version == 0
    other = await open_api()
    for answer in (await approve(other, "budi", id_), await reject(other, "budi", "x")):
        assert (answer["code"], answer["field"]) == ("NOT_FOUND", ["id"])


async def test_adjustments_are_listed_by_state_and_page() -> None:
    api = await open_api()
    await decide(api, adjustmentApprovalAbove=[{"amount": 3}])
    ids = [(await adjust(api, "siti", amount, str(amount)))["adjustment"]["id"] for amount in range(1, 7)]
    await reject(api, "budi", ids[-1])
    assert (await listed(api))[0] == [6, 5, 4, 3, 2, 1]
    assert (await listed(api, states=["AWAITING_APPROVAL"]))[0] == [5, 4]
    assert (await listed(api, states=["POSTED", "REJECTED"]))[0] == [6, 3, 2, 1]
    amounts, page = await listed(api, states=["POSTED"], first=2)
    assert (amounts, page["hasNextPage"]) == ([3, 2], True)
    assert (await listed(api, states=["POSTED"], first=2, after=page["endCursor"]))[0] == [1]


async def test_policies_are_set_one_by_one() -> None:
    api = await open_api()
    stored: Answer = await api.ask("MARKETER", f"{{ programPolicy {POLICY.removeprefix('policy')} }}")
    assert stored["programPolicy"] == {
        "returns": "DEBT",
        "expiry": {"kind": "NONE", "days": None, "months": None, "period": None, "on": None},
        "adjustmentApprovalAbove": [],
        "expiryNoticeDays": [30, 7],
    }
    for given, kind in (
        ({"afterDays": 90}, {"kind": "AFTER", "days": 90}),
        ({"afterMonths": 12}, {"kind": "AFTER", "months": 12}),
        (
            {"periodEnd": {"period": "QUARTERLY", "afterMonths": 6}},
            {"kind": "PERIOD_END", "period": "QUARTERLY", "months": 6},
        ),
        ({"on": "2027-12-31"}, {"kind": "ON", "on": "2027-12-31"}),
        ({"idleDays": 30}, {"kind": "SLIDING", "days": 30}),
        ({"idleMonths": 6}, {"kind": "SLIDING", "months": 6}),
        ({"never": True}, {"kind": "NONE"}),
    ):  # fmt: skip
        policy = (await decide(api, expiry=given))["policy"]
        assert {name: value for name, value in policy["expiry"].items() if value is not None} == kind
    await decide(api, expiry={"afterDays": 90})
    await decide(api, returns="WITHIN_BALANCE")
    policy = (await decide(api, adjustmentApprovalAbove=[{"amount": 10}]))["policy"]
    assert (policy["returns"], policy["expiry"]["days"]) == ("WITHIN_BALANCE", 90)
    assert policy["adjustmentApprovalAbove"] == [{"unit": "POINT", "amount": 10}]
    assert (await decide(api, adjustmentApprovalAbove=[]))["policy"]["adjustmentApprovalAbove"] == []
    for days in ([60, 14, 1], []):
        assert (await decide(api, expiryNoticeDays=days))["policy"]["expiryNoticeDays"] == days
    assert (await decide(api, returns="DEBT"))["policy"]["expiryNoticeDays"] == []


@pytest.mark.parametrize(
    ("days", "code", "field"),
    [
        ([0], "INVALID_NUMBER", ["expiryNoticeDays", "0"]),
        ([7, 366], "INVALID_NUMBER", ["expiryNoticeDays", "1"]),
        ([7, 7], "DUPLICATE", ["expiryNoticeDays", "1"]),
        ([1, 2, 3, 4, 5, 6], "TOO_MANY", ["expiryNoticeDays"]),
    ],
)
async def test_warnings_are_of_few_days_within_a_year(days: list[int], code: str, field: list[str]) -> None:
    api = await open_api()
    refused = await decide(api, expiryNoticeDays=days)
    assert (refused["code"], refused["field"]) == (code, field)
    assert (await decide(api, returns="DEBT"))["policy"]["expiryNoticeDays"] == [30, 7]


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"expiry": {"afterDays": 0}}, "INVALID_EXPIRY", ["expiry"]),
        ({"expiry": {"never": False}}, "INVALID_EXPIRY", ["expiry"]),
        ({"expiry": {"on": "2020-01-01"}}, "INVALID_EXPIRY", ["expiry", "on"]),
        ({"expiry": {"afterMonths": 5_000}}, "INVALID_EXPIRY", ["expiry"]),
        ({"expiry": {"periodEnd": {"period": "WEEKLY"}}}, "INVALID_EXPIRY", ["expiry"]),
        (
            {"adjustmentApprovalAbove": [{"amount": -1}]},
            "NEGATIVE",
            ["adjustmentApprovalAbove", "0", "amount"],
        ),
        (
            {"adjustmentApprovalAbove": [{"amount": 1}, {"amount": 2}]},
            "DUPLICATE",
            ["adjustmentApprovalAbove", "1", "unit"],
        ),
        (
            {"adjustmentApprovalAbove": [{"amount": 1}, {"unit": "X", "amount": 1}]},
            "UNKNOWN_UNIT",
            ["adjustmentApprovalAbove", "1", "unit"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_policy(given: Any, code: str, field: list[str]) -> None:
    api = await open_api()
    answer = await decide(api, **given)
    assert (answer["code"], answer["field"]) == (code, field)


async def test_a_wallet_in_money() -> None:
    """Amounts count the smallest part; the file shows the main unit."""
    api = await open_api()
    given = {"code": "USD", "name": "Dollar", "currency": "USD", "digits": 2}
    made = await change(api, "chief", "unitCreate", given, UNIT, role="ADMIN")
    assert made == {"unit": given}
    listed = (await api.ask("PARTNER", "{ units { code digits } }"))["units"]
    assert listed == [{"code": "POINT", "digits": 0}, {"code": "USD", "digits": 2}]
    await adjust(api, "siti", 1_250, "1", unit="USD")
    await adjust(api, "siti", 7, "2")
    query = """
        { partner(code: "shop") { wallet(unit: "USD") { unit available } points: wallet { available } }
          walletStatement(unit: "USD", partner: "shop", from: "2026-11-01", to: "2026-11-30") {
              unit buckets { bucket closing } csvUrl } }
    """
    data = await api.ask("FINANCE", query)
    assert data["partner"] == {"wallet": {"unit": "USD", "available": 1_250}, "points": {"available": 7}}
    assert data["walletStatement"]["buckets"][0]["closing"] == 1_250
    headers = {"authorization": f"Bearer {api.token('FINANCE')}"}
    answer = await api.client.get(data["walletStatement"]["csvUrl"], headers=headers)
    rows = read(answer.content)
    assert rows[5][4:7] == ["12.50", "12.50", "USD"]
    unknown = await api.client.get(data["walletStatement"]["csvUrl"].replace("USD", "EUR"), headers=headers)
    assert unknown.json()["errors"][0]["extensions"] == {"code": "UNKNOWN_UNIT", "field": ["unit"]}


@pytest.mark.parametrize(
    "query",
    [
        '{ partner(code: "shop") { wallet(unit: "X") { available } } }',
        '{ walletStatement(partner: "shop", unit: "X", from: "2026-11-01", to: "2026-11-30") { unit } }',
    ],
)
async def test_a_unit_that_the_program_does_not_have_is_refused(query: str) -> None:
    api = await open_api()
    error = (await api.answer("FINANCE", query))["errors"][0]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("UNKNOWN_UNIT", ["unit"])
    refused = await adjust(api, "siti", 1, "1", unit="X")
    assert (refused["code"], refused["field"]) == ("UNKNOWN_UNIT", ["unit"])
