"""Rows: a partner sees its own, a region's staff what lies under it, and nobody another program."""

from typing import Any

import pytest

from api.ids import encode
from metrics.rules import Measure
from metrics.windows import Period
from partners.audiences import AudienceInput
from partners.service import PartnerInput, PartnerKind, PartnerStatus
from tests.api.door import Api, open_api
from tests.world import sale

pytestmark = pytest.mark.usefixtures("database", "redis")

CODES = "{ partners { edges { node { code } } } }"
ONE = (
    "query ($code: String!) { partner(code: $code) { id code wallet { entries { edges { node { id } } } } } }"
)
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def codes(api: Api, role: str, document: str = CODES, **more: Any) -> list[str]:
    found = await api.ask(role, document, **more)
    return [edge["node"]["code"] for edge in found["partners"]["edges"]]


async def entry_of(api: Api, code: str) -> tuple[str, str]:
    """The ids of a partner and of its newest entry."""
    found = (await api.ask("ADMIN", ONE, {"code": code}))["partner"]
    return found["id"], found["wallet"]["entries"]["edges"][0]["node"]["id"]


async def furnished() -> Api:
    api = await open_api(("shop", "other"))
    await api.world.count("sales", Measure.AMOUNT, Period.MONTHLY)
    await api.world.earn("base", amount=1)
    for code in ("shop", "other", "elsewhere"):
        await api.world.accept(sale(f"a-{code}", code, 10))
    return api


async def test_who_sees_which_partners() -> None:
    api = await furnished()
    assert await codes(api, "PARTNER") == ["shop"]
    assert await codes(api, "REGIONAL_LEAD") == ["other", "shop"]
    assert await codes(api, "SALES_REP", claims={"region": "BALI"}) == ["elsewhere"]
    assert await codes(api, "REGIONAL_LEAD", claims={"region": "ID"}) == ["elsewhere", "other", "shop"]
    assert await codes(api, "FINANCE") == ["elsewhere", "other", "shop"]
    bali = '{ partners(region: "BALI") { edges { node { code } } } }'
    assert await codes(api, "MARKETER", bali) == ["elsewhere"]
    assert await codes(api, "REGIONAL_LEAD", bali) == []


@pytest.mark.parametrize(
    ("role", "claims", "hidden"),
    [
        ("PARTNER", {}, "other"),
        ("REGIONAL_LEAD", {}, "elsewhere"),
        ("SALES_REP", {"region": "BALI"}, "shop"),
    ],
)
async def test_what_is_hidden_answers_like_what_does_not_exist(
    role: str, claims: dict[str, str], hidden: str
) -> None:
    api = await furnished()
    partner_id, entry_id = await entry_of(api, hidden)
    for code in (hidden, "nobody"):
        assert (await api.ask(role, ONE, {"code": code}, claims=claims))["partner"] is None
    for id_ in (partner_id, entry_id, "nonsense", ""):
        assert (await api.ask(role, NODE, {"id": id_}, claims=claims))["node"] is None
    document = 'query ($id: String!) { activity(source: "pos", externalId: $id) { kind } }'
    assert (await api.ask(role, document, {"id": f"a-{hidden}"}, claims=claims))["activity"] is None


async def test_nodes_by_their_ids() -> None:
    api = await furnished()
    for id_ in await entry_of(api, "shop"):
        assert (await api.ask("PARTNER", NODE, {"id": id_}))["node"]["id"] == id_


async def test_another_program_answers_like_one_that_does_not_exist() -> None:
    api, elsewhere = await furnished(), await furnished()
    await elsewhere.world.mission("secret", {"sales": 10}, points=1)
    ids = [*await entry_of(elsewhere, "shop")]
    ids.append((await elsewhere.ask("ADMIN", '{ mission(key: "secret") { id } }'))["mission"]["id"])
    for id_ in ids:
        assert (await elsewhere.ask("ADMIN", NODE, {"id": id_}))["node"]["id"] == id_
        assert (await api.ask("ADMIN", NODE, {"id": id_}))["node"] is None
    assert (await api.ask("ADMIN", '{ mission(key: "secret") { id } }'))["mission"] is None
    published = await api.change("ADMIN", "missionPublish", {"key": "secret"}, "mission { key }")
    assert (published["code"], published["field"]) == ("NOT_FOUND", ["key"])


async def test_a_partner_sees_the_missions_and_boards_that_are_for_it() -> None:
    api = await furnished()
    for key, regions in (("jakarta", ["JKT"]), ("bali", ["BALI"]), ("all", [])):
        audience = AudienceInput(regions=regions)
        await api.world.mission(key, {"sales": 10}, points=1, audience=audience)
        board = {
            "key": key,
            "name": key,
            "metric": "sales",
            "period": "MONTHLY",
            "audience": {"regions": regions},
        }
        await api.change("ADMIN", "leaderboardCreate", board, "leaderboard { key }")
    await api.world.mission("draft", {"sales": 10}, points=1, publish=False)
    document = "{ missions { edges { node { key } } } leaderboards { key } }"

    async def seen(role: str) -> tuple[set[str], set[str]]:
        found = await api.ask(role, document)
        missions = {edge["node"]["key"] for edge in found["missions"]["edges"]}
        return missions, {one["key"] for one in found["leaderboards"]}

    assert await seen("PARTNER") == ({"jakarta", "all"}, {"jakarta", "all"})
    assert await seen("REGIONAL_LEAD") == ({"jakarta", "bali", "all"}, {"jakarta", "bali", "all"})
    assert await seen("MARKETER") == ({"jakarta", "bali", "all", "draft"}, {"jakarta", "bali", "all"})
    assert (await api.ask("PARTNER", '{ mission(key: "bali") { key } }'))["mission"] is None
    mine = "{ viewer { partner { missions { edges { node { mission { key } } } } } } }"
    progress = (await api.ask("PARTNER", mine))["viewer"]["partner"]["missions"]["edges"]
    assert [edge["node"]["mission"]["key"] for edge in progress] == ["all", "jakarta"]


async def test_viewer_knows_whose_it_is() -> None:
    api = await open_api()
    document = "{ viewer { name roles program { key timeZone } partner { code } region { code } } }"
    partner = (await api.ask("PARTNER", document))["viewer"]
    assert (partner["roles"], partner["partner"], partner["region"]) == (["PARTNER"], {"code": "shop"}, None)
    lead = (await api.ask("REGIONAL_LEAD", document))["viewer"]
    assert (lead["partner"], lead["region"], lead["program"]["key"]) == (None, {"code": "JKT"}, api.program)


async def test_a_suspended_partner_reads_and_registers_nothing() -> None:
    api = await open_api()
    await api.world.partner("shop", status=PartnerStatus.SUSPENDED)
    assert (await api.ask("PARTNER", ONE, {"code": "shop"}))["partner"]["code"] == "shop"
    refused = await api.change(
        "PARTNER", "deviceRegister", {"token": "abc", "platform": "WEB"}, "device { id }"
    )
    assert refused["code"] == "FORBIDDEN"


async def test_ids_of_what_the_database_cannot_hold_answer_null() -> None:
    api = await open_api()
    for parts in (
        ("Partner", "shop\0"),
        ("Mission", "\0"),
        ("LedgerEntry", 2**63, 1),
        ("LedgerEntry", -(2**63), 1),
        ("LedgerEntry", True, 1),
        ("Partner", ["shop"]),
    ):
        word = encode((parts[0], api.program, *parts[1:]))
        assert await api.ask("ADMIN", NODE, {"id": word}) == {"node": None}, parts
    for word in (encode((2**63,)), encode(("a\0",))):
        document = "query ($after: String) { missions(after: $after) { edges { cursor } } }"
        assert (await api.refusal("ADMIN", document, {"after": word}))["extensions"] == {
            "code": "INVALID_CURSOR",
            "field": ["after"],
        }


async def test_search_is_bounded() -> None:
    api = await open_api()
    document = "query ($search: String) { partners(search: $search) { edges { node { code } } } }"
    assert await codes(api, "ADMIN", document, variables={"search": "%" * 100}) == []
    refused = await api.refusal("ADMIN", document, {"search": "%" * 101})
    assert refused["extensions"] == {"code": "INVALID_SEARCH", "field": ["search"]}


async def test_search_takes_wildcards_literally() -> None:
    api = await open_api(())
    given = [
        PartnerInput(code, name, PartnerKind.AGENT, "JKT")
        for code, name in (("s_1", "100% Kopi"), ("sx1", "Warung"), ("t1", "Kopi & Co"))
    ]
    await api.world.partners(given)
    document = "query ($search: String) { partners(search: $search) { edges { node { code } } } }"
    for search, found in (
        ("s_1", ["s_1"]),
        ("kopi", ["s_1", "t1"]),
        ("100%", ["s_1"]),
        ("%", ["s_1"]),
        ("\\", []),
    ):
        assert await codes(api, "ADMIN", document, variables={"search": search}) == found, search
