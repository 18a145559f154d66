"""Those who record: tills that send batches of sales and returns over HTTP, and repeat what got no answer.

Each knows what the installation has accepted from it, and complains of every answer that it could not act on: neither
accepted nor a clear word to come again.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx2

PARTNERS: Final = tuple(f"shop-{number}" for number in range(12))
ANSWER_SECONDS: Final = 90.0
LONGEST_WAIT: Final = 2.0
"""Seconds. Clients of a soak are less patient than they should be: it is to hurt."""

RECORD: Final = """
mutation ($input: ActivityRecordInput!) {
  activityRecord(input: $input) {
    ... on ActivityRecordPayload { outcomes { externalId status error { code message } } }
    ... on UserError { code message }
  }
}
"""

Activity = dict[str, Any]


@dataclass
class Tally:
    """What all clients have seen."""

    accepted: dict[str, Activity] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    longest: float = 0.0
    """Seconds that the slowest answer took, of whatever kind."""


class Client:
    """A till, with a source of its own."""

    def __init__(self, name: str, urls: list[str], token: str, tally: Tally, *, seed: int) -> None:
        self.name = name
        self._urls = urls
        self._headers = {"authorization": f"Bearer {token}"}
        self._tally = tally
        self._dice = random.Random(f"{seed}/{name}")
        self._number = 0
        self._sold: list[Activity] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Record batch after batch until `stop`; the last one to its end."""
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS, headers=self._headers) as http:
            while not stop.is_set():
                await self._record(http, self._batch())

    def _batch(self) -> list[Activity]:
        made = [self._activity() for _ in range(self._dice.randint(1, 25))]
        if self._sold and self._dice.random() < 0.2:  # what was accepted long ago comes again
            made.insert(self._dice.randrange(len(made) + 1), self._dice.choice(self._sold))
        return made

    def _activity(self) -> Activity:
        self._number += 1
        dice = self._dice
        common = {
            "source": self.name,
            "externalId": f"{self.name}-{self._number}",
            "occurredAt": (datetime.now(UTC) - timedelta(minutes=dice.randint(0, 20_000))).isoformat(),
        }
        if self._sold and dice.random() < 0.2:
            sale = self._sold.pop(dice.randrange(len(self._sold)))
            occurred_at = max(
                datetime.fromisoformat(sale["occurredAt"]), datetime.now(UTC) - timedelta(minutes=5)
            )
            return common | {
                "kind": "RETURN", "partner": sale["partner"], "reverses": sale["externalId"],
                "occurredAt": occurred_at.isoformat(),
            }  # fmt: skip
        lines = [
            {
                "sku": sku,
                "quantity": str(dice.randint(1, 9)),
                "amount": str(Decimal(dice.randint(1, 9_999)) / 100),
            }
            for sku in dice.sample(["tea", "coffee", "soap", "rice"], dice.randint(1, 3))
        ]
        return common | {"kind": "SALE", "partner": dice.choice(PARTNERS), "lines": lines}

    async def _record(self, http: httpx2.AsyncClient, batch: list[Activity]) -> None:
        """Send it until it is answered, anywhere."""
        wait = 0.05
        while True:
            outcomes = await self._send(http, batch)
            if outcomes is not None:
                self._note(batch, outcomes)
                return
            await asyncio.sleep(wait * self._dice.uniform(0.5, 1))
            wait = min(wait * 2, LONGEST_WAIT)

    async def _send(self, http: httpx2.AsyncClient, batch: list[Activity]) -> list[Any] | None:
        """The outcomes, or None where it is to be sent again."""
        body = {"query": RECORD, "variables": {"input": {"activities": batch}}}
        started = asyncio.get_running_loop().time()
        try:
            response = await http.post(f"{self._dice.choice(self._urls)}/graphql", json=body)
        except httpx2.TimeoutException:
            self._tally.complaints.append(f"{self.name}: no answer in {ANSWER_SECONDS:.0f} s")
            return None
        except httpx2.TransportError:
            self._tally.answers["no connection"] += 1
            return None
        finally:
            self._tally.longest = max(self._tally.longest, asyncio.get_running_loop().time() - started)
        return self._read(response)

    def _read(self, response: httpx2.Response) -> list[Any] | None:
        """The outcomes that it holds; None, and perhaps a complaint, where it holds none."""
        try:
            answer = response.json()
            if response.status_code == 503 and "retry-after" in response.headers:
                (error,) = answer["errors"]
                if error["extensions"]["code"] == "UNAVAILABLE":
                    self._tally.answers[f"503 {error['message'].split('.')[0]}"] += 1
                    return None
            outcomes = answer["data"]["activityRecord"]["outcomes"]
        except (ValueError, KeyError, TypeError):
            self._tally.complaints.append(f"{self.name}: {response.status_code} {response.text[:300]}")
            return None
        self._tally.answers["recorded"] += 1
        return list(outcomes)

    def _note(self, batch: list[Activity], outcomes: list[Any]) -> None:
        for given, outcome in zip(batch, outcomes, strict=True):
            if outcome["status"] == "REJECTED":
                self._tally.complaints.append(f"{self.name}: refused {outcome}")
                continue
            if given["externalId"] not in self._tally.accepted and given["kind"] == "SALE":
                self._sold.append(given)
            self._tally.accepted[given["externalId"]] = given
