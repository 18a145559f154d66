"""How many statements an answer costs: a fixed number, whatever the size of the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from loyalty.ledger.configuring import set_unit
from loyalty.ledger.units import Unit
from metrics.rules import Measure
from metrics.windows import Period
from tests.api.door import Api, open_api
from tests.world import sale

pytestmark = pytest.mark.usefixtures("database", "redis")

HOME = """
query ($first: Int!) {
  partners(first: $first) {
    edges {
      node {
        code region { code parent { code } }
        wallet {
          available expiring { amount expiresAt } entries(first: 3) { edges { node { amount because { detail } } } }
        }
        cash: wallet(unit: "USD") { available expiring(withinDays: 90) { amount } }
        tier { tier { key } next { key } toNext }
        missions(first: 5) { edges { node { state objectives { current target objective { metric { key } } } } } }
        badges { badge { key } level }
        inbox(first: 2) { edges { node { title } } }
      }
    }
  }
}
"""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that asyncpg runs meanwhile."""
    seen: list[str] = []
    with monkeypatch.context() as patched:
        for name in ("fetch", "fetchrow", "fetchval", "execute"):
            run = getattr(asyncpg.Connection, name)

            async def noting(self: Any, query: str, *arguments: Any, _run: Any = run, **more: Any) -> Any:
                if "RESET ALL" not in query:  # asyncpg, when a connection goes back to the pool
                    seen.append(query)
                return await _run(self, query, *arguments, **more)

            patched.setattr(asyncpg.Connection, name, noting)
        yield seen


@pytest.fixture
async def api() -> Api:
    """Fifty partners with something in everything."""
    codes = [f"p{number:02}" for number in range(50)]
    api = await open_api(codes)
    world = api.world
    await world.count("sales", Measure.AMOUNT)
    await set_unit(program_id=world.program_id, unit=Unit("USD", "Dollar", "USD", 2))
    await world.earn("base", amount=1)
    await world.ladder("sales", Period.MONTHLY, {"bronze": (0, 1), "silver": (100, 1)})
    await world.badge("seller", "sales", [5])
    for number in range(3):
        await world.mission(f"m{number}", {"sales": 10 + number}, points=5)
    await world.accept(*(sale(f"a{code}{turn}", code, 7) for code in codes for turn in range(3)))
    return api


async def statements(api: Api, monkeypatch: pytest.MonkeyPatch, document: str, **variables: Any) -> list[str]:
    with counted(monkeypatch) as seen:
        await api.ask("ADMIN", document, variables)
    return seen


async def test_a_page_of_partners_costs_the_same_whatever_its_size(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.ask("ADMIN", HOME, {"first": 1})  # the catalog is read once a version
    one = await statements(api, monkeypatch, HOME, first=1)
    fifty = await statements(api, monkeypatch, HOME, first=50)
    assert sorted(one) == sorted(fifty)
    assert len(one) == 10, one


async def test_configuration_costs_nothing_but_the_sign_in(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    document = """{ viewer { name } tiers { key } badges { key } metrics { key } earningRules { key }
        missions { edges { node { key objectives { metric { key } } rewards { points badge { key } } } } } }"""
    await api.ask("ADMIN", document)
    assert len(await statements(api, monkeypatch, document)) == 1


async def test_facts_of_a_batch_cost_no_statement_of_their_own(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = """
        mutation ($input: ActivityRecordInput!) {
            activityRecord(input: $input) { ... on ActivityRecordPayload { outcomes { %s } } }
        }
    """

    async def count(wanted: str, key: str) -> int:
        activities = [
            {
                "source": "pos",
                "externalId": f"{key}{number}",
                "kind": "SALE",
                "partner": f"p{number:02}",
                "occurredAt": "2026-11-20T07:00:00Z",
                "lines": [{"sku": "tea", "quantity": "1", "amount": "10"}],
            }
            for number in range(20)
        ]
        return len(await statements(api, monkeypatch, document % wanted, input={"activities": activities}))

    await count("status", "w")
    assert await count("status", "x") == await count("facts { id because { detail } }", "y")
