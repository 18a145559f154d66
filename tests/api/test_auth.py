"""Sign-in: what a token must be, and what is answered to one that is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from graphql import get_introspection_query

from api.roles import Role
from partners.service import PartnerStatus
from tests.api.door import DEVELOPMENT, KEY, PRODUCTION, Api, open_api

pytestmark = pytest.mark.usefixtures("database", "redis")

VIEWER = {"query": "{ viewer { name } }"}


async def refused(api: Api, token: str | None, **headers: str) -> str:
    """The reason for which a token is refused."""
    response = await api.post(token, VIEWER, **headers)
    assert response.status_code == 401, response.text
    (error,) = response.json()["errors"]
    assert error["message"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    reason: str = error["extensions"]["reason"]
    return reason


def signed(api: Api, key: str = KEY, algorithm: str = "HS256", **changed: Any) -> str:
    stated = {
        "iss": "mitra",
        "sub": "somebody",
        "role": "ADMIN",
        "program": api.program,
        "exp": datetime.now(UTC) + timedelta(hours=1),
        **changed,
    }
    return jwt.encode(
        {name: value for name, value in stated.items() if value is not None}, key, algorithm=algorithm
    )


async def test_tokens_that_sign_nobody_in() -> None:
    api = await open_api()
    assert await refused(api, None) == "MISSING_TOKEN"
    assert await refused(api, None, authorization="Basic abc") == "MALFORMED_TOKEN"
    assert await refused(api, "nonsense") == "MALFORMED_TOKEN"
    assert await refused(api, "x" * 5000) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, exp=datetime.now(UTC) - timedelta(seconds=1))) == "TOKEN_EXPIRED"
    assert await refused(api, signed(api, key="another key that is long enough too")) == "BAD_SIGNATURE"
    assert await refused(api, signed(api, key=KEY * 2, algorithm="HS512")) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, key="", algorithm="none")) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, iss="elsewhere")) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, exp=None)) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, role="KING")) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, role=["ADMIN"])) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, program=7)) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, program="none such")) == "UNKNOWN_PROGRAM"


async def test_a_role_and_whom_it_is_for() -> None:
    api = await open_api()
    assert await refused(api, signed(api, role="PARTNER")) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, role="ADMIN", partner="shop")) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, role="SALES_REP")) == "MALFORMED_TOKEN"
    assert await refused(api, signed(api, role="PARTNER", partner="nobody")) == "UNKNOWN_PARTNER"
    assert await refused(api, signed(api, role="REGIONAL_LEAD", region="MARS")) == "UNKNOWN_REGION"
    await api.world.partner("shop", status=PartnerStatus.CLOSED)
    assert await refused(api, signed(api, role="PARTNER", partner="shop")) == "PARTNER_CLOSED"


@pytest.mark.parametrize("role", Role)
async def test_a_token_signs_in(role: Role) -> None:
    api = await open_api()
    assert (await api.ask(role, VIEWER["query"]))["viewer"]["name"]


async def test_in_development_anybody_reads_the_schema_and_nothing_else() -> None:
    api = await open_api(settings=DEVELOPMENT)
    response = await api.post(None, {"query": "{ __typename __schema { queryType { name } } }"})
    assert response.json() == {"data": {"__typename": "Query", "__schema": {"queryType": {"name": "Query"}}}}
    mixed = await api.post(None, {"query": "{ __typename tiers { key } }"})
    assert mixed.status_code == 401


async def test_in_development_any_role_reads_the_schema() -> None:
    api = await open_api(settings=DEVELOPMENT)
    for role in (Role.INTEGRATION, Role.ADMIN):
        found = await api.ask(role, get_introspection_query(input_value_deprecation=True))
        assert {"Query", "Mutation", "Partner"} <= {one["name"] for one in found["__schema"]["types"]}


async def test_in_production_the_schema_is_told_to_nobody() -> None:
    api = await open_api(settings=PRODUCTION)
    assert await refused(api, None) == "MISSING_TOKEN"
    error = await api.refusal("ADMIN", "{ __schema { queryType { name } } }")
    assert error["extensions"]["code"] == "VALIDATION_ERROR"
    for document in ("{ partnerz { id } }", "{ partners(frist: 3) { edges { cursor } } }"):
        assert "Did you mean" not in (await api.refusal("ADMIN", document))["message"]
    variables = {"states": ["LIV"]}
    document = "query ($states: [MissionState!]) { missions(states: $states) { edges { cursor } } }"
    assert "Did you mean" not in (await api.refusal("ADMIN", document, variables))["message"]
