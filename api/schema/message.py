"""Message: what a partner was told, in the inbox and on the channels that there are."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.context import Context, Info
from api.ids import global_id
from api.schema.fact import Fact, fact_of, recognize
from push.queries import InboxMessage


@strawberry.type(description="What a partner was told.")
class Message:
    row: strawberry.Private[InboxMessage]
    id: strawberry.ID
    title: str
    body: str
    locale: str
    created_at: datetime
    read_at: datetime | None

    @strawberry.field(
        description="What it tells, each with its reasons; none where it tells of what is to come."
    )
    async def facts(self, info: Info) -> list[Fact]:
        context, row = info.context, self.row
        if row.transaction_id is None:
            return []
        posted = await context.loaders.facts.load(row.transaction_id)
        told = [fact for fact in posted if fact.place in row.facts]
        await recognize(told, context)
        return [fact_of(fact, context) for fact in told]

    @classmethod
    def of(cls, row: InboxMessage, context: Context) -> Message:
        return cls(
            row=row,
            id=strawberry.ID(global_id("Message", context.caller.program.key, row.id)),
            title=row.title,
            body=row.body,
            locale=row.locale,
            created_at=row.created_at,
            read_at=row.read_at,
        )
