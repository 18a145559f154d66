"""Segments over the API: saved, listed, named by audiences, and what a partner sees of it."""

from typing import Any, Final

import pytest

from metrics.rules import Measure
from metrics.windows import Period
from partners.audiences import AudienceInput
from partners.segments import SegmentInput
from tests.api.door import Api, open_api
from tests.world import sale

pytestmark = pytest.mark.usefixtures("database", "redis")

SAVE: Final = """mutation ($input: SegmentUpsertInput!) {
  segmentUpsert(input: $input) {
    ... on SegmentUpsertPayload { segments { key name filter { partnerKinds regions tiers partners attributes } } }
    ... on UserError { code field }
  }
}"""
RULE: Final = """mutation ($input: EarningRuleCreateInput!) {
  earningRuleCreate(input: $input) {
    ... on EarningRuleCreatePayload { earningRule { key } }
    ... on UserError { code field }
  }
}"""
METRIC: Final = """mutation ($input: MetricCreateInput!) {
  metricCreate(input: $input) { ... on MetricCreatePayload { metric { key } } ... on UserError { code field } }
}"""
BOARD: Final = """mutation ($input: LeaderboardCreateInput!) {
  leaderboardCreate(input: $input) {
    ... on LeaderboardCreatePayload { leaderboard { key } } ... on UserError { code field }
  }
}"""
SEEN: Final = """{
  missions { edges { node { key } } } leaderboards { key }
  viewer { partner { missions { edges { node { mission { key } } } } } }
}"""
MODERN: Final = {
    "key": "modern",
    "name": "Modern trade",
    "filter": {
        "partnerKinds": ["RETAILER"],
        "regions": ["JKT"],
        "attributes": {"stars": 5, "channel": ["MT"]},
    },
}


async def save(api: Api, *segments: dict[str, Any]) -> dict[str, Any]:
    found = await api.ask("MARKETER", SAVE, {"input": {"segments": segments}})
    answer: dict[str, Any] = found["segmentUpsert"]
    return answer


async def test_segments_are_saved_and_listed() -> None:
    api = await open_api()
    shown = {
        "key": "modern",
        "name": "Modern trade",
        "filter": {
            "partnerKinds": ["RETAILER"],
            "regions": ["JKT"],
            "tiers": [],
            "partners": [],
            "attributes": {"channel": ["MT"], "stars": [5]},
        },
    }
    nothing: dict[str, Any] = {
        "partnerKinds": [],
        "regions": [],
        "tiers": [],
        "partners": [],
        "attributes": {},
    }
    everybody = {"key": "all", "name": "Everybody", "filter": {}}
    assert await save(api, MODERN, everybody) == {
        "segments": [shown, {"key": "all", "name": "Everybody", "filter": nothing}]
    }
    assert await save(api, {**MODERN, "name": "Modern"}) == {"segments": [{**shown, "name": "Modern"}]}
    listed = await api.ask("FINANCE", "{ segments { key name } }")
    assert listed["segments"] == [
        {"key": "all", "name": "Everybody"},
        {"key": "modern", "name": "Modern"},
    ]


async def test_what_is_wrong_is_told_with_its_path() -> None:
    api = await open_api()
    assert await save(api, {**MODERN, "filter": {"tiers": ["gold"]}}) == {
        "code": "UNKNOWN_TIER",
        "field": ["segments", "0", "filter", "tiers", "0"],
    }
    assert await save(api, MODERN, {**MODERN, "key": "x", "filter": {"attributes": {"a": {"b": 1}}}}) == {
        "code": "INVALID_ATTRIBUTES",
        "field": ["segments", "1", "filter", "attributes", "a", "0"],
    }
    rule = {
        "key": "extra",
        "name": "Extra",
        "activityKind": "SALE",
        "pointsPer": {"activity": 1},
        "audience": {"segments": ["modern", "none"]},
    }
    await save(api, MODERN)
    found = await api.ask("MARKETER", RULE, {"input": rule})
    assert found["earningRuleCreate"] == {"code": "UNKNOWN_SEGMENT", "field": ["audience", "segments", "1"]}
    metric = {"key": "m", "name": "M", "measure": "AMOUNT"}
    for line_filter, code, path in (
        ({"minAmount": "2", "maxAmount": "1"}, "INVALID_NUMBER", ["filter", "maxAmount"]),
        ({"attributes": {"size": []}}, "INVALID_ATTRIBUTES", ["filter", "attributes", "size"]),
    ):
        found = await api.ask("MARKETER", METRIC, {"input": {**metric, "filter": line_filter}})
        assert found["metricCreate"] == {"code": code, "field": path}
    settings = await api.world.rows("SELECT settings::text FROM program WHERE id = $1")
    assert "size" not in settings[0][0]


async def test_a_partner_sees_and_earns_what_is_for_its_segments() -> None:
    api = await open_api(("shop", "other"))
    await save(api, MODERN)
    world = api.world
    await world.count("sales", Measure.AMOUNT, Period.MONTHLY)
    modern = AudienceInput(segments=["modern"])
    await world.mission("race", {"sales": 50}, points=10, audience=modern)
    rule = {"key": "extra", "name": "Extra", "activityKind": "SALE", "pointsPer": {"activity": 3}}
    board = {"key": "top", "name": "Top", "metric": "sales", "period": "MONTHLY"}
    audience = {"audience": {"segments": ["modern"]}}
    assert "earningRule" in (await api.ask("MARKETER", RULE, {"input": rule | audience}))["earningRuleCreate"]
    assert (
        "leaderboard" in (await api.ask("MARKETER", BOARD, {"input": board | audience}))["leaderboardCreate"]
    )

    async def seen() -> tuple[int, int, int, int]:
        """Missions, boards, its own missions, and its points."""
        found = await api.ask("PARTNER", SEEN)
        mine = found["viewer"]["partner"]["missions"]["edges"]
        points = (await world.wallet("shop")).available
        return len(found["missions"]["edges"]), len(found["leaderboards"]), len(mine), points

    await world.accept(sale("x1", "shop", 10))
    assert await seen() == (0, 0, 0, 0)
    await world.partner("shop", attributes={"channel": "MT", "stars": 5.0})
    assert await seen() == (1, 1, 1, 0)
    await world.accept(sale("x2", "shop", 10))
    assert await seen() == (1, 1, 1, 3)
    standings = '{ leaderboard(key: "top") { size top { edges { node { partner { code } } } } } }'
    found = (await api.ask("MARKETER", standings))["leaderboard"]
    assert (found["size"], [edge["node"]["partner"]["code"] for edge in found["top"]["edges"]]) == (
        1,
        ["shop"],
    )
    await world.segments(SegmentInput("modern", "Modern trade", attributes={"channel": "GT"}))
    assert await seen() == (0, 0, 0, 3)
    assert (await api.ask("MARKETER", standings))["leaderboard"]["size"] == 0
