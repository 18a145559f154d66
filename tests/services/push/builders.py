"""Rows that the push room reads, written without the pipeline that writes them in earnest."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from base.clock import SetClock
from base.database import reading, transaction
from base.outbox import OutboxRow
from push.notifier import Notifier

NOW: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

PROGRAM: Final = """
INSERT INTO program (key, name, currency, time_zone, locale, activity_kinds, settings, created_at)
VALUES ($1, 'Test', 'IDR', 'Asia/Jakarta', $2, '["SALE"]', $3, $4) RETURNING id
"""
REGION: Final = "INSERT INTO region (program_id, code, name) VALUES ($1, 'root', 'Root') RETURNING id"
PARTNER: Final = """
INSERT INTO partner (program_id, code, name, kind, region_id, locale, created_at)
VALUES ($1, $2, $2, 'RETAILER', $3, $4, $5) RETURNING id
"""
TRANSACTION: Final = """
INSERT INTO ledger_transaction (program_id, id, partner_id, key, occurred_at, posted_at, because, facts)
VALUES ($1, nextval('hot_id'), $2, $3, $4, $4, $5, $6) RETURNING id
"""
MISSION: Final = """
INSERT INTO mission (program_id, key, title, starts_at, created_at) VALUES ($1, $2, $3, $4, $4)
"""
DELIVERIES: Final = """
SELECT y.state, y.attempts, y.error, y.due_at, y.delivered_at, y.device_id, y.channel, m.title
FROM delivery y JOIN message m ON m.program_id = y.program_id AND m.id = y.message_id
WHERE y.program_id = $1 ORDER BY y.id
"""

COMPLETED: Final = {"type": "MissionCompleted", "because": 0, "mission": "double", "window": "once"}


@dataclass(frozen=True, slots=True)
class Scene:
    """A program of its own, with one region."""

    program_id: int
    region_id: int

    async def add_partner(self, *, locale: str | None = None) -> int:
        """A shop; answers its id."""
        async with transaction() as connection:
            code = f"P-{uuid.uuid4().hex[:8]}"
            found: int = await connection.fetchval(
                PARTNER, self.program_id, code, self.region_id, locale, NOW
            )
            return found

    async def add_mission(self, key: str, title: str) -> None:
        """A mission with nothing in it but its name."""
        async with transaction() as connection:
            await connection.execute(MISSION, self.program_id, key, title, NOW)

    async def post(
        self,
        partner_id: int,
        *facts: Mapping[str, Any],
        steps: Sequence[Mapping[str, Any]] = ({"step": "activity", "on": None},),
        posted_at: datetime = NOW,
    ) -> int:
        """A ledger transaction with these facts; answers its id."""
        async with transaction() as connection:
            found: int = await connection.fetchval(
                TRANSACTION,
                self.program_id,
                partner_id,
                uuid.uuid4().hex,
                posted_at,
                json.dumps(list(steps)),
                json.dumps(list(facts)),
            )
            return found

    def outbox(self, *transaction_ids: int) -> OutboxRow:
        """The outbox row that such transactions leave."""
        return OutboxRow(self.program_id, (), transaction_ids)

    async def notify(
        self, *transaction_ids: int, now: datetime = NOW, is_phone_configured: bool = True
    ) -> None:
        """Consume one outbox row."""
        notifier = Notifier(SetClock(now), is_phone_configured)
        async with transaction() as connection:
            await notifier.notify(connection, [self.outbox(*transaction_ids)])

    async def deliveries(self) -> list[dict[str, Any]]:
        """All deliveries of the program, in the order in which they were written."""
        async with reading() as connection:
            return [dict(row) for row in await connection.fetch(DELIVERIES, self.program_id)]


async def make_scene(*, locale: str = "en", settings: Mapping[str, Any] | None = None) -> Scene:
    """A new program."""
    async with transaction() as connection:
        key = f"push-{uuid.uuid4().hex}"
        program_id = await connection.fetchval(PROGRAM, key, locale, json.dumps(settings or {}), NOW)
        return Scene(program_id, await connection.fetchval(REGION, program_id))
