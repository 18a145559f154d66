"""Windows: over which time a metric counts, on a partner's own calendar or in one named zone. Pure.

A window of a series is named by the local date on which it starts; `label` writes it as people do ("2026-W47").
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

LIFETIME_START: Final = date(1, 1, 1)


class Period(StrEnum):
    """How long a window lasts."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    YEARLY = "YEARLY"
    FIXED = "FIXED"
    LIFETIME = "LIFETIME"


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A kind of window in one calendar: `time_zone`, or the partner's own. A FIXED one is `[starts_at, ends_at)`."""

    period: Period
    time_zone: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone of that IANA name. `KeyError` or `ValueError` where there is none."""
    return ZoneInfo(name)


@lru_cache(maxsize=65536)
def start_of(period: Period, day: date) -> date:
    """The first day of the window that `day` falls into."""
    match period:
        case Period.DAILY:
            return day
        case Period.WEEKLY:
            return day - timedelta(days=day.weekday())
        case Period.MONTHLY:
            return day.replace(day=1)
        case Period.QUARTERLY:
            return date(day.year, day.month - (day.month - 1) % 3, 1)
        case Period.YEARLY:
            return date(day.year, 1, 1)
        case Period.LIFETIME:
            return LIFETIME_START
        case Period.FIXED:
            raise ValueError("a fixed window has its own start")


def end_of(period: Period, start: date) -> date:
    """The first day after the window that starts on `start`."""
    match period:
        case Period.DAILY:
            return start + timedelta(days=1)
        case Period.WEEKLY:
            return start + timedelta(days=7)
        case Period.MONTHLY:
            return (start + timedelta(days=31)).replace(day=1)
        case Period.QUARTERLY:
            return (start + timedelta(days=93)).replace(day=1)
        case Period.YEARLY:
            return date(start.year + 1, 1, 1)
        case _:
            raise ValueError(f"{period} has no next window")


def window_start(spec: WindowSpec, *, occurred_at: datetime, local_date: date) -> date | None:
    """The window of `spec` that an activity counts in, by its start; None where it lies outside a FIXED one.

    `local_date` is the activity's date on the partner's own calendar.
    """
    if spec.period is Period.FIXED:
        return fixed_start(spec) if covers(spec, occurred_at) else None
    if spec.time_zone is None:
        return start_of(spec.period, local_date)
    return start_of(spec.period, local_day(occurred_at, spec.time_zone))


def covers(spec: WindowSpec, instant: datetime) -> bool:
    """Whether a FIXED window holds this instant."""
    return (spec.starts_at is None or spec.starts_at <= instant) and (
        spec.ends_at is None or instant < spec.ends_at
    )


def fixed_start(spec: WindowSpec) -> date:
    """The name of a FIXED series' only window."""
    return LIFETIME_START if spec.starts_at is None else spec.starts_at.astimezone(UTC).date()


# An activity's windows in one zone, and those of the points that it brings, ask for the same day.
@lru_cache(maxsize=4096)
def local_day(instant: datetime, time_zone: str) -> date:
    """The calendar day of an instant in a zone."""
    return instant.astimezone(zone(time_zone)).date()


def instant_of(day: date, time_zone: str) -> datetime:
    """The instant at which a local day starts, in UTC."""
    return datetime.combine(day, time.min, tzinfo=zone(time_zone)).astimezone(UTC)


def bounds(period: Period, start: date, time_zone: str) -> tuple[datetime, datetime]:
    """`[start, end)` of a calendar window as instants in UTC."""
    return instant_of(start, time_zone), instant_of(end_of(period, start), time_zone)


def label(period: Period, start: date) -> str:
    """The window's name for people and keys: 2026-11-20, 2026-W47, 2026-11, 2026-Q4, 2026, once, lifetime."""
    match period:
        case Period.DAILY:
            return start.isoformat()
        case Period.WEEKLY:
            year, week, _ = start.isocalendar()
            return f"{year}-W{week:02}"
        case Period.MONTHLY:
            return f"{start.year}-{start.month:02}"
        case Period.QUARTERLY:
            return f"{start.year}-Q{(start.month + 2) // 3}"
        case Period.YEARLY:
            return str(start.year)
        case Period.FIXED:
            return "once"
        case Period.LIFETIME:
            return "lifetime"
