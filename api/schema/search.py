"""Things by their global ids. What a caller may not see answers like what does not exist."""

from __future__ import annotations

from typing import Any

from api.context import Context
from api.schema.leaderboard import Leaderboard
from api.schema.mission import Mission
from api.schema.node import Node
from api.schema.partner import Partner
from api.schema.sight import boards_seen, missions_seen
from api.schema.wallet import LedgerEntry
from base.database import reading
from loyalty.ledger.queries import load_entries
from partners.listing import load_partners


async def find_node(context: Context, type_name: str, parts: list[Any]) -> Node | None:
    """The thing of this type and these parts of its id."""
    match type_name, parts:
        case "Partner", [str(code)]:
            row = await context.loaders.partners.load(code)
            return None if row is None else Partner.of(row, context)
        case "Mission", [str(key)]:
            rows = await missions_seen(context)
            return next((Mission.of(row, context) for row in rows if row.key == key), None)
        case "Leaderboard", [str(key)]:
            view = (await boards_seen(context)).get(key)
            return None if view is None else Leaderboard.of(view, context)
        case "LedgerEntry", [int(transaction_id), int(number)]:
            return await _entry(context, transaction_id, number)
    return None


async def _entry(context: Context, transaction_id: int, number: int) -> LedgerEntry | None:
    async with reading() as connection:
        found = await load_entries(
            connection, program_id=context.program_id, transaction_ids=[transaction_id]
        )
        rows = found[transaction_id]
        seen = await load_partners(connection, scope=context.scope, ids=[row.partner_id for row in rows])
    return next(
        (LedgerEntry.of(row, context) for row in rows if row.number == number and row.partner_id in seen),
        None,
    )
