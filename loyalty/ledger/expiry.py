"""When points mature and when they expire: policies as data, and the days that they come to. Pure.

All days are the partner's own. Points are locked through whole local days and good to the end of a local day, however
long that day is; so a month on from 31 January is the last day of February.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import orjson

from base.errors import Invalid
from loyalty.because import Because
from metrics.windows import Period, end_of, instant_of, local_day, start_of

MOST_DAYS: Final = 36_500
MOST_MONTHS: Final = 1_200
LATEST: Final = date(8999, 12, 31)
"""There is a day after it in every zone."""
LAST_ZONE: Final = timedelta(hours=12)
"""How far the clocks of the last place on Earth are behind: only then is a day over everywhere."""


class ExpiryKind(StrEnum):
    """How it is found when points expire."""

    NONE = "NONE"
    AFTER = "AFTER"
    PERIOD_END = "PERIOD_END"
    ON = "ON"
    SLIDING = "SLIDING"


@dataclass(frozen=True, slots=True)
class Expiry:
    """A policy. Counted from the local day on which the points mature:

    - NONE: they never expire;
    - AFTER: so many `days`, or `months`;
    - PERIOD_END: with the end of the `period` (month, quarter, year) that is `months` on;
    - ON: with the day `on`, or with the day on which they mature where that is later;
    - SLIDING: with so many `days`, or `months`, in which nothing was earned.
    """

    kind: ExpiryKind = ExpiryKind.NONE
    days: int | None = None
    months: int | None = None
    period: Period | None = None
    on: date | None = None

    def __post_init__(self) -> None:
        has_days, has_months = self.days is not None, self.months is not None
        match self.kind:
            case ExpiryKind.NONE:
                fits = not (has_days or has_months or self.period or self.on)
            case ExpiryKind.ON:
                fits = (
                    self.on is not None and self.on <= LATEST and not (has_days or has_months or self.period)
                )
            case ExpiryKind.PERIOD_END:
                fits = self.period in (Period.MONTHLY, Period.QUARTERLY, Period.YEARLY) and has_months
                fits = fits and not (has_days or self.on)
            case ExpiryKind.AFTER | ExpiryKind.SLIDING:
                fits = has_days != has_months and not (self.period or self.on)
        if self.kind in (ExpiryKind.AFTER, ExpiryKind.SLIDING):
            fits = fits and (self.days or self.months or 0) > 0
        fits = fits and 0 <= (self.days or 0) <= MOST_DAYS and 0 <= (self.months or 0) <= MOST_MONTHS
        if not fits:
            raise ValueError(f"that is no policy: {self!r}")

    @classmethod
    def after(cls, *, days: int | None = None, months: int | None = None) -> "Expiry":
        """So long after they mature."""
        return cls(ExpiryKind.AFTER, days=days, months=months)

    @classmethod
    def at_end_of(cls, period: Period, *, months: int = 0) -> "Expiry":
        """With the end of the period that is so many months on."""
        return cls(ExpiryKind.PERIOD_END, months=months, period=period)

    @classmethod
    def with_day(cls, on: date) -> "Expiry":
        """With a day of the calendar."""
        return cls(ExpiryKind.ON, on=on)

    @classmethod
    def sliding(cls, *, days: int | None = None, months: int | None = None) -> "Expiry":
        """After so long without earning."""
        return cls(ExpiryKind.SLIDING, days=days, months=months)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "Expiry":
        """The policy that `to_json` wrote; NEVER of nothing. `ValueError` where it is none."""
        if not data:
            return NEVER
        return cls(
            kind=ExpiryKind(data["kind"]),
            days=data.get("days"),
            months=data.get("months"),
            period=Period(data["period"]) if data.get("period") else None,
            on=date.fromisoformat(data["on"]) if data.get("on") else None,
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        carried = {
            "days": self.days,
            "months": self.months,
            "period": self.period and self.period.value,
            "on": self.on and self.on.isoformat(),
        }
        return {"kind": self.kind.value} | {
            name: value for name, value in carried.items() if value is not None
        }

    @classmethod
    def from_text(cls, text: str | None) -> "Expiry":
        """The policy of what `as_text` wrote."""
        return _read(text)

    def as_text(self) -> str | None:
        """What `to_json` says, as text; None of a policy by which nothing expires."""
        return _write(self)

    @property
    def is_sliding(self) -> bool:
        """Whether earning puts it off."""
        return self.kind is ExpiryKind.SLIDING

    @property
    def term(self) -> str:
        """How long a SLIDING one waits, as a wallet keeps it: 90d, 12m."""
        assert self.is_sliding
        return f"{self.days}d" if self.days is not None else f"{self.months}m"


NEVER: Final = Expiry()


# There are as many policies as somebody has thought of, and a lot for every sale.
@lru_cache(maxsize=1024)
def _read(text: str | None) -> Expiry:
    return Expiry.from_json(None if text is None else orjson.loads(text))


@lru_cache(maxsize=1024)
def _write(expiry: Expiry) -> str | None:
    return None if expiry.kind is ExpiryKind.NONE else orjson.dumps(expiry.to_json()).decode()


def matures_at(*, occurred_at: datetime, posted_at: datetime, lock_days: int, time_zone: str) -> datetime:
    """When points become available: at the start of the local day `lock_days` on, and never before they are posted."""
    if not lock_days:
        return posted_at
    day = local_day(occurred_at, time_zone) + timedelta(days=lock_days)
    return max(posted_at, instant_of(day, time_zone))


# What is posted together asks for the same few days again and again.
@lru_cache(maxsize=4096)
def expires_at(expiry: Expiry, *, matures_at: datetime, time_zone: str) -> datetime | None:
    """The first moment after the last local day of points that mature then. None where no day is fixed."""
    if expiry.kind is ExpiryKind.NONE or expiry.is_sliding:
        return None
    return instant_of(_day_after(expiry, local_day(matures_at, time_zone)), time_zone)


@lru_cache(maxsize=4096)
def idle_until(term: str, *, start: datetime, time_zone: str) -> datetime:
    """The first moment after the last local day of sliding points, where nothing is earned after `start`."""
    length = int(term[:-1])
    expiry = Expiry.after(days=length) if term.endswith("d") else Expiry.after(months=length)
    return instant_of(_day_after(expiry, local_day(start, time_zone)), time_zone)


def _day_after(expiry: Expiry, day: date) -> date:
    """The first local day on which points that mature on `day` are gone."""
    match expiry.kind:
        case ExpiryKind.AFTER:
            last = (
                day + timedelta(days=expiry.days)
                if expiry.days is not None
                else _months_on(day, expiry.months)
            )
        case ExpiryKind.PERIOD_END:
            assert expiry.period is not None
            return end_of(expiry.period, start_of(expiry.period, _months_on(day, expiry.months)))
        case _:
            assert expiry.on is not None
            last = max(expiry.on, day)
    return last + timedelta(days=1)


def _months_on(day: date, months: int | None) -> date:
    """The same day so many months on, or the last of that month where it has no such day."""
    month = day.month - 1 + (months or 0)
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


@lru_cache(maxsize=4096)
def last_day(moment: datetime, time_zone: str) -> date:
    """The local day that ends with this moment."""
    return local_day(moment - timedelta(microseconds=1), time_zone)


def explain_lot(
    because: Because,
    *,
    on: int,
    matures_at: datetime,
    posted_at: datetime,
    expiry: Expiry,
    time_zone: str,
) -> int:
    """The step that tells when points mature and expire, to stand before `grant`; `on` itself where they do neither."""
    locked = matures_at > posted_at
    if not locked and expiry.kind is ExpiryKind.NONE:
        return on
    end = expires_at(expiry, matures_at=matures_at, time_zone=time_zone)
    if expiry.is_sliding:
        end = idle_until(expiry.term, start=matures_at, time_zone=time_zone)
    return because.add(
        "lot",
        on=on,
        maturesOn=local_day(matures_at, time_zone).isoformat() if locked else None,
        expiresOn=None if end is None else last_day(end, time_zone).isoformat(),
        sliding=expiry.is_sliding,
    )


def check_last_day(expiry: Expiry | None, *, now: datetime, field: Sequence[str]) -> None:
    """A day on which points expire must not be over for everybody. INVALID_EXPIRY."""
    if expiry is not None and expiry.on is not None and expiry.on < (now.astimezone(UTC) - LAST_ZONE).date():
        raise Invalid("that day is over", code="INVALID_EXPIRY", field=[*field, "on"])
