"""Baskets that the demo has loaded, sold again today: sent through the API of a running server, at a chosen pace.

Each run names its activities after the instant at which it began, so nothing of it is a duplicate of another run.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from rich.console import Console

from activity.rules import MAX_ACTIVITIES, SALE
from api.auth import issue_token
from api.roles import Role
from base.clock import Clock, SystemClock
from base.database import reading
from base.numbers import plain
from base.settings import Settings, signing_key
from ops.demo.catalog import PROGRAM
from ops.demo.progress import find_demo
from ops.demo.source import SOURCE
from ops.errors import OperatorError, one_line
from ops.installation import open_installation
from ops.terminal import open_console

LIVE_SOURCE: Final = "pos-live"
BASKETS: Final = 5_000
SHORTEST_WAIT: Final = 0.1
"""Seconds between two requests; a faster pace sends several activities in one."""
ANSWER_SECONDS: Final = 30
LASTING: Final = timedelta(days=1)

RECORD: Final = """
mutation Record($input: ActivityRecordInput!) {
  activityRecord(input: $input) {
    __typename
    ... on ActivityRecordPayload { outcomes { status error { code } } }
    ... on UserError { code message }
  }
}
"""
# The last baskets that were loaded, each with its lines.
LAST_BASKETS: Final = """
SELECT a.external_id, p.code AS partner,
       (SELECT json_agg(json_build_object('sku', g.sku, 'quantity', l.quantity::text, 'amount', l.amount::text)
                        ORDER BY l.line)
        FROM activity_line l JOIN product g ON g.program_id = $1 AND g.id = l.product_id
        WHERE l.program_id = $1 AND l.activity_id = a.id) AS lines
FROM (SELECT * FROM activity WHERE program_id = $1 AND source = $2 ORDER BY id DESC LIMIT $3) a
JOIN partner p ON p.program_id = $1 AND p.id = a.partner_id
"""


class ApiUnreachable(OperatorError):
    """The server does not answer, or does not take what is sent."""


async def replay(settings: Settings, *, url: str | None, pace: float) -> None:
    """Send `pace` activities a second to the API at `url` until Ctrl-C, and print a line a second."""
    console = open_console()
    clock = SystemClock()
    async with open_installation(settings):
        baskets = await load_last_baskets()
        sender = Sender(
            url or f"http://{_reachable(settings.host)}:{settings.port}",
            token=issue_token(
                signing_key(settings),
                role=Role.INTEGRATION,
                program=PROGRAM,
                now=clock.now(),
                lasting=LASTING,
            ),
        )
        console.print(f"Selling again at {sender.url}, {pace:g} baskets a second. Ctrl-C stops it.")
        await run_sales(sender, baskets, pace=pace, clock=clock, console=console)


def _reachable(host: str) -> str:
    """Where a server on this machine that listens on `host` is reached."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  # compared


async def load_last_baskets() -> list[Mapping[str, Any]]:
    """Partner and lines of the last baskets that were loaded. `OperatorError` where the demo is not."""
    found = await find_demo()
    if found is None or found.progress is None or not found.has_activities:
        raise OperatorError("The demo is not loaded: run `mitra demo` first")
    async with reading() as connection:
        rows = await connection.fetch(LAST_BASKETS, found.program_id, SOURCE, BASKETS)
    return [
        {"basket": row["external_id"], "partner": row["partner"], "lines": orjson.loads(row["lines"])}
        for row in rows
    ]


def in_random_order(
    baskets: Sequence[Mapping[str, Any]], run: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The baskets again and again, each time shuffled, with an external id that no other has."""
    turn = 0
    while True:
        turn += 1
        for basket in random.sample(baskets, len(baskets)):
            yield f"{run}-{turn}-{basket['basket']}", basket


async def run_sales(
    sender: "Sender", baskets: Sequence[Mapping[str, Any]], *, pace: float, clock: Clock, console: Console
) -> None:
    """Send at the pace until cancelled. What is slower than the pace is not caught up."""
    loop = asyncio.get_running_loop()
    sales = in_random_order(baskets, f"{clock.now():%Y%m%dT%H%M%S.%f}")
    counts: Counter[str] = Counter()
    wait = max(SHORTEST_WAIT, 1 / pace)
    due, told_at = 0.0, loop.time()
    try:
        while True:
            started = loop.time()
            due = min(due + pace * wait, MAX_ACTIVITIES)
            batch = [next(sales) for _ in range(int(due))]
            due -= len(batch)
            if batch:
                counts.update(await asyncio.to_thread(sender.send, batch, clock))
            if loop.time() - told_at >= 1:
                told_at = loop.time()
                console.print(f"{clock.now():%H:%M:%S}  {_told(counts)}")
            await asyncio.sleep(max(0, started + wait - loop.time()))
    except asyncio.CancelledError:
        console.print(f"Stopped: {_told(counts)}")
    finally:
        sender.close()


def _told(counts: Mapping[str, int]) -> str:
    sent = sum(counts.values())
    return ", ".join([f"{sent:,} sent", *(f"{count:,} {status.lower()}" for status, count in counts.items())])


class Sender:
    """One connection to the API; it blocks, so it is used in a thread."""

    def __init__(self, url: str, *, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ApiUnreachable(f"{url!r} is no address of an API (like http://127.0.0.1:8000)")
        self.url: Final = url.rstrip("/")
        self._path: Final = f"{parts.path.rstrip('/')}/graphql"
        self._headers: Final = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection: Final = kind(parts.hostname, parts.port, timeout=ANSWER_SECONDS)

    def send(self, sales: Sequence[tuple[str, Mapping[str, Any]]], clock: Clock) -> Counter[str]:
        """Record them as sales of now; how many were taken, by status. `ApiUnreachable`."""
        now = clock.now().isoformat()
        activities = [
            {
                "source": LIVE_SOURCE,
                "externalId": external_id,
                "kind": SALE,
                "partner": basket["partner"],
                "occurredAt": now,
                "lines": [_exact(line) for line in basket["lines"]],
            }
            for external_id, basket in sales
        ]
        answer = self._post({"query": RECORD, "variables": {"input": {"activities": activities}}})
        if answer.get("errors"):
            raise ApiUnreachable(f"The API refuses: {answer['errors'][0]['message']}")
        payload = answer["data"]["activityRecord"]
        if payload["__typename"] == "UserError":
            raise ApiUnreachable(f"The API refuses: {payload['code']}: {payload['message']}")
        return Counter(outcome["status"] for outcome in payload["outcomes"])

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self._connection.request("POST", self._path, body=orjson.dumps(body), headers=self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise ApiUnreachable(
                f"No API answers at {self.url}: start it with `mitra serve` ({one_line(error)})"
            ) from error
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise ApiUnreachable(
                f"What answers at {self.url} is no Mitra (status {response.status})"
            ) from error
        if not isinstance(answer, dict) or not ("data" in answer or "errors" in answer):
            raise ApiUnreachable(f"The API at {self.url} refuses (status {response.status}): {answer}")
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _exact(line: Mapping[str, str]) -> dict[str, str]:
    return {
        "sku": line["sku"],
        "quantity": plain(Decimal(line["quantity"])),
        "amount": plain(Decimal(line["amount"])),
    }
