"""Every role × every operation: who may, and that whoever may not changes nothing."""

from typing import Any, Final

import pytest

from api.access import ACCESS
from api.ids import global_id
from api.roles import Role
from loyalty.ledger.adjust import adjust_points
from loyalty.ledger.configuring import set_policies
from loyalty.ledger.policies import Policies
from metrics.rules import Measure
from tests.api.door import Api, open_api
from tests.ledger import hold_points
from tests.services.imports.taking import MAPPING, begin
from tests.world import NOW, World, sale

pytestmark = pytest.mark.usefixtures("database", "redis")

AT: Final = "2026-11-20T07:00:00Z"
READERS: Final = "PARTNER SALES_REP REGIONAL_LEAD MARKETER FINANCE ADMIN"
IMPORTERS: Final = "MARKETER FINANCE ADMIN INTEGRATION"

QUERIES: Final[dict[str, tuple[str, str]]] = {
    "viewer": ("{ viewer { name roles program { key } } }", f"{READERS} INTEGRATION"),
    "node": ('{ node(id: "x") { id } }', READERS),
    "partner": ('{ partner(code: "shop") { code } }', READERS),
    "partners": ("{ partners { edges { node { code } } } }", READERS),
    "missions": ("{ missions { edges { node { key } } } }", READERS),
    "mission": ('{ mission(key: "autumn") { key } }', READERS),
    "badges": ("{ badges { key } }", READERS),
    "tiers": ("{ tiers { key } }", READERS),
    "tierLadder": ("{ tierLadder { period } }", READERS),
    "tierReviews": ("{ tierReviews { partners } }", "MARKETER FINANCE ADMIN"),
    "leaderboards": ("{ leaderboards { key } }", READERS),
    "leaderboard": ('{ leaderboard(key: "top") { key } }', READERS),
    "walletStatement": (
        '{ walletStatement(partner: "shop", from: "2026-11-01", to: "2026-11-30") { unit csvUrl } }',
        READERS,
    ),
    "units": ("{ units { code digits } }", READERS),
    "programPolicy": ("{ programPolicy { returns expiry { kind } } }", "MARKETER FINANCE ADMIN"),
    "liability": ("{ liability { total debt months { month total } csvUrl } }", "FINANCE ADMIN"),
    "adjustments": ("{ adjustments { edges { node { id entries { amount } } } } }", "FINANCE ADMIN"),
    "holds": (
        "{ holds(states: [OPEN]) { edges { node { id partnerCode amount state } } } }",
        "FINANCE ADMIN INTEGRATION",
    ),
    "metrics": ("{ metrics { key } }", "MARKETER FINANCE ADMIN"),
    "earningRuleVersions": ('{ earningRuleVersions(key: "base") { version } }', "MARKETER FINANCE ADMIN"),
    "earningRules": ("{ earningRules { key } }", "MARKETER FINANCE ADMIN"),
    "segments": ("{ segments { key } }", "MARKETER FINANCE ADMIN"),
    "activity": ('{ activity(source: "pos", externalId: "a1") { kind } }', f"{READERS} INTEGRATION"),
    "activityExplain": (
        '{ activityExplain(source: "pos", externalId: "a1") { rule points because { detail } } }',
        f"{READERS} INTEGRATION",
    ),
    "earningPreview": (
        """{ earningPreview(activities: [{source: "pos", externalId: "z", kind: "SALE", partner: "shop",
            occurredAt: "2026-11-20T07:00:00Z"}]) { outcome { status facts { id } } rules { rule } } }""",
        "MARKETER FINANCE ADMIN INTEGRATION",
    ),
    "import": ('{ import(id: "x") { id refusals { edges { node { line } } } } }', IMPORTERS),
    "imports": ("{ imports { edges { node { id state } } pageInfo { hasNextPage } } }", IMPORTERS),
}
ACTIVITY: Final = {
    "source": "pos",
    "externalId": "b1",
    "kind": "SALE",
    "partner": "shop",
    "occurredAt": AT,
    "lines": [{"sku": "tea", "quantity": "1", "amount": "10"}],
}
MISSION: Final = {
    "key": "winter",
    "title": "Winter",
    "startsAt": AT,
    "endsAt": "2026-12-20T00:00:00Z",
    "objectives": [{"key": "o", "label": "Sell", "metric": "sales", "target": {"fixed": "10"}}],
    "rewards": [{"points": 5}],
}
SENDERS: Final = "INTEGRATION ADMIN"
OF_AN_ADJUSTMENT: Final = "the id of an adjustment that awaits approval"
OF_ANOTHER: Final = "the id of another one"
OF_A_HOLD: Final = "the id of an open hold"
OF_ANOTHER_HOLD: Final = "the id of another open hold"
OF_AN_IMPORT: Final = "the id of an import of the program"
NAMED: Final = {
    "Adjustment": (OF_AN_ADJUSTMENT, OF_ANOTHER),
    "Hold": (OF_A_HOLD, OF_ANOTHER_HOLD),
    "Import": (OF_AN_IMPORT,),
}
"""Placeholders for ids, by type, in the order in which their rows are made."""
DESIGNERS: Final = "MARKETER ADMIN"
MUTATIONS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "activityRecord": ({"activities": [ACTIVITY]}, SENDERS),
    "regionUpsert": ({"regions": [{"code": "SBY", "name": "Surabaya", "parent": "ID"}]}, SENDERS),
    "partnerUpsert": (
        {"partners": [{"code": "new", "name": "New", "kind": "RETAILER", "region": "JKT"}]},
        SENDERS,
    ),
    "productUpsert": ({"products": [{"sku": "salt", "name": "Salt"}]}, SENDERS),
    "segmentUpsert": (
        {"segments": [{"key": "modern", "name": "Modern", "filter": {"attributes": {"channel": "MT"}}}]},
        DESIGNERS,
    ),
    "metricCreate": (
        {"key": "visits", "name": "Visits", "activityKinds": ["VISIT"], "measure": "COUNT"},
        DESIGNERS,
    ),
    "tierLadderSet": (
        {
            "metric": "sales",
            "period": "MONTHLY",
            "tiers": [{"key": "base", "name": "Base", "threshold": "0"}],
        },
        DESIGNERS,
    ),
    "tierOverride": (
        {"partner": "shop", "tier": "base", "reason": "goodwill", "idempotencyKey": "t1"},
        "ADMIN",
    ),
    "earningRuleCreate": (
        {"key": "visit", "name": "Visit", "activityKind": "VISIT", "pointsPer": {"activity": 5}},
        DESIGNERS,
    ),
    "earningRuleUpdate": ({"key": "base", "name": "Base", "pointsPer": {"amount": "2"}}, DESIGNERS),
    "earningRuleEnd": ({"key": "base"}, DESIGNERS),
    "missionCreate": (MISSION, DESIGNERS),
    "missionPublish": ({"key": "autumn"}, DESIGNERS),
    "missionEnd": ({"key": "autumn"}, DESIGNERS),
    "badgeCreate": ({"key": "star", "name": "Star"}, DESIGNERS),
    "leaderboardCreate": ({"key": "new", "name": "New", "metric": "sales", "period": "WEEKLY"}, DESIGNERS),
    "pointsAdjust": (
        {"partner": "shop", "amount": 5, "reason": "goodwill", "idempotencyKey": "k1"},
        "FINANCE ADMIN",
    ),
    "adjustmentApprove": ({"id": OF_AN_ADJUSTMENT}, "FINANCE ADMIN"),
    "adjustmentReject": ({"id": OF_ANOTHER, "reason": "no proof"}, "FINANCE ADMIN"),
    "pointsHold": (
        {"partner": "shop", "amount": 1, "purpose": "a kettle", "idempotencyKey": "h1"},
        SENDERS,
    ),
    "holdCapture": ({"id": OF_A_HOLD, "idempotencyKey": "h2"}, SENDERS),
    "holdRelease": ({"id": OF_ANOTHER_HOLD, "idempotencyKey": "h3"}, SENDERS),
    "programPolicySet": ({"returns": "WITHIN_BALANCE"}, "ADMIN"),
    "unitCreate": ({"code": "IDR", "name": "Rupiah", "currency": "IDR", "digits": 2}, "ADMIN"),
    "importCreate": (
        {"kind": "SALES", "fileName": "sales.csv", "size": 100, "mapping": MAPPING, "digest": "ab" * 32},
        SENDERS,
    ),
    "importResume": ({"id": OF_AN_IMPORT}, SENDERS),
    "deviceRegister": ({"token": "abc", "platform": "ANDROID"}, "PARTNER"),
}


async def furnish(api: Api) -> None:
    await api.world.count("sales", Measure.AMOUNT)
    await api.world.earn("base", amount=1)
    await api.world.mission("autumn", {"sales": 1000}, points=40, publish=False)
    await api.world.accept(sale("a1", "shop", 10))
    await begin(api.world, b"doc")
    program_id = api.world.program_id
    await set_policies(program_id=program_id, policies=Policies(approval_above={"POINT": 1_000}))
    for key in ("first", "second"):
        await adjust_points(
            program_id=program_id,
            partner="shop",
            amount=5_000,
            reason="a gift",
            idempotency_key=key,
            actor="somebody else",
            now=NOW,
        )
        await hold_points(
            program_id=program_id,
            partner="shop",
            amount=3,
            purpose="a kettle",
            idempotency_key=key,
            actor="a till",
            now=NOW,
        )


async def state_of(world: World) -> dict[str, object]:
    """How many rows the program has in every table, and the versions of its configuration and partners."""
    tables = await world.rows(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'program_id'"
        " AND table_schema = 'public' AND $1::bigint IS NOT NULL"
    )
    found: dict[str, object] = {}
    for row in tables:
        table = row["table_name"]
        found[table] = (await world.rows(f"SELECT count(*) FROM {table} WHERE program_id = $1"))[0][0]
    found["version"] = (await world.rows("SELECT config_version FROM program WHERE id = $1"))[0][0]
    found["missions"] = [
        tuple(row) for row in await world.rows("SELECT * FROM mission WHERE program_id = $1")
    ]
    return found


def test_every_operation_has_its_case() -> None:
    assert set(QUERIES) == set(ACCESS["Query"])
    assert set(MUTATIONS) == set(ACCESS["Mutation"])


@pytest.mark.parametrize("role", Role)
async def test_queries(role: Role) -> None:
    api = await open_api()
    await furnish(api)
    for name, (document, roles) in QUERIES.items():
        answer = await api.answer(role, document)
        if role.value in roles.split():
            assert "errors" not in answer, (name, answer)
        else:
            (error,) = answer["errors"][:1]
            assert answer["data"] is None
            assert error["extensions"] == {"code": "FORBIDDEN"}
            assert error["path"] == [name]


async def change(api: Api, role: Role, name: str) -> dict[str, Any]:
    """What the mutation of that case answers."""
    type_name = name[0].upper() + name[1:]
    document = f"mutation ($input: {type_name}Input!) {{ {name}(input: $input) {{ __typename }} }}"
    given = MUTATIONS[name][0]
    for type_name, named in NAMED.items():
        for place, name in enumerate(named):
            if name in given.values():
                rows = await api.world.rows(
                    f"SELECT id FROM {type_name.lower()} WHERE program_id = $1 ORDER BY id"
                )
                given = {**given, "id": global_id(type_name, api.program, rows[place]["id"])}
    return await api.answer(role, document, {"input": given}, claims={"subject": "somebody"})


@pytest.mark.parametrize("role", Role)
async def test_mutations(role: Role) -> None:
    api = await open_api()
    await furnish(api)
    before = await state_of(api.world)
    allowed = [name for name, (_, roles) in MUTATIONS.items() if role.value in roles.split()]
    for name in MUTATIONS.keys() - set(allowed):
        answer = await change(api, role, name)
        assert answer["data"] is None, name
        assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
        assert answer["errors"][0]["path"] == [name]
    assert await state_of(api.world) == before
    for name in allowed:
        answer = await change(api, role, name)
        assert answer.get("data") == {name: {"__typename": f"{name[0].upper()}{name[1:]}Payload"}}, answer
    assert (await state_of(api.world) != before) is bool(allowed)


async def test_nothing_runs_where_one_field_is_denied() -> None:
    api = await open_api()
    await furnish(api)
    before = await state_of(api.world)
    document = """
        mutation ($ok: PointsAdjustInput!, $no: BadgeCreateInput!) {
            pointsAdjust(input: $ok) { __typename }
            badgeCreate(input: $no) { __typename }
        }
    """
    variables = {"ok": MUTATIONS["pointsAdjust"][0], "no": MUTATIONS["badgeCreate"][0]}
    error = await api.refusal("FINANCE", document, variables)
    assert error["path"] == ["badgeCreate"]
    assert await state_of(api.world) == before


async def test_a_denied_field_is_named_by_its_path_through_fragments_and_aliases() -> None:
    api = await open_api()
    document = """
        mutation ($input: PartnerUpsertInput!) { up: partnerUpsert(input: $input) { ...Payload } }
        fragment Payload on PartnerUpsertPayload { partners { code money: wallet { available } } }
    """
    error = await api.refusal("INTEGRATION", document, {"input": MUTATIONS["partnerUpsert"][0]})
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["path"] == ["up", "partners", "money"]
    assert "Partner.wallet" in error["message"]


async def test_an_integration_reads_the_answers_to_what_it_sent() -> None:
    api = await open_api()
    await furnish(api)
    wanted = """
        outcomes {
            externalId status error { code message field }
            facts {
                __typename id occurredAt postedAt because { step detail value }
                ... on PointsPosted { unit amount }
                ... on ObjectiveAdvanced { mission { key title } window objective current target }
                ... on BadgeAwarded { badge { key name } level }
                ... on TierChanged { from { key } to { key } }
            }
        }
    """
    await api.world.publish("autumn")
    payload = await api.change("INTEGRATION", "activityRecord", {"activities": [ACTIVITY]}, wanted)
    (outcome,) = payload["outcomes"]
    assert outcome["status"] == "RECORDED"
    assert {fact["__typename"] for fact in outcome["facts"]} == {"PointsPosted", "ObjectiveAdvanced"}
    again = await api.change("INTEGRATION", "activityRecord", {"activities": [ACTIVITY]}, wanted)
    assert again["outcomes"] == [{**outcome, "status": "DUPLICATE"}]
