"""Mission progress: how far a partner is in a mission."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import strawberry

from api.context import Context
from api.ids import global_id
from api.schema.mission import Mission, Objective
from api.schema.tier import tier_key_of
from game.missions.queries import CompletionRow, MissionRow, Progress
from game.missions.states import MissionState, state_of
from partners.listing import PartnerRow
from partners.rules import PartnerView

ONCE: Final = "once"
ZERO: Final = Decimal(0)


@strawberry.enum(description="How far a partner is in a mission.")
class ProgressState(StrEnum):
    AVAILABLE = "AVAILABLE"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@strawberry.type(description="How far a partner is with an objective.")
class ObjectiveProgress:
    objective: Objective
    current: Decimal
    target: Decimal
    done: bool


@strawberry.type(description="How far a partner is in a mission.")
class MissionProgress:
    id: strawberry.ID
    mission: Mission
    state: ProgressState
    window: str = strawberry.field(description='Which occurrence: "once", "2026-W47", "2026-11".')
    completed_at: datetime | None
    objectives: list[ObjectiveProgress]


async def view_of(partner: PartnerRow, context: Context) -> PartnerView:
    """The partner as an audience sees it."""
    return context.catalog.view_of(partner, tier=await tier_key_of(partner, context))


async def progress_of(
    partner: PartnerRow, context: Context, wanted: Sequence[ProgressState] | None
) -> list[MissionProgress]:
    """The partner's missions, newest first: those for it that were published, and those that it completed."""
    view = await view_of(partner, context)
    now = context.now()
    states = _mission_states(wanted)
    progress = await context.loaders.progress.load((partner.id, states))
    found = []
    for row in context.catalog.newest_missions:
        state, completion = state_of(row, now), progress.completions.get(row.id)
        if state in states and (completion is not None or row.audience.admits(view)):
            reached = _reached(state, completion)
            if not wanted or reached in wanted:
                found.append(_progress(partner, context, row, progress, reached, completion))
    return found


def _mission_states(wanted: Sequence[ProgressState] | None) -> frozenset[MissionState]:
    """The states of the missions that can be in one of the wanted states for someone."""
    if not wanted or {ProgressState.COMPLETED, ProgressState.REVOKED} & set(wanted):
        return frozenset({MissionState.SCHEDULED, MissionState.LIVE, MissionState.PAUSED, MissionState.ENDED})
    by_progress = {
        ProgressState.AVAILABLE: {MissionState.SCHEDULED},
        ProgressState.ACTIVE: {MissionState.LIVE, MissionState.PAUSED},
        ProgressState.EXPIRED: {MissionState.ENDED},
    }
    return frozenset().union(*(by_progress[state] for state in wanted))


def _reached(state: MissionState, completion: CompletionRow | None) -> ProgressState:
    if completion is not None:
        return ProgressState.COMPLETED if completion.revoked_at is None else ProgressState.REVOKED
    match state:
        case MissionState.SCHEDULED:
            return ProgressState.AVAILABLE
        case MissionState.ENDED:
            return ProgressState.EXPIRED
        case _:
            return ProgressState.ACTIVE


def _progress(
    partner: PartnerRow,
    context: Context,
    row: MissionRow,
    progress: Progress,
    state: ProgressState,
    completion: CompletionRow | None,
) -> MissionProgress:
    objectives = []
    for one in row.objectives:
        current = progress.meters.get(one.series_id, ZERO)
        objectives.append(
            ObjectiveProgress(
                objective=Objective.of(one), current=current, target=one.target, done=current >= one.target
            )
        )
    standing = completion is not None and completion.revoked_at is None
    return MissionProgress(
        id=strawberry.ID(
            global_id("MissionProgress", context.caller.program.key, row.key, ONCE, partner.code)
        ),
        mission=Mission.of(row, context),
        state=state,
        window=ONCE,
        completed_at=completion.completed_at if completion and standing else None,
        objectives=objectives,
    )
