"""The API as a client meets it: real requests into the served application, on a world of the test's own.

api = await open_api(partners=("shop",))
data = await api.ask("ADMIN", "{ viewer { name } }")
error = await api.refusal("PARTNER", "{ metrics { key } }")       # the first error's extensions
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2
from pydantic import SecretStr
from starlette.applications import Starlette

from api.auth import issue_token
from api.graphql import routes
from api.liabilities import liability_routes
from api.roles import REGIONAL, Role
from api.statements import statement_routes
from api.uploads import upload_routes
from base.database import reading
from base.settings import Environment, Settings
from partners.service import PartnerInput, PartnerKind
from tests.world import World, make_world

KEY: Final = "a key of the tests, long enough to sign with"
DEVELOPMENT: Final = Settings(secret_key=SecretStr(KEY))
PRODUCTION: Final = Settings(secret_key=SecretStr(KEY), environment=Environment.PRODUCTION)

Answer = dict[str, Any]


@dataclass
class Api:
    """A world and the API over it."""

    world: World
    program: str
    client: httpx2.AsyncClient

    def token(self, role: Role | str, **claims: Any) -> str:
        """A token of the world's program. A partner's is for `shop`, a region's for JKT, where none is named."""
        role = Role(role)
        if role is Role.PARTNER:
            claims.setdefault("partner", "shop")
        if role in REGIONAL:
            claims.setdefault("region", "JKT")
        stated = {"program": self.program, "now": datetime.now(UTC), "lasting": timedelta(days=1), **claims}
        return issue_token(KEY, role=role, **stated)

    async def post(self, token: str | None, body: Any, **headers: str) -> httpx2.Response:
        """What a request answers."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return await self.client.post("/graphql", json=body, headers=headers)

    async def answer(
        self,
        role: Role | str,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        claims: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> Answer:
        """The JSON that a document answers."""
        body = {"query": document, "variables": variables}
        response = await self.post(self.token(role, **(claims or {})), body, **headers)
        answer: Answer = response.json()
        return answer

    async def ask(self, role: Role | str, document: str, variables: Any = None, **more: Any) -> Answer:
        """The data of a document that answers without errors."""
        answer = await self.answer(role, document, variables, **more)
        assert "errors" not in answer, answer
        data: Answer = answer["data"]
        return data

    async def refusal(self, role: Role | str, document: str, variables: Any = None, **more: Any) -> Answer:
        """The first error of a document that answers nothing."""
        answer = await self.answer(role, document, variables, **more)
        assert not answer.get("data"), answer
        error: Answer = answer["errors"][0]
        assert error["message"]
        return error

    async def change(self, role: Role | str, name: str, given: Any, wanted: str) -> Answer:
        """What a mutation answers: its payload, or the `UserError`."""
        type_name = name[0].upper() + name[1:]
        document = f"""
            mutation ($input: {type_name}Input!) {{
                {name}(input: $input) {{
                    __typename
                    ... on {type_name}Payload {{ {wanted} }}
                    ... on UserError {{ code message field }}
                }}
            }}
        """
        answer: Answer = (await self.ask(role, document, {"input": given}))[name]
        return answer


async def open_api(
    partners: Iterable[str] = ("shop",), *, settings: Settings = DEVELOPMENT, world: World | None = None
) -> Api:
    """The API on a new world; `elsewhere` lies in BALI."""
    if world is None:
        world = await make_world(partners)
        elsewhere = PartnerInput("elsewhere", "Shop elsewhere", PartnerKind.RETAILER, "BALI")
        await world.partners([elsewhere])
    async with reading() as connection:
        program = await connection.fetchval("SELECT key FROM program WHERE id = $1", world.program_id)
    served = [
        *routes(settings, clock=world.clock),
        *upload_routes(settings, clock=world.clock),
        *statement_routes(settings, clock=world.clock),
        *liability_routes(settings, clock=world.clock),
    ]
    app = Starlette(routes=served)
    transport = httpx2.ASGITransport(app)
    return Api(world, program, httpx2.AsyncClient(transport=transport, base_url="http://mitra.test"))
