"""The state of a mission at a moment. It is derived from its dates and from what was done with it. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol


class MissionState(StrEnum):
    """Draft → scheduled → live ⇄ paused → ended."""

    DRAFT = "DRAFT"
    SCHEDULED = "SCHEDULED"
    LIVE = "LIVE"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class MissionDates(Protocol):
    """What decides the state: the mission runs over `[starts_at, ends_at)`, once it is published, until it is ended."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def published_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...


def state_of(mission: MissionDates, now: datetime) -> MissionState:
    """The mission's state at `now`. A draft stays one, even when its dates have passed."""
    if mission.published_at is None:
        return MissionState.DRAFT
    if mission.ended_at is not None or (mission.ends_at is not None and mission.ends_at <= now):
        return MissionState.ENDED
    return MissionState.SCHEDULED if now < mission.starts_at else MissionState.LIVE
