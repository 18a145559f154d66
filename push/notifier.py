"""Consumer of the outbox that writes messages: facts become rows of the inbox, and a delivery row per channel.

A call costs four statements at most, however many rows it gets. A message is known by (program, transaction, place of
the first fact that it tells): whoever consumes a row again adds nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from base.clock import Clock
from base.database import Connection
from base.outbox import OutboxRow
from push.messages import Name, Names
from push.outgoing import read_addressee, send_messages
from push.rules import Happening, write_messages

MESSAGES: Final = "messages"
"""The consumer's name."""

# What happened, in the order of the outbox, with the languages of the partner and of its program.
HAPPENINGS: Final = """
SELECT t.program_id, t.id, t.partner_id, t.occurred_at, t.posted_at, t.because, t.facts,
       coalesce(p.time_zone, g.time_zone) AS time_zone, p.locale, g.locale AS program_locale,
       g.settings -> 'messages' AS program_texts
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (program_id, id, place)
JOIN ledger_transaction t ON t.program_id = w.program_id AND t.id = w.id
JOIN partner p ON p.program_id = t.program_id AND p.id = t.partner_id
JOIN program g ON g.id = t.program_id
WHERE json_array_length(t.facts) > 0
ORDER BY w.place
"""

# What missions, badges, tiers and units are called, by (program, key). A badge's level is how many it has, a unit's its
# digits.
NAMES: Final = """
SELECT 'mission' AS kind, n.program_id, n.key, n.title AS name, 0 AS level, NULL AS currency
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (program_id, kind, key)
JOIN mission n ON n.program_id = w.program_id AND n.key = w.key WHERE w.kind = 'mission'
UNION ALL
SELECT 'badge', n.program_id, n.key, n.name, jsonb_array_length(n.levels), NULL
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (program_id, kind, key)
JOIN badge n ON n.program_id = w.program_id AND n.key = w.key WHERE w.kind = 'badge'
UNION ALL
SELECT 'tier', n.program_id, n.key, n.name, n.level, NULL
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (program_id, kind, key)
JOIN tier n ON n.program_id = w.program_id AND n.key = w.key WHERE w.kind = 'tier'
UNION ALL
SELECT 'unit', n.program_id, n.code, n.name, n.digits, n.currency
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (program_id, kind, key)
JOIN unit n ON n.program_id = w.program_id AND n.code = w.key WHERE w.kind = 'unit'
"""


@dataclass(frozen=True, slots=True)
class Notifier:
    """Writes messages by `clock`; `is_phone_configured` says whether any process of this installation can push."""

    clock: Clock
    is_phone_configured: bool

    async def notify(self, connection: Connection, rows: Sequence[OutboxRow]) -> None:
        """Write what the facts of these transactions say to their partners. A `base.outbox.Consumer`."""
        happenings = await load_happenings(connection, rows)
        names = await load_names(connection, (one for each in happenings for one in each.mentions()))
        messages = [message for each in happenings for message in write_messages(each, names=names)]
        await send_messages(
            connection, messages, now=self.clock.now(), is_phone_configured=self.is_phone_configured
        )


async def load_happenings(connection: Connection, rows: Sequence[OutboxRow]) -> list[Happening]:
    """The transactions that these rows point at and that carry facts, in the rows' order; one statement."""
    wanted = [(row.program_id, transaction_id) for row in rows for transaction_id in row.transaction_ids]
    found = await connection.fetch(HAPPENINGS, [pair[0] for pair in wanted], [pair[1] for pair in wanted])
    return [
        Happening(
            to=read_addressee(row),
            transaction_id=row["id"],
            occurred_at=row["occurred_at"],
            posted_at=row["posted_at"],
            steps=orjson.loads(row["because"]),
            facts=orjson.loads(row["facts"]),
        )
        for row in found
    ]


async def load_names(connection: Connection, mentions: Iterable[tuple[int, str, str]]) -> Names:
    """What the things of these programs, kinds and keys are called; one statement at most."""
    wanted = sorted(set(mentions))
    if not wanted:
        return {}
    found = await connection.fetch(NAMES, *([each[column] for each in wanted] for column in range(3)))
    return {
        (row["program_id"], row["kind"], row["key"]): Name(row["name"], row["level"], row["currency"])
        for row in found
    }
