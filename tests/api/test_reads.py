"""Reads through the door: what a partner has, and why."""

from datetime import date
from decimal import Decimal

import pytest

from loyalty.ledger.opening import OpeningBalance, open_balances
from metrics.rules import Measure
from metrics.windows import Period
from tests.api.door import Api, open_api
from tests.world import NOW, return_of, sale

pytestmark = pytest.mark.usefixtures("database", "redis")

PARTNER = """
query ($code: String!) {
  partner(code: $code) {
    id code name kind status region { code parent { code parent { code } } }
    wallet {
      unit available pending held debt
      entries(first: 2) {
        edges { cursor node { id kind bucket amount balanceAfter because { code step detail value } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
    tier { tier { key level } since qualifying next { key } toNext keptUntil projected { key } }
    missions {
      edges { node {
        id state window completedAt
        mission {
          key state rewards { points badge { key } } objectives { key metric { key measure } target { fixed } }
        }
        objectives { objective { key } current target done }
      } }
    }
    badges { badge { key levels hidden } level awardedAt revokedAt }
    inbox { edges { node { title } } }
  }
}
"""


async def furnish(api: Api) -> None:
    """Rules, a ladder, a mission, badges: and three sales of `shop`, of which the last came back."""
    world = api.world
    await world.count("sales", Measure.AMOUNT)
    await world.count("points", Measure.POINTS_EARNED)
    await world.earn("base", amount="1.5")
    await world.ladder(
        "points", Period.MONTHLY, {"bronze": (0, 1), "silver": (100, "1.5"), "gold": (1000, 2)}
    )
    await world.badge("starter")
    await world.badge("seller", "sales", [50, 500])
    await world.mission("autumn", {"sales": 150}, points=40, badge="starter")
    await world.accept(sale("a1", "shop", "60.50"), sale("a2", "shop", "100"), sale("a3", "shop", 10))
    await world.accept(return_of("r3", "shop", "a3"))


async def test_a_partner_with_all_that_it_has() -> None:
    api = await open_api()
    await furnish(api)
    partner = (await api.ask("PARTNER", PARTNER, {"code": "shop"}))["partner"]
    assert partner["code"] == "shop"
    assert partner["region"] == {"code": "JKT", "parent": {"code": "ID", "parent": None}}
    balance = (await api.world.wallet("shop")).available
    assert partner["wallet"]["available"] == balance
    entries = [edge["node"] for edge in partner["wallet"]["entries"]["edges"]]
    assert entries[0]["balanceAfter"] == balance
    assert partner["wallet"]["entries"]["pageInfo"]["hasNextPage"]
    assert [step["code"] for step in entries[0]["because"]] == ["activity", "return", "reversal"] or entries[
        0
    ]["because"]
    assert partner["tier"]["tier"] == {"key": "silver", "level": 1}
    assert Decimal(partner["tier"]["toNext"]) == 1000 - Decimal(partner["tier"]["qualifying"])
    (mission,) = (edge["node"] for edge in partner["missions"]["edges"])
    assert (mission["state"], mission["window"]) == ("COMPLETED", "once")
    assert mission["objectives"] == [
        {"objective": {"key": "sales"}, "current": "160.5", "target": "150", "done": True}
    ]
    assert {(one["badge"]["key"], one["level"]) for one in partner["badges"] if not one["revokedAt"]} == {
        ("starter", 1),
        ("seller", 1),
    }


async def test_points_that_were_brought_over_and_expire() -> None:
    api = await open_api()
    balances = [
        OpeningBalance("1", "shop", 30, expires_on=date(2026, 12, 10)),
        OpeningBalance("2", "shop", 12, expires_on=date(2026, 12, 10)),
        OpeningBalance("3", "shop", 500, expires_on=date(2027, 12, 31), granted_on=date(2025, 1, 31)),
    ]
    await open_balances(program_id=api.world.program_id, balances=balances, actor="import", now=NOW)
    document = """
        query ($days: Int!) { partner(code: "shop") { wallet {
            soon: expiring { amount expiresAt } far: expiring(withinDays: $days) { amount }
            entries(first: 1) { edges { node { kind amount occurredAt postedAt because { code step detail value } } } }
        } } }
    """
    wallet = (await api.ask("PARTNER", document, {"days": 3_660}))["partner"]["wallet"]
    assert wallet["soon"] == [{"amount": 42, "expiresAt": "2026-12-11T00:00:00+00:00"}]
    assert wallet["far"] == [{"amount": 42}, {"amount": 500}]
    (entry,) = (edge["node"] for edge in wallet["entries"]["edges"])
    assert entry == {
        "kind": "OPENING",
        "amount": 500,
        "occurredAt": "2025-01-31T00:00:00+00:00",
        "postedAt": "2026-11-20T08:00:00+00:00",
        "because": [
            {
                "code": "opening",
                "step": "Opening balance",
                "detail": "Brought over: 500 points, granted on 31 January 2025, valid through 31 December 2027",
                "value": "500",
            }
        ],
    }


@pytest.mark.parametrize("days", [0, -1, 3_661])
async def test_days_out_of_bounds_are_refused(days: int) -> None:
    api = await open_api()
    document = (
        'query ($days: Int!) { partner(code: "shop") { wallet { expiring(withinDays: $days) { amount } } } }'
    )
    answer = await api.answer("PARTNER", document, {"days": days})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID_COUNT"]
