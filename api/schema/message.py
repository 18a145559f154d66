"""Message: what a partner was told, in the inbox and on the channels that there are."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.context import Context
from api.ids import global_id
from push.queries import InboxMessage


@strawberry.type(description="What a partner was told.")
class Message:
    id: strawberry.ID
    title: str
    body: str
    locale: str
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, row: InboxMessage, context: Context) -> Message:
        return cls(
            id=strawberry.ID(global_id("Message", context.caller.program.key, row.id)),
            title=row.title,
            body=row.body,
            locale=row.locale,
            created_at=row.created_at,
            read_at=row.read_at,
        )
