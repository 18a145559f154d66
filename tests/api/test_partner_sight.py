"""What a partner is told of others: nobody's name, and no rule that is for others; whoever works for the brand is."""

from datetime import timedelta
from typing import Any

import pytest

from base.database import transaction
from base.outbox import OutboxRow
from loyalty.ledger.configuring import set_unit
from loyalty.ledger.units import Unit
from metrics.rules import Measure
from metrics.windows import Period
from partners.audiences import AudienceInput
from partners.service import PartnerInput, PartnerKind
from push.notifier import Notifier
from tests.api.door import Answer, Api, open_api
from tests.api.test_adjustments import adjust, approve, decide
from tests.api.test_statements import adjust as spend
from tests.api.test_statements import read
from tests.world import NOW, back, line, return_of, sale

pytestmark = pytest.mark.usefixtures("database", "redis")

ANN, BOB = "ann@brand.test", "bob@brand.test"
WHY = """
    query ($id: String!) {
        activityExplain(source: "pos", externalId: $id) {
            rule name version points because { code step detail value }
        }
    }
"""
WALLET = """
    query ($code: String!) { partner(code: $code) {
        wallet { entries { edges { node { kind because { code step detail value } } } } }
        tierHistory { edges { node { because { code step detail value } } } }
        inbox { edges { node { title body facts {
            __typename because { code step detail value } ... on PointsPosted { amount }
        } } } }
    } }
"""
STATEMENT = """
    query ($code: String!) { walletStatement(partner: $code, from: "2026-11-01", to: "2026-11-30") {
        csvUrl entries { edges { node { because { code step detail value } } } }
    } }
"""
EVERY_STAFF = ["REGIONAL_LEAD", "SALES_REP", "MARKETER", "FINANCE", "ADMIN", "INTEGRATION"]


async def rules_of(api: Api, role: str, id_: str = "a", **claims: Any) -> list[str] | None:
    rows = (await api.ask(role, WHY, {"id": id_}, claims=claims))["activityExplain"]
    return None if rows is None else [row["rule"] for row in rows]


async def furnished() -> Api:
    """A shop with a sale, under rules for it, for others, for nobody yet, and for what it did not sell."""
    api = await open_api(("shop", "other"))
    world = api.world
    await world.count("sales", Measure.AMOUNT, Period.YEARLY)
    await world.ladder("sales", Period.YEARLY, {"silver": (0, 1), "gold": (1_000, 1)})
    others = AudienceInput(partners=["other"])
    await world.earn("base", amount=1)
    await world.earn("capped", amount=1, terms={"budget": 1})
    await world.earn("for-others", amount=2, audience=others)
    await world.earn("visits-of-others", kind="VISIT", activity=5, audience=others)
    await world.earn("visits", kind="VISIT", activity=5)
    await world.earn("for-gold", amount=3, tiers=["gold"])
    await world.accept(sale("first", "shop", 10), sale("a", "shop", 10))
    return api


async def test_a_partner_learns_of_each_rule_that_is_for_it_and_of_no_other() -> None:
    api = await furnished()
    assert await rules_of(api, "PARTNER") == ["base", "capped", "visits"]
    rows = (await api.ask("PARTNER", WHY, {"id": "a"}))["activityExplain"]
    assert [row["because"][-1]["value"] for row in rows] == ["10", "budget", "kind"]
    everything = ["base", "capped", "for-gold", "for-others", "visits", "visits-of-others"]
    for role in EVERY_STAFF:
        assert await rules_of(api, role) == everything, role
    hidden = ("others", "Others", "gold", "Gold")
    assert not any(word in str(rows) for word in hidden)

    # What is for it by now is told, with why it was not then.
    await api.world.accept(sale("big", "shop", 2_000))
    assert await rules_of(api, "PARTNER") == ["base", "capped", "for-gold", "visits"]
    rows = (await api.ask("PARTNER", WHY, {"id": "a"}))["activityExplain"]
    assert rows[2]["because"][-1]["detail"] == "“For-Gold”, version 1: not in its audience: tier"


async def test_a_rule_that_had_the_partner_then_is_told_whatever_it_says_now() -> None:
    api = await furnished()
    await api.world.accept(sale("big", "shop", 2_000), sale("golden", "shop", 10))
    assert await rules_of(api, "PARTNER", "golden") == ["base", "for-gold", "capped", "visits"]
    await api.world.accept(return_of("back", "shop", "big"))
    assert "for-gold" in (await rules_of(api, "PARTNER", "golden") or [])
    assert await rules_of(api, "PARTNER", "a") == ["base", "capped", "visits"]


async def test_a_partner_is_not_told_of_rules_that_came_later() -> None:
    api = await furnished()
    api.world.clock.set(NOW + timedelta(minutes=1))
    await api.world.earn("newer", amount=1)
    assert await rules_of(api, "PARTNER") == ["base", "capped", "visits"]
    assert "newer" in (await rules_of(api, "MARKETER") or [])


async def test_a_distributor_sees_nothing_of_its_shops() -> None:
    """A partner sees its own and nothing else, those under it neither: so of their rules it learns nothing."""
    api = await furnished()
    boss = PartnerInput("boss", "Boss", PartnerKind.DISTRIBUTOR, "JKT")
    child = PartnerInput("child", "Child", PartnerKind.RETAILER, "JKT", parent="boss")
    await api.world.partners([boss, child])
    await api.world.accept(sale("c", "child", 10))
    assert await rules_of(api, "PARTNER", "c", partner="boss") is None
    assert await rules_of(api, "PARTNER", "c", partner="other") is None
    assert await rules_of(api, "PARTNER", "c", partner="child") == ["base", "capped", "visits"]


async def test_another_regions_lead_sees_nothing() -> None:
    api = await furnished()
    assert await rules_of(api, "REGIONAL_LEAD", region="BALI") is None


async def tell(api: Api) -> None:
    """What was posted becomes messages."""
    rows = await api.world.rows("SELECT id FROM ledger_transaction WHERE program_id = $1 ORDER BY id")
    told = OutboxRow(api.world.program_id, (), [row["id"] for row in rows])
    async with transaction() as connection:
        await Notifier(api.world.clock, is_phone_configured=False).notify(connection, [told])


async def by_hand() -> Api:
    """A shop that was adjusted with and without a second person, and put on a tier by hand."""
    api = await furnished()
    await decide(api, adjustmentApprovalAbove=[{"amount": 100}])
    await adjust(api, ANN, 50, "small")
    asked = await adjust(api, ANN, 500, "large")
    await approve(api, BOB, asked["adjustment"]["id"])
    override = {"partner": "shop", "tier": "gold", "reason": "a friend", "idempotencyKey": "t"}
    await api.change("ADMIN", "tierOverride", override, "standing { tier { key } }")
    await tell(api)
    return api


async def seen(api: Api, role: str) -> tuple[Answer, str]:
    """All that a role reads of the shop's points; and the same as text, its file among it."""
    wallet = await api.ask(role, WALLET, {"code": "shop"})
    statement = await api.ask(role, STATEMENT, {"code": "shop"})
    token = {"authorization": f"Bearer {api.token(role)}"}
    file = await api.client.get(statement["walletStatement"]["csvUrl"], headers=token)
    assert file.status_code == 200
    return wallet["partner"], str([wallet, statement, read(file.content)])


async def test_a_partner_reads_nobodys_name_and_staff_do() -> None:
    api = await by_hand()
    partner, written = await seen(api, "PARTNER")
    for hidden in (ANN, BOB, "admin"):
        assert hidden not in written
    assert "Asked for by one person, and approved by another" in written
    assert "Adjusted by hand: a display" in written
    large = partner["wallet"]["entries"]["edges"][0]["node"]["because"]
    assert [step["code"] for step in large] == ["approval", "adjustment"]
    assert [step["value"] for step in large] == [None, "500"]
    for role in ("REGIONAL_LEAD", "SALES_REP", "MARKETER", "FINANCE", "ADMIN"):
        _, written = await seen(api, role)
        assert f"Asked for by {ANN}, approved by {BOB}" in written, role


async def test_a_message_leads_to_the_facts_that_it_tells() -> None:
    api = await open_api()
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.earn("base", amount=1)
    await api.world.earn("more", amount=2)
    await api.world.accept(sale("a", "shop", 100), return_of("b", "shop", "a"))
    await tell(api)
    inbox = (await api.ask("PARTNER", WALLET, {"code": "shop"}))["partner"]["inbox"]
    (message,) = (edge["node"] for edge in inbox["edges"])
    assert message["body"] == "Taken back after a return: 300 points."
    assert [(fact["__typename"], fact["amount"]) for fact in message["facts"]] == [
        ("PointsPosted", -100),
        ("PointsPosted", -200),
    ]
    assert all("came back" in fact["because"][-1]["detail"] for fact in message["facts"])


async def test_a_return_tells_what_was_rounded_and_what_is_owed() -> None:
    api = await open_api()
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.earn("even", amount=10)
    await api.world.earn("odd", amount=1)
    await api.world.accept(sale("a", "shop", [line("tea", 2, 601)]))
    await spend(api.world, -6_611, NOW)
    await api.world.accept(return_of("b", "shop", [back("a", 1, "tea", 1, "300.5")]))
    await tell(api)
    partner = (await api.ask("PARTNER", WALLET, {"code": "shop"}))["partner"]
    bodies = [edge["node"]["body"] for edge in partner["inbox"]["edges"]]
    assert bodies[0] == (
        "Taken back after a return: 3,305 points. Of this you owe 3,305 points; what comes in next repays it."
    )
    newest = [edge["node"] for edge in partner["wallet"]["entries"]["edges"]][:2]
    told = sorted(tuple(step["detail"] for step in entry["because"][1:]) for entry in newest)
    assert told == [
        (
            "50% of what earned 6,010 points by “Even” came back: 3,005 points are taken back",
            "3,005 points were spent or reserved before, and are owed",
        ),
        (
            "50% of what earned 601 points by “Odd” came back: 300 points are taken back, rounded down",
            "300 points were spent or reserved before, and are owed",
        ),
    ]


async def test_money_is_money_in_reasons_and_messages() -> None:
    api = await open_api()
    await set_unit(program_id=api.world.program_id, unit=Unit("CASHBACK", "Cashback", "IDR", 2))
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.earn("rebate", amount="0.5", unit="CASHBACK")
    await api.world.accept(sale("a", "shop", 2_469), return_of("b", "shop", "a"))
    await tell(api)
    rows = (await api.ask("PARTNER", WHY, {"id": "a"}))["activityExplain"]
    assert [step["detail"] for step in rows[0]["because"]][1:] == [
        "“Rebate”, version 1: IDR 0.005 for each 1 of the amount, 2,469 counted",
        "12.345, rounded down to IDR 12.34",
    ]
    inbox = (await api.ask("PARTNER", WALLET, {"code": "shop"}))["partner"]["inbox"]
    assert inbox["edges"][0]["node"]["title"] == "IDR 12.34 taken back"
