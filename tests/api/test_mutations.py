"""Changes through the door: a program set up from nothing, sold in, taken back; and what is answered to bad input."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from partners.inputs import ProductInput
from tests.api.door import Answer, Api, open_api

pytestmark = pytest.mark.usefixtures("database", "redis")

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "record-from-your-system.md"
RULES: Final = PAGE.with_name("design-earning-rules.md")
AT: Final = "2026-11-20T07:00:00+07:00"
FACTS: Final = """outcomes {
    externalId status error { code message field } facts { __typename ... on PointsPosted { amount } }
}"""


def sold(external_id: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A sale of the shop; one tea for 10 where nothing is said."""
    return {
        "source": "pos",
        "externalId": external_id,
        "kind": "SALE",
        "partner": "shop",
        "occurredAt": AT,
        "lines": list(lines) or [{"sku": "tea", "quantity": "1", "amount": "10.00"}],
        **more,
    }


async def record(api: Api, *activities: dict[str, Any]) -> list[Answer]:
    """What became of them."""
    answer = await api.change("INTEGRATION", "activityRecord", {"activities": activities}, FACTS)
    outcomes: list[Answer] = answer["outcomes"]
    return outcomes


async def test_a_program_from_nothing_to_a_return() -> None:
    api = await open_api(())

    async def made(role: str, name: str, given: Any, wanted: str) -> Answer:
        answer = await api.change(role, name, given, wanted)
        assert answer.pop("__typename") == f"{name[0].upper()}{name[1:]}Payload", answer
        return answer

    regions = [
        {"code": "SBY", "name": "Surabaya", "parent": "JAVA"},
        {"code": "JAVA", "name": "Java", "parent": "ID"},
    ]
    assert await made(
        "INTEGRATION", "regionUpsert", {"regions": regions}, "regions { code parent { code } }"
    ) == {
        "regions": [{"code": "SBY", "parent": {"code": "JAVA"}}, {"code": "JAVA", "parent": {"code": "ID"}}]
    }
    shop = {"code": "shop", "name": "Toko", "kind": "RETAILER", "region": "SBY", "timeZone": "Asia/Jakarta"}
    assert await made(
        "INTEGRATION",
        "partnerUpsert",
        {"partners": [{**shop, "locale": "id", "attributes": {"m2": 40}}]},
        "partners { code kind status timeZone locale region { code } }",
    ) == {
        "partners": [
            {
                "code": "shop",
                "kind": "RETAILER",
                "status": "ACTIVE",
                "timeZone": "Asia/Jakarta",
                "locale": "id",
                "region": {"code": "SBY"},
            }
        ]
    }
    products = [
        {"sku": "tea", "name": "Tea", "brand": "Harbour"},
        {"sku": "rice", "name": "Rice", "unit": "KG"},
    ]
    assert await made("ADMIN", "productUpsert", {"products": products}, "products { sku brand unit }") == {
        "products": [
            {"sku": "tea", "brand": "Harbour", "unit": "EA"},
            {"sku": "rice", "brand": None, "unit": "KG"},
        ]
    }
    metric = {"key": "tea", "name": "Tea", "measure": "AMOUNT", "filter": {"skus": ["tea"], "minAmount": "5"}}
    assert await made("MARKETER", "metricCreate", metric, "metric { key activityKinds measure }") == {
        "metric": {"key": "tea", "activityKinds": ["SALE"], "measure": "AMOUNT"}
    }
    rule = {
        "key": "base",
        "name": "Base",
        "activityKind": "SALE",
        "pointsPer": {"amount": "1.5"},
        "filter": {"brands": ["Harbour"]},
        "audience": {"partnerKinds": ["RETAILER"], "regions": ["ID"]},
    }
    assert await made("MARKETER", "earningRuleCreate", rule, "earningRule { key version basis rate }") == {
        "earningRule": {"key": "base", "version": 1, "basis": "AMOUNT", "rate": "1.5"}
    }
    ladder = {
        "metric": "tea",
        "period": "QUARTERLY",
        "tiers": [
            {"key": "base", "name": "Base", "threshold": "0"},
            {"key": "top", "name": "Top", "threshold": "100", "multiplier": "2"},
        ],
    }
    assert await made("MARKETER", "tierLadderSet", ladder, "tiers { key level threshold multiplier }") == {
        "tiers": [
            {"key": "base", "level": 0, "threshold": "0", "multiplier": "1"},
            {"key": "top", "level": 1, "threshold": "100", "multiplier": "2"},
        ]
    }
    badge = {"key": "star", "name": "Star", "hidden": True}
    assert await made("MARKETER", "badgeCreate", badge, "badge { key levels hidden }") == {
        "badge": {"key": "star", "levels": ["1"], "hidden": True}
    }
    mission = {
        "key": "autumn",
        "title": "Autumn",
        "startsAt": "2026-11-01T00:00:00Z",
        "objectives": [{"key": "o", "label": "Sell tea", "metric": "tea", "target": {"fixed": "50"}}],
        "rewards": [{"points": 20}, {"badge": "star"}],
    }
    wanted = (
        "mission { key state endsAt objectives { key target { fixed } } rewards { points badge { key } } }"
    )
    created = (await made("MARKETER", "missionCreate", mission, wanted))["mission"]
    assert created == {
        "key": "autumn",
        "state": "DRAFT",
        "endsAt": None,
        "objectives": [{"key": "o", "target": {"fixed": "50"}}],
        "rewards": [{"points": 20, "badge": None}, {"points": None, "badge": {"key": "star"}}],
    }
    published = await made("MARKETER", "missionPublish", {"key": "autumn"}, "mission { state }")
    assert published == {"mission": {"state": "LIVE"}}
    board = {"key": "top", "name": "Top", "metric": "tea", "period": "MONTHLY", "groupBy": "REGION"}
    wanted = "leaderboard { key season { key state startsAt endsAt } size }"
    assert (await made("MARKETER", "leaderboardCreate", board, wanted))["leaderboard"]["season"] == {
        "key": "2026-11",
        "state": "LIVE",
        "startsAt": "2026-11-01T00:00:00+00:00",
        "endsAt": "2026-12-01T00:00:00+00:00",
    }
    (outcome,) = await record(api, sold("a1", {"sku": "tea", "quantity": "2", "amount": "60.00"}))
    assert outcome["status"] == "RECORDED"
    assert {"__typename": "PointsPosted", "amount": 90} in outcome["facts"]
    assert {"__typename": "MissionCompleted"} in outcome["facts"]
    reverses = {"externalId": "a1", "line": 1}
    part = sold("r1", {"sku": "tea", "quantity": "1", "amount": "30", "reverses": reverses}, kind="RETURN")
    (outcome,) = await record(api, part)
    assert {"__typename": "PointsPosted", "amount": -45} in outcome["facts"]
    assert {"__typename": "MissionRevoked"} in outcome["facts"]
    (outcome,) = await record(api, sold("r2", kind="RETURN", lines=[], reverses="a1"))
    assert outcome["status"] == "RECORDED", outcome
    read = """{
        partner(code: "shop") { wallet { available } standings(leaderboard: "top") { rank } }
        activity(source: "pos", externalId: "a1") { stands lines { quantityLeft amountLeft } }
    }"""
    assert await api.ask("FINANCE", read) == {
        "partner": {"wallet": {"available": 0}, "standings": []},
        "activity": {"stands": False, "lines": [{"quantityLeft": "0", "amountLeft": "0"}]},
    }
    ended = await made("MARKETER", "missionEnd", {"key": "autumn"}, "mission { state }")
    assert ended == {"mission": {"state": "ENDED"}}
    given = {"partner": "shop", "amount": 25, "reason": "Goodwill", "idempotencyKey": "k"}
    wanted = "entries { id kind amount balanceAfter because { code detail } }"
    adjusted = await made("FINANCE", "pointsAdjust", given, wanted)
    (entry,) = adjusted["entries"]
    assert (entry["kind"], entry["amount"], entry["balanceAfter"]) == ("ADJUST", 25, 25)
    assert entry["because"] == [{"code": "adjustment", "detail": "Adjusted by hand: Goodwill"}]
    assert await made("FINANCE", "pointsAdjust", given, wanted) == adjusted
    device = {"token": "abc", "platform": "ANDROID", "locale": "id-ID"}
    registered = await made("PARTNER", "deviceRegister", device, "device { platform locale }")
    assert registered == {"device": {"platform": "ANDROID", "locale": "id-ID"}}


async def test_an_items_fault_refuses_that_item_alone() -> None:
    api = await open_api()
    outcomes = await record(
        api,
        sold("good"),
        sold("1", partner="nobody"),
        sold("2", {"sku": "none", "quantity": "1", "amount": "1"}),
        sold("3", kind="NONE"),
        sold("4", {"sku": "tea", "quantity": "1", "amount": "1", "unit": "KG"}),
        sold("5", currency="XXX"),
        sold("6", {"sku": "tea", "quantity": "0", "amount": "1"}),
        sold("7", {"sku": "tea", "quantity": "1", "amount": "-1"}),
        sold("8", occurredAt="2026-11-21T08:00:00Z"),
        sold("good", {"sku": "tea", "quantity": "2", "amount": "1"}),
        sold("good"),
    )
    found = [
        (one["status"], (one["error"] or {}).get("code"), (one["error"] or {}).get("field"))
        for one in outcomes
    ]
    assert found == [
        ("RECORDED", None, None),
        ("REJECTED", "UNKNOWN_PARTNER", ["partner"]),
        ("REJECTED", "UNKNOWN_SKU", ["lines", "0", "sku"]),
        ("REJECTED", "UNKNOWN_KIND", ["kind"]),
        ("REJECTED", "UNKNOWN_UNIT", ["lines", "0", "unit"]),
        ("REJECTED", "UNKNOWN_CURRENCY", ["currency"]),
        ("REJECTED", "INVALID_QUANTITY", ["lines", "0", "quantity"]),
        ("REJECTED", "INVALID_AMOUNT", ["lines", "0", "amount"]),
        ("REJECTED", "FUTURE_DATE", ["occurredAt"]),
        ("REJECTED", "IDEMPOTENCY_CONFLICT", ["externalId"]),
        ("DUPLICATE", None, None),
    ]
    assert all(one["error"]["message"] for one in outcomes if one["error"])


@pytest.mark.parametrize("count", [0, 1001])
async def test_how_many_activities_a_request_has(count: int) -> None:
    api = await open_api()
    activities = [sold(str(number)) for number in range(count)]
    answer = await api.change("ADMIN", "activityRecord", {"activities": activities}, FACTS)
    assert answer["__typename"] == "UserError"
    assert answer["field"] == ["activities"]
    assert answer["message"]
    assert await api.world.rows("SELECT FROM activity WHERE program_id = $1") == []


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"occurredAt": "2026-11-20T07:00:00"}, ["occurredAt"]),
        ({"occurredAt": "2026-11-20"}, ["occurredAt"]),
        ({"occurredAt": "2026-02-30T07:00:00Z"}, ["occurredAt"]),
        ({"occurredAt": "0001-01-01T00:00:00+14:00"}, ["occurredAt"]),
        ({"occurredAt": 7}, ["occurredAt"]),
        ({"attributes": [1]}, ["attributes"]),
        ({"attributes": {"deep": [[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]}}, ["attributes"]),
        ({"lines": [{"sku": "tea", "quantity": 1.5, "amount": "1"}]}, ["lines", "0", "quantity"]),
        ({"lines": [{"sku": "tea", "quantity": "1e3", "amount": "1"}]}, ["lines", "0", "quantity"]),
        ({"lines": [{"sku": "tea", "quantity": "NaN", "amount": "1"}]}, ["lines", "0", "quantity"]),
        ({"lines": [{"sku": "tea", "quantity": "1", "amount": None}]}, ["lines", "0", "amount"]),
        ({"lines": [{"sku": "tea", "quantity": "1", "amount": "1", "extra": 1}]}, ["lines", "0"]),
    ],
)
async def test_a_malformed_value_refuses_the_request_with_its_path(
    changed: dict[str, Any], path: list[str]
) -> None:
    api = await open_api()
    document = "mutation ($input: ActivityRecordInput!) { activityRecord(input: $input) { __typename } }"
    variables = {"input": {"activities": [sold("good"), sold("bad") | changed]}}
    error = await api.refusal("ADMIN", document, variables)
    assert error["extensions"] == {"code": "MALFORMED", "field": ["input", "activities", "1", *path]}
    assert await api.world.rows("SELECT FROM activity WHERE program_id = $1") == []


async def test_a_malformed_literal_has_its_path_too() -> None:
    api = await open_api()
    document = """mutation {
        pointsAdjust(input: {partner: "shop", amount: %s, reason: "r", idempotencyKey: "k"}) { __typename }
    }"""
    for amount in ("9007199254740992", "1.5", '"5"', "1e3"):
        error = await api.refusal("ADMIN", document % amount)
        assert error["extensions"] == {"code": "MALFORMED", "field": ["input", "amount"]}, amount
        assert error["locations"]
    assert (await api.ask("ADMIN", document % "9007199254740991"))["pointsAdjust"]


async def test_refusals_of_configuration_say_where() -> None:
    api = await open_api()

    async def refused(name: str, given: Any) -> tuple[str, list[str]]:
        answer = await api.change("ADMIN", name, given, "__typename")
        assert answer["__typename"] == "UserError", answer
        assert answer["message"]
        return answer["code"], answer["field"]

    assert await refused("regionUpsert", {"regions": [{"code": "A", "name": "A", "parent": "none"}]}) == (
        "UNKNOWN_REGION",
        ["regions", "0", "parent"],
    )
    partner = {"code": "a", "name": "A", "kind": "AGENT", "region": "none"}
    assert await refused("partnerUpsert", {"partners": [partner]}) == (
        "UNKNOWN_REGION",
        ["partners", "0", "region"],
    )
    zone = {**partner, "region": "JKT", "timeZone": "Mars"}
    assert await refused("partnerUpsert", {"partners": [zone]}) == (
        "INVALID_TIME_ZONE",
        ["partners", "0", "timeZone"],
    )
    rule = {"key": "r", "name": "R", "activityKind": "SALE", "pointsPer": {"activity": 1}, "lockDays": -3}
    assert await refused("earningRuleCreate", rule) == ("NEGATIVE", ["lockDays"])
    assert await refused("earningRuleCreate", {**rule, "lockDays": 0, "pointsPer": {"amount": "0"}}) == (
        "NOT_POSITIVE",
        ["pointsPer", "amount"],
    )
    board = {"key": "b", "name": "B", "metric": "none", "period": "WEEKLY"}
    assert await refused("leaderboardCreate", board) == ("UNKNOWN_METRIC", ["metric"])
    assert await refused("missionPublish", {"key": "none"}) == ("NOT_FOUND", ["key"])
    given = {"partner": "none", "amount": 1, "reason": "r", "idempotencyKey": "k"}
    assert await refused("pointsAdjust", given) == ("UNKNOWN_PARTNER", ["partner"])
    assert await refused("pointsAdjust", {**given, "partner": "shop", "amount": -1}) == (
        "INSUFFICIENT_POINTS",
        ["amount"],
    )


async def test_one_of_inputs_take_exactly_one() -> None:
    api = await open_api()
    document = (
        "mutation ($input: EarningRuleCreateInput!) { earningRuleCreate(input: $input) { __typename } }"
    )
    rule = {"key": "r", "name": "R", "activityKind": "SALE"}
    for per in ({}, {"activity": 1, "amount": "1"}, {"activity": None}):
        error = await api.refusal("ADMIN", document, {"input": {**rule, "pointsPer": per}})
        assert error["extensions"]["code"] in ("MALFORMED", "VALIDATION_ERROR"), per


async def test_the_earning_rule_of_the_documentation_earns() -> None:
    api = await open_api()
    await api.world.partner("shop")
    await api.world.products(ProductInput("tea", "Tea"))
    (document,) = re.findall(r"^```graphql\n(mutation PointsForSales.*?)^```$", PAGE.read_text(), re.M | re.S)
    made = await api.ask("MARKETER", document)
    assert made["earningRuleCreate"] == {"earningRule": {"key": "base", "basis": "AMOUNT", "rate": "1"}}
    (outcome,) = await record(api, sold("A1"))
    assert {"__typename": "PointsPosted", "amount": 10} in outcome["facts"]


async def test_the_sales_incentive_of_the_documentation_earns_and_explains_itself() -> None:
    """Push a product this month: one mutation; its preview, its reasons, its versions."""
    api = await open_api()
    world = api.world
    regions = {"regions": [{"code": "java", "name": "Java", "parent": "ID"}]}
    await api.change("ADMIN", "regionUpsert", regions, "regions { code }")
    await world.partner("toko-sinar", "Asia/Jakarta", region="java")
    await world.products(ProductInput("green-tea", "Green tea"), ProductInput("oolong", "Oolong"))
    documents = dict(
        re.findall(r"^```graphql\n((?:query|mutation) (\w+).*?)^```$", RULES.read_text(), re.M | re.S)
    )
    push, ask_preview, ask_unmade, ask_why, change_it, ask_versions, end_it = documents
    before = await world.everything()
    (unmade,) = (await api.ask("MARKETER", ask_unmade))["earningPreview"]
    assert unmade["outcome"] == {"status": "RECORDED", "error": None}
    assert unmade["wallets"] == [{"unit": "POINT", "available": 0, "pending": 480}]
    (rule,) = unmade["rules"]
    assert (rule["rule"], rule["name"], rule["points"]) == ("clear-oolong-2027-02", "Clear the oolong", 480)
    assert [one["detail"] for one in rule["because"]][1:] == [
        "“Clear the oolong”, version 1: 20 points for each unit, 24 counted",
        "480 points",
        "Pending until 24 February 2027",
    ]
    assert await world.everything() == before
    made = await api.ask("MARKETER", push)
    assert made["earningRuleCreate"] == {
        "earningRule": {
            "key": "push-green-tea-2026-12",
            "version": 1,
            "state": "SCHEDULED",
            "budgetLeft": 250000,
        }
    }
    world.clock.set(datetime(2026, 12, 6, tzinfo=UTC))
    assert (await api.ask("MARKETER", end_it.replace("push-green-tea-2026-12", "none")))["earningRuleEnd"] == {
        "code": "NOT_FOUND", "message": "there is no earning rule 'none'", "field": ["key"]
    }  # fmt: skip
    before = await world.everything()
    (previewed,) = (await api.ask("MARKETER", ask_preview))["earningPreview"]
    assert previewed["outcome"] == {
        "status": "RECORDED", "error": None, "facts": [{"__typename": "PointsPosted"}]
    }  # fmt: skip
    (rule,) = previewed["rules"]
    assert (rule["rule"], rule["points"]) == ("push-green-tea-2026-12", 120)
    assert await world.everything() == before
    activity = {
        "source": "pos",
        "externalId": "41452914799",
        "kind": "SALE",
        "partner": "toko-sinar",
        "occurredAt": "2026-12-05T10:00:00+07:00",
        "lines": [{"sku": "green-tea", "quantity": "200", "amount": "4000000"}],
    }
    await api.change("INTEGRATION", "activityRecord", {"activities": [activity]}, "outcomes { status }")
    (why,) = (await api.ask("FINANCE", ask_why))["activityExplain"]
    assert why["points"] == 600
    assert [one["detail"] for one in why["because"]] == [
        "Sale 41452914799, reported by pos",
        "“Green tea in December”, version 1: 5 points for each unit, 200 counted",
        "From a quantity of 12 on, the rate of 5 points holds for all of it",
        "1,000 points",
        "Cut to 600 points: 600 points at most for that month",
        "Pending until 19 December 2026, valid through 17 June 2027",
    ]
    assert (await world.rows("SELECT pending FROM wallet WHERE program_id = $1"))[0]["pending"] == 600
    coming = "2026-12-14T17:00:00+00:00"
    assert (await api.ask("MARKETER", change_it))["earningRuleUpdate"] == {
        "earningRule": {"version": 2, "state": "SCHEDULED", "effectiveFrom": coming}
    }
    assert (await api.ask("FINANCE", ask_versions))["earningRuleVersions"] == [
        {"version": 2, "state": "SCHEDULED", "effectiveFrom": coming, "rate": "4"},
        {"version": 1, "state": "LIVE", "effectiveFrom": None, "rate": "3"},
    ]
    change = {
        "key": "push-green-tea-2026-12",
        "name": "Green tea",
        "pointsPer": {"quantity": "4"},
        "budget": 1000,
    }
    wanted = "earningRule { version budget budgetLeft effectiveFrom }"
    assert (await api.change("MARKETER", "earningRuleUpdate", change, wanted))["earningRule"] == {
        "version": 3, "budget": 1000, "budgetLeft": 400, "effectiveFrom": "2026-12-06T00:00:00+00:00"
    }  # fmt: skip
    versions = (await api.ask("FINANCE", ask_versions))["earningRuleVersions"]
    assert [(one["version"], one["state"]) for one in versions] == [(3, "LIVE"), (2, "ENDED"), (1, "ENDED")]
    ended = (await api.ask("MARKETER", end_it))["earningRuleEnd"]
    assert ended["earningRule"] == {"state": "ENDED", "endedAt": "2026-12-06T00:00:00+00:00"}
    asked = f'{{ earningRuleVersions(key: "{change["key"]}") {{ version caps {{ per points }} }} }}'
    assert (await api.ask("FINANCE", asked))["earningRuleVersions"] == [
        {"version": 3, "caps": []},
        {"version": 2, "caps": [{"per": "MONTH", "points": 600}]},
        {"version": 1, "caps": [{"per": "MONTH", "points": 600}]},
    ]


async def test_rules_are_tried_by_those_who_may_create_them_with_the_paths_of_their_faults() -> None:
    api = await open_api()
    await api.world.products(ProductInput("tea", "Tea"))
    document = """
        query ($activities: [ActivityInput!]!, $rules: [EarningRuleCreateInput!]) {
            earningPreview(activities: $activities, rules: $rules) {
                outcome { facts { because { detail } } } rules { rule name points } wallets { available } tier { key }
            }
        }
    """
    rule = {"key": "new", "name": "The new one", "activityKind": "SALE", "pointsPer": {"activity": 7}}

    async def refused(*rules: dict[str, Any], role: str = "MARKETER") -> tuple[str, list[str]]:
        before = await api.world.everything()
        error = await api.refusal(role, document, {"activities": [sold("x")], "rules": rules})
        assert await api.world.everything() == before
        return error["extensions"]["code"], error["extensions"].get("field")

    (found,) = (await api.ask("MARKETER", document, {"activities": [sold("x")], "rules": [rule]}))[
        "earningPreview"
    ]
    assert found["rules"] == [{"rule": "new", "name": "The new one", "points": 7}]
    assert (found["wallets"], found["tier"]) == ([{"available": 7}], None)
    (fact,) = found["outcome"]["facts"]
    assert fact["because"][1]["detail"] == "“The new one”, version 1: 7 points for each activity"
    (none,) = (await api.ask("MARKETER", document, {"activities": [sold("x")], "rules": None}))[
        "earningPreview"
    ]
    assert none["rules"] == []
    assert await refused(rule, {**rule, "key": "b", "lockDays": -1}) == (
        "NEGATIVE",
        ["rules", "1", "lockDays"],
    )
    both = {**rule, "expiresAfterDays": 3, "expiry": {"afterDays": 3}}
    assert await refused(both) == ("EXACTLY_ONE", ["rules", "0", "expiry"])
    assert await refused(rule, rule) == ("DUPLICATE", ["rules", "1", "key"])
    document = document.replace("wallets { available } tier { key }", "")
    for role in ("FINANCE", "INTEGRATION"):
        await api.ask(role, document, {"activities": [sold("x")], "rules": []})
        assert await refused(rule, role=role) == ("FORBIDDEN", ["rules"])
    document = document.replace("outcome", "wallets { unit } outcome")
    assert (await refused(role="INTEGRATION"))[0] == "FORBIDDEN"


async def test_what_is_read_of_a_rule_can_be_sent_back() -> None:
    api = await open_api()
    await api.world.products(ProductInput("tea", "Tea"))
    rule = {
        "key": "tea",
        "name": "Tea",
        "pointsPer": {"amount": "1"},
        "filter": {
            "skus": ["tea"],
            "minAmount": "5",
            "maxAmount": "50",
            "attributes": {"min_amount": [True]},
        },
        "audience": {"partnerKinds": ["RETAILER"], "regions": ["ID"]},
    }
    wanted = "earningRule { version filter audience }"
    made = await api.change("MARKETER", "earningRuleCreate", {**rule, "activityKind": "SALE"}, wanted)
    assert made["earningRule"] == {"version": 1, "filter": rule["filter"], "audience": rule["audience"]}
    read = {name: made["earningRule"][name] for name in ("filter", "audience")}
    again = await api.change("MARKETER", "earningRuleUpdate", {**rule, **read}, wanted)
    assert again["earningRule"] == made["earningRule"]


async def test_because_is_told_in_the_readers_language() -> None:
    api = await open_api()
    await api.world.earn("base", activity=5)
    await api.world.partner("shop", locale="id-ID")
    document = """
        mutation ($input: PointsAdjustInput!) {
            pointsAdjust(input: $input) { ... on PointsAdjustPayload { entries { because { step } } } }
        }
    """
    read = '{ partner(code: "shop") { wallet { entries { edges { node { because { step } } } } } } }'
    given = {"partner": "shop", "amount": 1, "reason": "r", "idempotencyKey": "k"}
    await api.ask("FINANCE", document, {"input": given})

    async def step(role: str, **headers: str) -> str:
        found = await api.ask(role, read, **headers)
        told: str = found["partner"]["wallet"]["entries"]["edges"][0]["node"]["because"][0]["step"]
        return told

    assert await step("PARTNER") == "Penyesuaian"
    assert await step("FINANCE") == "Adjustment"
    assert await step("PARTNER", **{"accept-language": "fr, en;q=0.5, id;q=0.2"}) == "Adjustment"
    assert await step("FINANCE", **{"accept-language": "id-ID,id;q=0.9"}) == "Penyesuaian"
    assert await step("PARTNER", **{"accept-language": "*, ;q=x"}) == "Penyesuaian"


async def test_packs_go_in_and_come_out() -> None:
    api = await open_api()

    async def upsert(*packs: dict[str, str]) -> Answer:
        product = {"sku": "tea", "name": "Tea", "packs": packs}
        wanted = "products { unit packs { unit quantity } }"
        return await api.change("INTEGRATION", "productUpsert", {"products": [product]}, wanted)

    case, half = {"unit": "CASE", "quantity": "12"}, {"unit": "HALF", "quantity": "0.5"}
    assert (await upsert(case, half))["products"] == [{"unit": "EA", "packs": [half, case]}]
    twice = await upsert(case, half, case)
    assert (twice["code"], twice["field"]) == ("DUPLICATE", ["products", "0", "packs", "2", "unit"])
    cases = {"sku": "tea", "quantity": "1.5", "amount": "60", "unit": "CASE"}
    pieces = {"sku": "tea", "quantity": "2", "amount": "5"}
    (outcome,) = await record(api, sold("a1", cases, pieces))
    assert outcome["status"] == "RECORDED"
    wanted = "lines { quantity unit reportedQuantity reportedUnit quantityLeft }"
    document = f'{{ activity(source: "pos", externalId: "a1") {{ {wanted} }} }}'
    first, second = (await api.ask("INTEGRATION", document))["activity"]["lines"]
    assert first == {
        "quantity": "18",
        "unit": "EA",
        "reportedQuantity": "1.5",
        "reportedUnit": "CASE",
        "quantityLeft": "18",
    }
    assert (second["reportedQuantity"], second["reportedUnit"]) == ("2", "EA")
    (refused,) = await record(api, sold("a2", {**cases, "unit": "BOX"}))
    assert refused["error"]["code"] == "UNKNOWN_UNIT"
    assert refused["error"]["message"] == "tea is counted in EA, HALF, CASE"
