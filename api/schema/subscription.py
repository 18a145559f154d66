"""What can be watched, over `graphql-transport-ws`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from datetime import datetime

import strawberry

from api.catalog import Catalog
from api.context import Info
from api.schema.fact import Fact, fact_of, recognize
from api.schema.leaderboard import TOP, LeaderboardChange, standings_of
from api.schema.paging import page_size
from api.schema.sight import boards_seen
from base.errors import Invalid, NotFound
from game.facts import Fact as FactRow
from leaderboards.live import changes
from leaderboards.rules import Grouping
from loyalty.because import chain
from push.live import partner_facts


@strawberry.type(description="What can be watched.")
class Subscription:
    @strawberry.subscription(description="The top of a board: a snapshot first, then each change.")
    async def leaderboard_changed(
        self, info: Info, key: str, first: int | None = TOP, group: str | None = ""
    ) -> AsyncGenerator[LeaderboardChange, None]:
        context = info.context
        view = (await boards_seen(context)).get(key)
        if view is None:
            raise NotFound(f"there is no leaderboard {key}", field=("key",))
        if group and group not in _groups(view.board.group_by, context.catalog):
            raise Invalid("the leaderboard has no such group", code="UNKNOWN_GROUP", field=("group",))
        size = page_size(first, TOP)
        told = changes(program_id=context.program_id, key=key, first=size, group=group or "")
        async with aclosing(told):
            async for change in told:
                if any(one.partner.region not in context.catalog.regions_by_code for one in change.top):
                    await context.renew()
                yield LeaderboardChange(
                    snapshot=change.snapshot,
                    provisional=change.provisional,
                    top=standings_of(change.top, context),
                )

    @strawberry.subscription(description="The caller's own, from now on: points, progress, badges, tier.")
    async def partner_facts(self, info: Info) -> AsyncGenerator[Fact, None]:
        context = info.context
        assert context.caller.partner_id is not None, "only a partner's people may watch this"
        told = partner_facts(context.program_id, context.caller.partner_id)
        async for happened in told:
            fact = happened["fact"]
            row = FactRow(
                transaction_id=happened["transaction_id"],
                place=happened["place"],
                occurred_at=datetime.fromisoformat(happened["occurred_at"]),
                posted_at=datetime.fromisoformat(happened["posted_at"]),
                because=chain(happened["because"], fact["because"]),
                data=fact,
            )
            await recognize([row], context)
            yield fact_of(row, context)


def _groups(grouping: Grouping, catalog: Catalog) -> Collection[str]:
    """What a board may rank in, beside the whole; nobody need stand there yet."""
    match grouping:
        case Grouping.REGION:
            return catalog.regions_by_code.keys()
        case Grouping.TIER:
            return catalog.tiers_by_key.keys()
        case Grouping.NONE:
            return ()
