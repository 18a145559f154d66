"""Sends what is due, at least once: nothing is lost, and only a crash between sending and recording sends twice.

A page is claimed in one short transaction (rows locked with SKIP LOCKED, so that workers share the work; `due_at` moved
beyond the lease, so that a claim outlives its worker by no more than that), sent outside any transaction, and recorded
in another. A result that comes after its lease counts only if it says that the message was sent.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from base import failpoints
from base.clock import Clock
from base.database import transaction
from base.telemetry import counter
from push.channels.protocol import Channel, Gone, Outcome, Parcel, Refused, Retry, Sent
from push.messages import DEVICE_GONE

LEASE: Final = timedelta(minutes=5)
"""Longer than any channel takes for a page."""
ATTEMPTS: Final = 8
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
ATTEMPTED: Final = counter(
    "mitra_deliveries_total",
    "Attempts to deliver a message, by channel and what came of them.",
    channel=(),
    outcome=(),
)
OUTCOMES: Final = {"SENT": "sent", "QUEUED": "retried", "FAILED": "failed"}
NO_ANSWER: Final = "NO_ANSWER: the worker ended before it could say what became of it"

# The next due deliveries of a channel, of all programs; locked rows are another worker's.
# `address` is null where the device was forgotten or belongs to another partner by now: a shared phone must not show
# its new owner the news of the last one.
CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT program_id, id, message_id, device_id FROM delivery
    WHERE state = 'QUEUED' AND due_at <= $2 AND channel = $1
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE delivery y SET attempts = y.attempts + 1, due_at = $4
FROM due
JOIN message m ON m.program_id = due.program_id AND m.id = due.message_id
LEFT JOIN device d ON d.program_id = due.program_id AND d.id = due.device_id AND d.partner_id = m.partner_id
    AND d.forgotten_at IS NULL
WHERE y.program_id = due.program_id AND y.id = due.id
RETURNING y.program_id, y.id, y.device_id, y.attempts, y.message_id, m.template, m.title, m.body, d.token AS address
"""

RECORD: Final = """
UPDATE delivery y SET state = r.state, error = r.error, due_at = coalesce(r.due_at, y.due_at),
    delivered_at = CASE r.state WHEN 'SENT' THEN $7::timestamptz END
FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::timestamptz[])
    AS r (program_id, id, attempts, state, error, due_at)
WHERE y.program_id = r.program_id AND y.id = r.id AND y.state = 'QUEUED'
    AND (y.attempts = r.attempts OR r.state = 'SENT')
"""

# A device that registered again while the parcel was under way is alive after all.
FORGET: Final = """
UPDATE device d SET forgotten_at = $4
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS g (program_id, id, token)
WHERE d.program_id = g.program_id AND d.id = g.id AND d.token = g.token AND d.registered_at < $5
    AND d.forgotten_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours until its lease ends."""

    program_id: int
    id: int
    device_id: int | None
    attempts: int
    message_id: int
    template: str
    title: str
    body: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """What is written of an attempt; `due_at` where there is to be another."""

    state: str
    error: str | None = None
    due_at: datetime | None = None


async def deliver_due(channel: Channel, *, clock: Clock) -> int:
    """Send what is due over `channel`, page by page, until nothing is. Returns how many deliveries were attempted."""
    total = 0
    while claims := await _claim(channel, now=clock.now()):
        started_at = clock.now()
        failpoints.reach("deliveries.claimed")
        outcomes = await _send(channel, claims)
        failpoints.reach("deliveries.sent")
        for record in await _record(claims, outcomes, started_at=started_at, now=clock.now()):
            ATTEMPTED.labels(channel.name, OUTCOMES[record.state]).inc()
        total += len(claims)
    return total


def decide(outcome: Outcome, *, attempts: int, now: datetime, jitter: float) -> Record:
    """What to write after an attempt, the first counting as 1; `jitter` from 0 to 1 spreads the retries."""
    match outcome:
        case Sent():
            return Record("SENT")
        case Retry(error=error) if attempts >= ATTEMPTS:
            return Record("FAILED", error)
        case Retry(error=error, after=after):
            wait = min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT) * (1 + jitter / 2)
            return Record("QUEUED", error, now + max(wait, after or wait))
        case Gone(error=error) | Refused(error=error):
            return Record("FAILED", error)


async def _claim(channel: Channel, *, now: datetime) -> list[Claim]:
    async with transaction() as connection:
        rows = await connection.fetch(CLAIM, channel.name, now, channel.page, now + LEASE)
    return [Claim(**dict(row)) for row in rows]


async def _send(channel: Channel, claims: Sequence[Claim]) -> list[Outcome]:
    """An outcome for each claim. A channel that breaks is a reason to try again, not to lose the page."""
    to_send = [claim for claim in claims if claim.address is not None and claim.attempts <= ATTEMPTS]
    try:
        sent = await channel.send([_parcel(claim) for claim in to_send]) if to_send else []
    except Exception as error:
        logging.getLogger(__name__).exception("channel %s broke", channel.name)
        sent = [Retry(f"BROKEN: {error!r}")] * len(to_send)
    outcomes = {claim.id: outcome for claim, outcome in zip(to_send, sent, strict=True)}
    return [outcomes.get(claim.id) or _not_sent(claim) for claim in claims]


def _parcel(claim: Claim) -> Parcel:
    assert claim.address is not None
    data = {"message": str(claim.message_id), "template": claim.template}
    return Parcel(address=claim.address, title=claim.title, body=claim.body, data=data)


def _not_sent(claim: Claim) -> Outcome:
    return Refused(DEVICE_GONE if claim.address is None else NO_ANSWER)


async def _record(
    claims: Sequence[Claim], outcomes: Sequence[Outcome], *, started_at: datetime, now: datetime
) -> list[Record]:
    records = [
        decide(outcome, attempts=claim.attempts, now=now, jitter=random.random())
        for claim, outcome in zip(claims, outcomes, strict=True)
    ]
    gone = [claim for claim, outcome in zip(claims, outcomes, strict=True) if isinstance(outcome, Gone)]
    async with transaction() as connection:
        await connection.execute(
            RECORD,
            [claim.program_id for claim in claims],
            [claim.id for claim in claims],
            [claim.attempts for claim in claims],
            [record.state for record in records],
            [record.error for record in records],
            [record.due_at for record in records],
            now,
        )
        if gone:
            await connection.execute(
                FORGET,
                [claim.program_id for claim in gone],
                [claim.device_id for claim in gone],
                [claim.address for claim in gone],
                now,
                started_at,
            )
    return records
