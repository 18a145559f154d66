"""Over which time a tier is earned: windows of the calendar, rolling months, or years from the day of joining. Pure.

A window is named by its first day. Its value is one meter, or the sum of smaller ones: months of a rolling window, days
of a year from the day of joining. All days are those of the partner's own calendar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from activity.rules import ZERO
from metrics.windows import Period, end_of, instant_of, local_day, start_of

Values: TypeAlias = Mapping[date, Decimal]
"""What the meters of a ladder stand at, by the first day of each one's window."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A partner's own: its zone, and the local day on which it joined."""

    time_zone: str
    joined_on: date

    @classmethod
    def of(cls, time_zone: str, created_at: datetime, joined_on: date | None = None) -> "Calendar":
        """The calendar of a partner: it joined on that day, else on that of the instant at which it was created."""
        return cls(time_zone, joined_on or local_day(created_at, time_zone))


@dataclass(frozen=True, slots=True)
class Qualification:
    """The windows of a ladder.

    Of the calendar: `period`. With `rolling_months`, so many months up to and with the present one, and a new window
    each month. With `from_joining`, the years that begin on the anniversaries of the day of joining; those of 29
    February on the last of February.
    """

    period: Period
    rolling_months: int | None = None
    from_joining: bool = False

    @property
    def meters(self) -> Period:
        """The windows of the meters that it adds up."""
        return Period.DAILY if self.from_joining else self.period

    @property
    def is_summed(self) -> bool:
        """Whether a window is the sum of several meters."""
        return self.from_joining or self.rolling_months is not None

    def start(self, day: date, calendar: Calendar) -> date:
        """The window that is the present one on that day; of the rolling ones, the one that ends with its month."""
        if self.from_joining:
            start = anniversary(calendar.joined_on, day.year)
            return start if start <= day else anniversary(calendar.joined_on, day.year - 1)
        if self.rolling_months is not None:
            return add_months(day.replace(day=1), 1 - self.rolling_months)
        return start_of(self.period, day)

    def end(self, start: date, calendar: Calendar) -> date:
        """The first day after a window."""
        if self.from_joining:
            return nearest_anniversary(calendar.joined_on, anniversary(start, start.year + 1))
        if self.rolling_months is not None:
            return add_months(start, self.rolling_months)
        return end_of(self.period, start)

    def following(self, start: date, calendar: Calendar) -> date:
        """The next window."""
        return self.end(start, calendar) if self.rolling_months is None else add_months(start, 1)

    def value(self, start: date, values: Values, calendar: Calendar) -> Decimal:
        """What was counted in a window."""
        if not self.is_summed:
            return values.get(start, ZERO)
        end = self.end(start, calendar)
        return sum((value for day, value in values.items() if start <= day < end), ZERO)

    def totals(self, values: Values, calendar: Calendar) -> dict[date, Decimal]:
        """What was counted in each window that was the present one when anything was."""
        if not self.is_summed:
            return dict(values)
        totals: dict[date, Decimal] = {}
        days = sorted(values)
        total, oldest = ZERO, 0
        for day in days:
            start = self.start(day, calendar)
            total += values[day]
            while days[oldest] < start:
                total -= values[days[oldest]]
                oldest += 1
            totals[start] = total
        return totals

    def closes_at(self, start: date, calendar: Calendar, *, grace_days: int) -> datetime:
        """The instant at which a window is reviewed: when its last day, and the days of grace, are over."""
        return instant_of(self.end(start, calendar) + timedelta(days=grace_days), calendar.time_zone)

    def oldest_open(self, now: datetime, calendar: Calendar, *, grace_days: int) -> date:
        """The first window that is not over yet, with its days of grace."""
        return self.start(local_day(now, calendar.time_zone) - timedelta(days=grace_days), calendar)


def anniversary(joined_on: date, year: int) -> date:
    """The day of joining in a year; 29 February is the last of February."""
    try:
        return joined_on.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def nearest_anniversary(joined_on: date, day: date) -> date:
    """The anniversary nearest a day. A zone that is corrected moves the day of joining, even over New Year."""
    years = (day.year - 1, day.year, day.year + 1)
    return min((anniversary(joined_on, year) for year in years), key=lambda one: abs(one - day))


def add_months(first: date, months: int) -> date:
    """The first of the month so many months later, or earlier."""
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)
