"""A client of the application in the same process: one request in, one answer out, without a socket between."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from pydantic import SecretStr
from starlette.applications import Starlette

from activity.rules import ActivityInput
from api.auth import issue_token
from api.graphql import routes
from api.roles import Role
from base.numbers import plain
from base.settings import Settings

KEY: Final = "a key of the benchmark, long enough to sign with"
RECORD: Final = """
mutation Record($activities: [ActivityInput!]!) {
  activityRecord(input: {activities: $activities}) {
    __typename
    ... on ActivityRecordPayload { outcomes { externalId status error { code message } } }
    ... on UserError { code message }
  }
}
"""


class Door:
    """The GraphQL API of a program, as an integration calls it."""

    def __init__(self, program: str) -> None:
        settings = Settings(secret_key=SecretStr(KEY))
        token = issue_token(
            KEY, role=Role.INTEGRATION, program=program, now=datetime.now(UTC), lasting=timedelta(days=1)
        )
        self._app = Starlette(routes=list(routes(settings)))
        self._headers = [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {token}".encode()),
        ]

    async def record(self, activities: Sequence[ActivityInput]) -> list[str]:
        """Record activities; what became of each."""
        body = {"query": RECORD, "variables": {"activities": [_activity(one) for one in activities]}}
        answer = orjson.loads(await self._post(orjson.dumps(body)))
        return [one["status"] for one in answer["data"]["activityRecord"]["outcomes"]]

    async def _post(self, body: bytes) -> bytes:
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/graphql",
            "raw_path": b"/graphql",
            "query_string": b"",
            "headers": [*self._headers, (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        sent: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        await self._app(scope, receive, send)
        return b"".join(sent)


def _activity(one: ActivityInput) -> dict[str, Any]:
    return {
        "source": one.source,
        "externalId": one.external_id,
        "kind": one.kind,
        "partner": one.partner,
        "occurredAt": one.occurred_at.isoformat(),
        "lines": [
            {"sku": line.sku, "quantity": plain(line.quantity), "amount": plain(line.amount)}
            for line in one.lines
        ],
    }
