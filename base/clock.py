"""The clock that everything is given, so that a history load, a test and a development program can set the time.

Instants are UTC and carry their zone. Pure rules never see a clock: they are passed `now`.
"""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; the only place where it may come from."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        ...


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is set, and is set only forwards: what was booked stays in the past."""

    def __init__(self, start: datetime) -> None:
        self._now = _in_utc(start)

    def now(self) -> datetime:
        return self._now

    def set(self, instant: datetime) -> None:
        """Move to `instant`; ValueError where that lies before the present."""
        instant = _in_utc(instant)
        if instant < self._now:
            raise ValueError(
                f"the clock runs only forwards: {instant.isoformat()} is before {self._now.isoformat()}"
            )
        self._now = instant

    def advance_to(self, instant: datetime) -> None:
        """Move to `instant`, or stay where that lies in the past: late activities do not turn the clock back."""
        self._now = max(self._now, _in_utc(instant))


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    return instant.astimezone(UTC)
