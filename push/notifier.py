"""Consumer of the outbox that writes messages: facts become rows of the inbox, and a delivery row per channel.

A call costs four statements at most, however many rows it gets. A message is one fact's, by its key
(program, transaction, place of the fact): whoever consumes a row again adds nothing, and deliveries are written only
with the message that is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

from base import failpoints
from base.clock import Clock
from base.database import Connection
from base.outbox import OutboxRow
from push.channels import PHONE
from push.rules import NO_DEVICE, Happening, Message, Name, refuse_channel, write_messages

MESSAGES: Final = "messages"
"""The consumer's name."""

# What happened, in the order of the outbox, with the languages of the partner and of its program.
HAPPENINGS: Final = """
SELECT t.program_id, t.id, t.partner_id, t.posted_at, t.because, t.facts, p.locale, g.locale AS program_locale,
       g.settings -> 'messages' AS program_texts
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (program_id, id, place)
JOIN ledger_transaction t ON t.program_id = w.program_id AND t.id = w.id
JOIN partner p ON p.program_id = t.program_id AND p.id = t.partner_id
JOIN program g ON g.id = t.program_id
WHERE json_array_length(t.facts) > 0
ORDER BY w.place
"""

# What missions, badges and tiers are called, by (program, key). A badge's level is how many it has.
NAMES: Final = """
SELECT 'mission' AS kind, n.program_id, n.key, n.title AS name, 0 AS level
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (program_id, kind, key)
JOIN mission n ON n.program_id = w.program_id AND n.key = w.key WHERE w.kind = 'mission'
UNION ALL
SELECT 'badge', n.program_id, n.key, n.name, jsonb_array_length(n.levels)
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (program_id, kind, key)
JOIN badge n ON n.program_id = w.program_id AND n.key = w.key WHERE w.kind = 'badge'
UNION ALL
SELECT 'tier', n.program_id, n.key, n.name, n.level
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (program_id, kind, key)
JOIN tier n ON n.program_id = w.program_id AND n.key = w.key WHERE w.kind = 'tier'
"""

# A fact that was told before is left alone, and is not among the rows that come back.
WRITE_MESSAGES: Final = """
INSERT INTO message (program_id, partner_id, transaction_id, fact, template, locale, title, body, created_at)
SELECT program_id, partner_id, transaction_id, fact, template, locale, title, body, created_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::timestamptz[]) WITH ORDINALITY
    AS w (program_id, partner_id, transaction_id, fact, template, locale, title, body, created_at, place)
ORDER BY place
ON CONFLICT (program_id, transaction_id, fact) DO NOTHING
RETURNING program_id, id, partner_id, created_at
"""

# One row per live device of the partner; one without a device, and with the reason, where nothing can be sent.
WRITE_DELIVERIES: Final = """
INSERT INTO delivery (program_id, message_id, channel, device_id, state, error, due_at)
SELECT w.program_id, w.message_id, $5, d.id, CASE WHEN d.id IS NULL THEN 'NO_CHANNEL' ELSE 'QUEUED' END,
       CASE WHEN d.id IS NULL THEN coalesce(w.refusal, $6) END, $7
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS w (program_id, message_id, partner_id, refusal)
LEFT JOIN device d ON d.program_id = w.program_id AND d.partner_id = w.partner_id AND d.forgotten_at IS NULL
    AND w.refusal IS NULL
"""


@dataclass(frozen=True, slots=True)
class Notifier:
    """Writes messages by `clock`; `is_phone_configured` says whether any process of this installation can push."""

    clock: Clock
    is_phone_configured: bool

    async def notify(self, connection: Connection, rows: Sequence[OutboxRow]) -> None:
        """Write what the facts of these transactions say to their partners. A `base.outbox.Consumer`."""
        happenings = await load_happenings(connection, rows)
        names = await _load_names(connection, happenings)
        messages = [message for each in happenings for message in write_messages(each, names=names)]
        if messages:
            written = await _write_messages(connection, messages)
            failpoints.reach("notifier.written")
            await self._write_deliveries(connection, written)

    async def _write_deliveries(self, connection: Connection, written: Sequence[asyncpg.Record]) -> None:
        now = self.clock.now()
        refusals = [
            refuse_channel(posted_at=row["created_at"], now=now, is_configured=self.is_phone_configured)
            for row in written
        ]
        await connection.execute(
            WRITE_DELIVERIES,
            [row["program_id"] for row in written],
            [row["id"] for row in written],
            [row["partner_id"] for row in written],
            refusals,
            PHONE,
            NO_DEVICE,
            now,
        )


async def load_happenings(connection: Connection, rows: Sequence[OutboxRow]) -> list[Happening]:
    """The transactions that these rows point at and that carry facts, in the rows' order; one statement."""
    wanted = [(row.program_id, transaction_id) for row in rows for transaction_id in row.transaction_ids]
    found = await connection.fetch(HAPPENINGS, [pair[0] for pair in wanted], [pair[1] for pair in wanted])
    return [
        Happening(
            program_id=row["program_id"],
            transaction_id=row["id"],
            partner_id=row["partner_id"],
            posted_at=row["posted_at"],
            steps=orjson.loads(row["because"]),
            facts=orjson.loads(row["facts"]),
            locale=row["locale"],
            program_locale=row["program_locale"],
            program_texts=_texts(row["program_texts"]),
        )
        for row in found
    ]


def _texts(stored: str | None) -> dict[str, Any]:
    texts = orjson.loads(stored) if stored else None
    return texts if isinstance(texts, dict) else {}


async def _load_names(
    connection: Connection, happenings: Sequence[Happening]
) -> dict[tuple[int, str, str], Name]:
    """Names of all missions, badges and tiers that the facts and their reasons mention; one statement."""
    wanted = sorted({mention for happening in happenings for mention in happening.mentions()})
    if not wanted:
        return {}
    found = await connection.fetch(NAMES, *([each[column] for each in wanted] for column in range(3)))
    return {(row["program_id"], row["kind"], row["key"]): Name(row["name"], row["level"]) for row in found}


async def _write_messages(connection: Connection, messages: Sequence[Message]) -> list[asyncpg.Record]:
    """Write those that are new, in order, and return them; one statement."""
    written: list[asyncpg.Record] = await connection.fetch(
        WRITE_MESSAGES,
        [message.program_id for message in messages],
        [message.partner_id for message in messages],
        [message.transaction_id for message in messages],
        [message.fact for message in messages],
        [message.template for message in messages],
        [message.locale for message in messages],
        [message.title for message in messages],
        [message.body for message in messages],
        [message.posted_at for message in messages],
    )
    return written
