"""When a mission is completed, and when a completion is undone. Pure.

What is under way is the meters themselves; only completions are kept. A completion pays once: `n` rises only after a
revocation, and with it the key of what it pays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from base.numbers import plain
from metrics.rules import MeterKey, Series
from metrics.windows import fixed_start
from partners.rules import Audience, PartnerView

ONCE: Final = "once"


@dataclass(frozen=True, slots=True)
class Objective:
    """A target on the meter of a metric in the mission's window."""

    key: str
    series: Series
    target: Decimal
    window: date = field(init=False)
    """The mission's only window, by its start."""

    target_text: str = field(init=False)
    """The target as facts carry it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", fixed_start(self.series.spec))
        object.__setattr__(self, "target_text", plain(self.target))

    def meter(self, partner_id: int) -> MeterKey:
        """The partner's meter that this objective reads."""
        return self.series.id, self.window, partner_id


@dataclass(frozen=True, slots=True)
class Mission:
    """A published mission. `badges` are those it awards, by id; `points` what it pays."""

    id: int
    key: str
    version: int
    audience: Audience
    objectives: tuple[Objective, ...]
    points: int
    badges: tuple[int, ...]
    published_at: datetime
    ended_at: datetime | None

    def has_ended(self, now: datetime) -> bool:
        """Whether someone ended it: from then on it is settled, and moves no more."""
        return self.ended_at is not None and self.ended_at <= now


@dataclass(slots=True)
class Completion:
    """A partner's completion of a mission: the `n`th, until it is revoked."""

    mission_id: int
    partner_id: int
    n: int
    completed_at: datetime
    revoked_at: datetime | None = None
    changed: bool = False

    @property
    def stands(self) -> bool:
        """Whether it has not been revoked."""
        return self.revoked_at is None

    def reward_key(self) -> str:
        """The key of the transaction that pays it."""
        return reward_key(self.mission_id, self.partner_id, self.n)


def reward_key(mission_id: int, partner_id: int, n: int) -> str:
    """The key of what the `n`th completion pays: one transaction, whoever tries."""
    return f"mission/{mission_id}/{ONCE}/{partner_id}/{n}"


class Verdict(StrEnum):
    """What became of a mission when some of its meters moved."""

    COMPLETED = "COMPLETED"
    REVOKED = "REVOKED"
    MOVED = "MOVED"
    TOO_LATE = "TOO_LATE"


class Advance(NamedTuple):
    """An objective whose meter moved."""

    objective: Objective
    before: Decimal
    current: Decimal


class Progress(NamedTuple):
    """What to make of a mission."""

    verdict: Verdict
    advances: tuple[Advance, ...]


def judge(
    mission: Mission,
    *,
    partner: PartnerView,
    completion: Completion | None,
    before: Mapping[MeterKey, Decimal],
    current: Callable[[MeterKey], Decimal],
    now: datetime,
) -> Progress | None:
    """What becomes of the mission for a partner whose meters went from `before` to `current`; None if nothing does.

    A meter that is not in `before` did not move.
    """
    stands = completion is not None and completion.stands
    if not stands and not mission.audience.admits(partner):
        return None
    advances, done = [], True
    for objective in mission.objectives:
        key = objective.meter(partner.id)
        value = current(key)
        was = before.get(key, value)
        done = done and value >= objective.target
        if was != value:
            advances.append(Advance(objective, was, value))
    if done == stands and (stands or not advances):
        return None
    if mission.has_ended(now):
        return Progress(Verdict.TOO_LATE, ()) if advances else None
    if done and not stands and advances and all(one.current < one.before for one in advances):
        done = False  # what comes back completes nothing, whoever has entered the audience meanwhile
    if done != stands:
        return Progress(Verdict.COMPLETED if done else Verdict.REVOKED, tuple(advances))
    # Beyond the target, before and after, there is nothing that a partner would want to hear of.
    visible = [
        one for one in advances if one.current < one.objective.target or one.before < one.objective.target
    ]
    return Progress(Verdict.MOVED, tuple(visible)) if visible else None
