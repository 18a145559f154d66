"""Messages are written: a row of the inbox for each, and a delivery row for each way to its partner."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from base import failpoints
from base.database import Connection
from push.channels import PHONE
from push.messages import NO_DEVICE, Addressee, Message, deliver_from, refuse_channel

# One that was written before is left alone, and is not among the rows that come back.
WRITE_MESSAGES: Final = """
INSERT INTO message (program_id, partner_id, transaction_id, fact, facts, template, locale, title, body, created_at)
SELECT program_id, partner_id, transaction_id, fact, facts::int[], template, locale, title, body, created_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::timestamptz[]) WITH ORDINALITY
    AS w (program_id, partner_id, transaction_id, fact, facts, template, locale, title, body, created_at, place)
ORDER BY place
ON CONFLICT (program_id, transaction_id, fact) DO NOTHING
RETURNING program_id, id, partner_id, template, created_at
"""

# One row per live device of the partner; one without a device, and with the reason, where nothing can be sent.
WRITE_DELIVERIES: Final = """
INSERT INTO delivery (program_id, message_id, channel, device_id, state, error, due_at)
SELECT w.program_id, w.message_id, $6, d.id, CASE WHEN d.id IS NULL THEN 'NO_CHANNEL' ELSE 'QUEUED' END,
       CASE WHEN d.id IS NULL THEN coalesce(w.refusal, $7) END, w.due_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[])
    AS w (program_id, message_id, partner_id, refusal, due_at)
LEFT JOIN device d ON d.program_id = w.program_id AND d.partner_id = w.partner_id AND d.forgotten_at IS NULL
    AND w.refusal IS NULL
"""


def read_addressee(row: Mapping[str, Any]) -> Addressee:
    """The partner of a row: `program_id`, `partner_id`, `time_zone`, `locale`, `program_locale`, `program_texts`."""
    texts = orjson.loads(row["program_texts"]) if row["program_texts"] else None
    return Addressee(
        program_id=row["program_id"],
        partner_id=row["partner_id"],
        time_zone=row["time_zone"],
        locale=row["locale"],
        program_locale=row["program_locale"],
        program_texts=texts if isinstance(texts, dict) else {},
    )


async def send_messages(
    connection: Connection, messages: Sequence[Message], *, now: datetime, is_phone_configured: bool
) -> None:
    """Write those that are new, in order, and their deliveries, in the caller's transaction; two statements at most."""
    if not messages:
        return
    written = await connection.fetch(
        WRITE_MESSAGES,
        [message.to.program_id for message in messages],
        [message.to.partner_id for message in messages],
        [message.transaction_id for message in messages],
        [message.facts[0] if message.facts else None for message in messages],
        ["{" + ",".join(map(str, message.facts)) + "}" for message in messages],
        [message.template for message in messages],
        [message.locale for message in messages],
        [message.title for message in messages],
        [message.body for message in messages],
        [message.posted_at for message in messages],
    )
    failpoints.reach("notifier.written")
    zones = {(one.to.program_id, one.to.partner_id): one.to.time_zone for one in messages}
    await connection.execute(
        WRITE_DELIVERIES,
        [row["program_id"] for row in written],
        [row["id"] for row in written],
        [row["partner_id"] for row in written],
        [
            refuse_channel(posted_at=row["created_at"], now=now, is_configured=is_phone_configured)
            for row in written
        ],
        [
            deliver_from(row["template"], now=now, time_zone=zones[row["program_id"], row["partner_id"]])
            for row in written
        ],
        PHONE,
        NO_DEVICE,
    )
