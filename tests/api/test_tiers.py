"""Tiers as clients meet them: where a partner stands and until when, what happened before, and tiers by hand."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from game.review import review_program
from game.tier_reviews import review_tiers
from metrics.rules import Measure
from tests.api.door import Api, open_api
from tests.world import sale

pytestmark = pytest.mark.usefixtures("database", "redis")

LADDER: Final[dict[str, Any]] = {
    "metric": "sales",
    "period": "QUARTERLY",
    "downgrade": "TO_EARNED",
    "graceDays": 5,
    "tiers": [
        {"key": "bronze", "name": "Bronze", "threshold": "0"},
        {"key": "silver", "name": "Silver", "threshold": "100", "multiplier": "1.5"},
        {
            "key": "gold",
            "name": "Gold",
            "threshold": "500",
            "access": ["vip-line", "early-sale"],
            "expiry": {"afterMonths": 24},
        },
    ],
}
STANDING: Final = """
    tier { key access } since qualifying next { key } toNext keptUntil projected { key }
    override { until earned { key } }
"""
HISTORY: Final = """
    query ($first: Int, $after: String) { partner(code: "shop") { tierHistory(first: $first, after: $after) {
        edges { node { from { key } to { key } changedAt cause because { code detail } } }
        pageInfo { hasNextPage endCursor }
    } } }
"""


def at(day: str) -> datetime:
    """Noon in London."""
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


async def open_ladder() -> Api:
    """An API whose program has a ladder, where `shop` is on gold."""
    api = await open_api()
    await api.world.count("sales", Measure.AMOUNT)
    await api.change("MARKETER", "tierLadderSet", LADDER, "tiers { key }")
    await api.world.accept(sale("a1", "shop", 600))
    return api


async def standing_of(api: Api) -> dict[str, Any]:
    """The standing of `shop`, as it sees it."""
    document = f'{{ partner(code: "shop") {{ tier {{ {STANDING} }} }} }}'
    found: dict[str, Any] = (await api.ask("PARTNER", document))["partner"]["tier"]
    return found


async def test_a_ladder_says_how_tiers_are_earned_and_lost() -> None:
    api = await open_ladder()
    document = """{ tierLadder {
        metric { key } period rollingMonths fromJoining downgrade graceDays returnsTake
        tiers { key access expiry { kind months } }
    } }"""
    assert (await api.ask("PARTNER", document))["tierLadder"] == {
        "metric": {"key": "sales"},
        "period": "QUARTERLY",
        "rollingMonths": None,
        "fromJoining": False,
        "downgrade": "TO_EARNED",
        "graceDays": 5,
        "returnsTake": True,
        "tiers": [
            {"key": "bronze", "access": [], "expiry": None},
            {"key": "silver", "access": [], "expiry": None},
            {"key": "gold", "access": ["vip-line", "early-sale"], "expiry": {"kind": "AFTER", "months": 24}},
        ],
    }


async def test_while_the_past_is_counted_the_ladder_says_so() -> None:
    api = await open_api()
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.accept(sale("a1", "shop", 600))
    made = await api.change("MARKETER", "tierLadderSet", LADDER, "ladder { countingPast tiers { key } }")
    assert made["ladder"] == {
        "countingPast": True,
        "tiers": [{"key": one} for one in ("bronze", "silver", "gold")],
    }
    assert (await standing_of(api))["qualifying"] == "0"
    await review_program(api.world.program_id, api.world.clock)
    assert (await api.ask("PARTNER", "{ tierLadder { countingPast } }"))["tierLadder"] == {
        "countingPast": False
    }
    assert (await standing_of(api))["qualifying"] == "600"


async def test_where_a_partner_stands_and_until_when() -> None:
    """What is told is true at the moment of asking, whether or not the job has come."""
    api = await open_ladder()
    gold = await standing_of(api)
    assert gold["tier"]["key"] == gold["projected"]["key"] == "gold"
    assert (gold["qualifying"], gold["next"], gold["toNext"]) == ("600", None, None)
    assert gold["keptUntil"] == "2027-04-06T00:00:00+00:00"
    api.world.clock.set(at("2027-02-01"))
    await api.world.accept(sale("a2", "shop", 120, at=at("2027-02-01")))
    assert (await standing_of(api))["projected"] == {"key": "silver"}
    api.world.clock.set(at("2027-04-06"))
    late = await standing_of(api)
    assert (late["tier"]["key"], late["since"]) == ("silver", "2027-04-06T00:00:00+00:00")
    assert (late["next"], late["toNext"], late["projected"]) == ({"key": "gold"}, "500", {"key": "bronze"})
    await review_tiers(api.world.clock)
    assert await standing_of(api) == late


async def test_what_happened_is_kept_and_says_why() -> None:
    api = await open_ladder()
    api.world.clock.set(at("2027-05-01"))
    await review_tiers(api.world.clock)
    page = (await api.ask("PARTNER", HISTORY, {"first": 1}))["partner"]["tierHistory"]
    (lost,) = (edge["node"] for edge in page["edges"])
    assert (lost["from"], lost["to"], lost["cause"]) == ({"key": "gold"}, {"key": "bronze"}, "REVIEWED")
    assert lost["changedAt"] == "2027-04-06T00:00:00+00:00"
    assert lost["because"] == [
        {"code": "tier_review", "detail": "From 1 January 2027 through 31 March 2027, 0 counted towards the tier"},
        {"code": "tier", "detail": "From Gold to Bronze: 0 counted, 500 needed"},
    ]  # fmt: skip
    assert page["pageInfo"]["hasNextPage"]
    rest = await api.ask("PARTNER", HISTORY, {"after": page["pageInfo"]["endCursor"]})
    (earned,) = (edge["node"] for edge in rest["partner"]["tierHistory"]["edges"])
    assert (earned["cause"], earned["to"]) == ("COUNTED", {"key": "gold"})
    assert [step["code"] for step in earned["because"]] == ["activity", "tier"]
    reviews = (await api.ask("FINANCE", "{ tierReviews { endsOn partners raised lowered } }"))["tierReviews"]
    assert reviews == [
        {"endsOn": "2027-04-01", "partners": 1, "raised": 0, "lowered": 1},
        {"endsOn": "2027-01-01", "partners": 1, "raised": 0, "lowered": 0},
    ]


async def test_a_tier_by_hand() -> None:
    api = await open_ladder()
    given = {
        "partner": "shop",
        "tier": "silver",
        "until": "2026-12-01T00:00:00Z",
        "reason": "a complaint",
        "idempotencyKey": "k",
    }
    wanted = f"standing {{ {STANDING} }}"
    made = (await api.change("ADMIN", "tierOverride", given, wanted))["standing"]
    assert made["tier"]["key"] == "silver"
    assert made["override"] == {"until": "2026-12-01T00:00:00+00:00", "earned": {"key": "gold"}}
    assert (await api.change("ADMIN", "tierOverride", given, wanted))["standing"] == made
    api.world.clock.set(at("2026-12-02"))
    assert (await standing_of(api))["override"] is None
    assert (await standing_of(api))["tier"]["key"] == "gold"
    history = (await api.ask("PARTNER", HISTORY))["partner"]["tierHistory"]["edges"]
    assert (
        history[0]["node"]["because"][0]["detail"]
        == "Silver was given by hand until 1 December 2026: a complaint"
    )


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"partner": "nobody"}, ("UNKNOWN_PARTNER", ["partner"])),
        ({"tier": "platinum"}, ("UNKNOWN_TIER", ["tier"])),
        ({"until": "2026-11-01T00:00:00Z"}, ("NOT_IN_FUTURE", ["until"])),
        ({"tier": None, "until": "2026-12-01T00:00:00Z"}, ("NOT_SUPPORTED", ["until"])),
        ({"reason": " "}, ("INVALID_TEXT", ["reason"])),
        ({"idempotencyKey": ""}, ("INVALID_TEXT", ["idempotencyKey"])),
        ({"idempotencyKey": "used"}, ("IDEMPOTENCY_CONFLICT", ["idempotencyKey"])),
    ],
)
async def test_a_wrong_tier_by_hand_changes_nothing(
    changes: dict[str, Any], refusal: tuple[str, list[str]]
) -> None:
    api = await open_ladder()
    given = {"partner": "shop", "tier": "silver", "reason": "why", "idempotencyKey": "used"}
    await api.change("ADMIN", "tierOverride", given, "standing { since }")
    before = await api.world.everything()
    wrong = {**given, "tier": "gold", "idempotencyKey": "k"} | changes
    error = await api.change("ADMIN", "tierOverride", wrong, "standing { since }")
    assert (error["code"], error["field"]) == refusal
    assert await api.world.everything() == before
