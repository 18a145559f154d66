"""Reads of the inbox and of what became of its deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from base.database import Connection

# Of each partner the newest messages below an id, at most $4 of each.
INBOXES: Final = """
SELECT k.place, m.* FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS k (partner_id, below, place)
CROSS JOIN LATERAL (
    SELECT id, transaction_id, facts, template, locale, title, body, created_at, read_at
    FROM message WHERE program_id = $1 AND partner_id = k.partner_id AND id < k.below
    ORDER BY id DESC LIMIT $4
) AS m
ORDER BY k.place, m.id DESC
"""
UNREAD: Final = "SELECT count(*) FROM message WHERE program_id = $1 AND partner_id = $2 AND read_at IS NULL"
DELIVERIES: Final = """
SELECT message_id, channel, device_id, state, attempts, error, due_at, delivered_at
FROM delivery WHERE program_id = $1 AND message_id = ANY($2::bigint[])
ORDER BY message_id, id
"""
NEWEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message as its partner reads it. `facts` are the places of those that it tells, in their transaction."""

    id: int
    transaction_id: int | None
    facts: tuple[int, ...]
    template: str
    locale: str
    title: str
    body: str
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One way that a message went, or could not go.

    `state` is QUEUED, SENT, NO_CHANNEL or FAILED; `due_at` says when the next attempt is due while it is QUEUED.
    """

    message_id: int
    channel: str
    device_id: int | None
    state: str
    attempts: int
    error: str | None
    due_at: datetime
    delivered_at: datetime | None


async def load_inbox(
    connection: Connection, *, program_id: int, partner_id: int, before: int | None = None, limit: int
) -> list[InboxMessage]:
    """The partner's messages, newest first; `before` is the id of the last one of the page before."""
    pages = await load_inboxes(connection, program_id=program_id, pages=[(partner_id, before)], limit=limit)
    return pages[0]


async def load_inboxes(
    connection: Connection, *, program_id: int, pages: Sequence[tuple[int, int | None]], limit: int
) -> list[list[InboxMessage]]:
    """For each page, (partner id, below which message), at most `limit` of its messages, newest first."""
    partner_ids = [partner_id for partner_id, _ in pages]
    below = [NEWEST if before is None else before for _, before in pages]
    found: list[list[InboxMessage]] = [[] for _ in pages]
    for row in await connection.fetch(INBOXES, program_id, partner_ids, below, limit):
        place, id_, transaction_id, facts, *columns = row
        found[place - 1].append(InboxMessage(id_, transaction_id, tuple(facts), *columns))
    return found


async def count_unread(connection: Connection, *, program_id: int, partner_id: int) -> int:
    """How many of the partner's messages nobody has read."""
    unread: int = await connection.fetchval(UNREAD, program_id, partner_id)
    return unread


async def load_deliveries(
    connection: Connection, *, program_id: int, message_ids: Sequence[int]
) -> dict[int, list[DeliveryView]]:
    """What became of these messages, by message; one that has no delivery is missing."""
    found: dict[int, list[DeliveryView]] = {}
    for row in await connection.fetch(DELIVERIES, program_id, message_ids):
        found.setdefault(row["message_id"], []).append(DeliveryView(**dict(row)))
    return found
