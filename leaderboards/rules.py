"""Scores, ranks, and when a season is in which state. Pure.

A score is ranked as a whole number: the meter's value times `SCALES` of its measure, rounded towards zero. Counts and
points are whole already; quantities and amounts are ranked to the thousandth, which every currency's minor unit fits
in. What would pass 2^53 − 1, the last whole number that a sorted set holds exactly, ranks as 2^53 − 1: whoever is up
there shares the first rank, ordered by who got there first. A value of 0 or less stands on no board.

Equal scores share a rank (1, 2, 2, 4); the position is the total order: score, then who got there first, then the
partner's number.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Final

from metrics.rules import Measure
from metrics.windows import Period, WindowSpec, bounds, end_of, fixed_start, label, local_day, start_of
from partners.rules import Audience

LARGEST: Final = 2**53 - 1
DECIMALS: Final = 3
SCALES: Final = dict.fromkeys(Measure, 1) | {
    Measure.QUANTITY: 10**DECIMALS,
    Measure.AMOUNT: 10**DECIMALS,
}

GRACE: Final = timedelta(hours=24)
"""How long after its end a season still takes what is reported late."""


class Grouping(StrEnum):
    """By what a board also ranks, beside the whole."""

    NONE = "NONE"
    REGION = "REGION"
    TIER = "TIER"


class SeasonState(StrEnum):
    """Where a season stands in its life."""

    SCHEDULED = "SCHEDULED"
    LIVE = "LIVE"
    GRACE = "GRACE"
    FINALIZING = "FINALIZING"
    CLOSED = "CLOSED"


OPEN: Final = (SeasonState.LIVE, SeasonState.GRACE)
"""The states in which standings move."""


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A leaderboard's settings; `filled` where the meters of its series hold all activities."""

    id: int
    program_id: int
    key: str
    name: str
    metric: str
    measure: Measure
    series_id: int
    period: Period
    time_zone: str
    starts_at: datetime | None
    ends_at: datetime | None
    audience: Audience
    group_by: Grouping
    filled: bool

    @property
    def scale(self) -> int:
        """What a value is multiplied with to be ranked."""
        return SCALES[self.measure]

    @property
    def spec(self) -> WindowSpec:
        """The windows of its series."""
        if self.period is Period.FIXED:
            return WindowSpec(self.period, None, self.starts_at, self.ends_at)
        return WindowSpec(self.period, self.time_zone)


@dataclass(frozen=True, slots=True)
class SeasonRow:
    """A season as it is stored. `generation` is 0 while no projection is built."""

    id: int
    program_id: int
    leaderboard_id: int
    key: str
    window_start: date
    starts_at: datetime
    ends_at: datetime | None
    state: SeasonState
    generation: int
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a ranking, in its order."""

    partner_id: int
    score: Decimal
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class Slice:
    """Neighbouring rows of one group: `start` counts from 0; `first_rank` is the rank of the first of them."""

    size: int
    start: int
    first_rank: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A partner's place in one group."""

    partner_id: int
    group: str
    rank: int
    position: int
    score: Decimal
    reached_at: datetime
    percentile: float


def scaled(value: Decimal, scale: int) -> int:
    """The whole number by which a value is ranked; 0 where it stands on no board."""
    return max(0, min(LARGEST, int((value * scale).to_integral_value(ROUND_DOWN))))


def unscaled(points: int, scale: int) -> Decimal:
    """The score that people see of a ranked whole number, without trailing zeros."""
    return plain(Decimal(points) / scale)


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    return Decimal(format(value.normalize(), "f"))


def percentile(rank: int, size: int) -> float:
    """The share of the group, 0–100, whose score is at or below that of this rank."""
    return 100 * (size - rank + 1) / size


def places(part: Slice, group: str) -> list[Place]:
    """The places of a slice's rows."""
    result: list[Place] = []
    for offset, entry in enumerate(part.entries):
        position = part.start + offset + 1
        if not result:
            rank = part.first_rank
        elif entry.score == result[-1].score:
            rank = result[-1].rank
        else:
            rank = position
        share = percentile(rank, part.size)
        result.append(Place(entry.partner_id, group, rank, position, entry.score, entry.reached_at, share))
    return result


@dataclass(frozen=True, slots=True)
class SeasonWindow:
    """A season that is to exist: `[starts_at, ends_at)`, without an end where it has none."""

    key: str
    window_start: date
    starts_at: datetime
    ends_at: datetime | None


def due_windows(board: BoardRow, *, first: date | None, now: datetime) -> list[SeasonWindow]:
    """The seasons that are due: back to `first`, the first window that anything was counted in, but not before the
    board's start; up to the present one, but not past the board's end. Never none: a board always has a season.

    A board that starts or ends within a calendar window ranks that whole window.
    """
    if board.period is Period.FIXED:
        assert board.starts_at is not None, "a fixed board has a start"
        name = label(board.period, fixed_start(board.spec))
        return [SeasonWindow(name, fixed_start(board.spec), board.starts_at, board.ends_at)]
    present = _window(board, now)
    begin = present if first is None else min(first, present)
    last = present
    if board.starts_at is not None:
        earliest = _window(board, board.starts_at)
        begin, last = max(begin, earliest), max(last, earliest)
    if board.ends_at is not None:
        last = min(last, _window(board, board.ends_at - timedelta(microseconds=1)))
    found = []
    start = min(begin, last)
    while start <= last:
        found.append(
            SeasonWindow(label(board.period, start), start, *bounds(board.period, start, board.time_zone))
        )
        start = end_of(board.period, start)
    return found


def _window(board: BoardRow, instant: datetime) -> date:
    return start_of(board.period, local_day(instant, board.time_zone))


def due_state(season: SeasonRow, *, filled: bool, now: datetime) -> SeasonState:
    """The state that a season has come to by `now`, however many ticks were missed, up to FINALIZING.

    It only goes forwards, and is not finalized while its meters are still being filled.
    """
    order = list(SeasonState)
    if season.starts_at > now:
        due = SeasonState.SCHEDULED
    elif season.ends_at is None or season.ends_at > now:
        due = SeasonState.LIVE
    elif season.ends_at + GRACE > now or not filled:
        due = SeasonState.GRACE
    else:
        due = SeasonState.FINALIZING
    return max(season.state, due, key=order.index)
