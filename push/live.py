"""Facts as they happen, to whoever looks: a consumer of the outbox that publishes them, and the other end of it.

The feed is best effort. A fact may come twice (the outbox delivers at least once) or, around an outage of Redis, not at
all; the journal has it in any case.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from base import feed
from base.clock import Clock
from base.database import Connection
from base.outbox import OutboxRow
from push.messages import HISTORY

FACTS: Final = "facts"
"""The consumer's name."""

HAPPENED: Final = """
SELECT t.program_id, t.id, t.partner_id, t.occurred_at, t.posted_at, t.because, t.facts
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (program_id, id, place)
JOIN ledger_transaction t ON t.program_id = w.program_id AND t.id = w.id
WHERE json_array_length(t.facts) > 0 AND t.posted_at > $3
ORDER BY w.place
"""


def channel_of(program_id: int, partner_id: int) -> str:
    """The feed's channel of a partner's facts."""
    return f"mitra:facts:{program_id}:{partner_id}"


@dataclass(frozen=True, slots=True)
class FactFeed:
    """Publishes facts on this process's feed; those of a history that is being loaded interest nobody live."""

    clock: Clock

    async def publish(self, connection: Connection, rows: Sequence[OutboxRow]) -> None:
        """Publish the facts of these transactions, each under its partner. A `base.outbox.Consumer`; one statement."""
        wanted = [(row.program_id, transaction_id) for row in rows for transaction_id in row.transaction_ids]
        happened = await connection.fetch(
            HAPPENED,
            [pair[0] for pair in wanted],
            [pair[1] for pair in wanted],
            self.clock.now() - HISTORY,
        )
        for row in happened:
            payload = {
                "transaction_id": row["id"],
                "occurred_at": row["occurred_at"].isoformat(),
                "posted_at": row["posted_at"].isoformat(),
                "because": orjson.Fragment(row["because"]),
                "facts": orjson.Fragment(row["facts"]),
            }
            feed.connected().publish(channel_of(row["program_id"], row["partner_id"]), orjson.dumps(payload))


async def partner_facts(program_id: int, partner_id: int) -> AsyncGenerator[dict[str, Any], None]:
    """The partner's facts from now on, without end, each as

    `{"transaction_id", "place", "occurred_at", "posted_at", "because": [steps of the transaction], "fact": {…}}`,
    the instants as ISO 8601 with offset, `place` the fact's in its transaction.
    """
    async with feed.connected().listening(channel_of(program_id, partner_id)) as payloads:
        async for payload in payloads:
            if payload == feed.GAP:
                continue
            happened = orjson.loads(payload)
            for place, fact in enumerate(happened.pop("facts")):
                yield {**happened, "place": place, "fact": fact}
