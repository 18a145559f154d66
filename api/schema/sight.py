"""Who sees which missions and leaderboards: drafts are for those who design them; a partner sees what is for it."""

from __future__ import annotations

from collections.abc import Callable

from api.access import PROGRAM
from api.context import Context
from api.roles import Role
from api.schema.progress import view_of
from game.missions.queries import MissionRow
from game.missions.states import MissionState, state_of
from leaderboards.queries import BoardView
from partners.rules import Audience


async def admitted(context: Context) -> Callable[[Audience], bool]:
    """Whether what is for an audience is for the caller to see."""
    code = context.caller.partner_code
    if context.caller.role is not Role.PARTNER or code is None:
        return lambda audience: True
    partner = await context.loaders.partners.load(code)
    if partner is None:
        return lambda audience: False
    view = await view_of(partner, context)
    return lambda audience: audience.admits(view)


async def missions_seen(context: Context) -> list[MissionRow]:
    """The missions that the caller may see, newest first."""
    admits = await admitted(context)
    now = context.now()
    return [
        row
        for row in context.catalog.newest_missions
        if (context.caller.role in PROGRAM or state_of(row, now) is not MissionState.DRAFT)
        and admits(row.audience)
    ]


async def boards_seen(context: Context) -> dict[str, BoardView]:
    """The leaderboards that the caller may see, by key."""
    admits = await admitted(context)
    boards = await context.loaders.boards()
    return {key: view for key, view in boards.items() if admits(view.board.audience)}
