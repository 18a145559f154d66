"""When points mature and expire: by local days, whole ones, on every calendar."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.because import Because
from loyalty.ledger.expiry import (
    NEVER,
    Expiry,
    ExpiryKind,
    expires_at,
    explain_lot,
    idle_until,
    last_day,
    matures_at,
)
from metrics.windows import Period, instant_of, local_day

ZONES = ("Etc/GMT+12", "America/New_York", "America/Santiago", "UTC", "Asia/Jakarta", "Pacific/Kiritimati")

POLICIES = [
    NEVER,
    Expiry.after(days=90),
    Expiry.after(months=12),
    Expiry.at_end_of(Period.MONTHLY),
    Expiry.at_end_of(Period.QUARTERLY, months=3),
    Expiry.at_end_of(Period.YEARLY, months=12),
    Expiry.with_day(date(2027, 6, 30)),
    Expiry.sliding(days=90),
    Expiry.sliding(months=12),
]


def last_day_of(expiry: Expiry, day: date, zone: str = "UTC") -> date | None:
    """The last local day of points that mature in the midst of `day`."""
    found = expires_at(expiry, matures_at=instant_of(day, zone) + timedelta(hours=9), time_zone=zone)
    return None if found is None else last_day(found, zone)


@pytest.mark.parametrize("expiry", POLICIES)
def test_a_policy_is_stored_and_read(expiry: Expiry) -> None:
    assert Expiry.from_json(expiry.to_json()) == expiry


def test_no_policy_is_never() -> None:
    assert Expiry.from_json(None) == Expiry.from_json({}) == NEVER


@pytest.mark.parametrize(
    "given",
    [
        {"kind": ExpiryKind.AFTER},
        {"kind": ExpiryKind.AFTER, "days": 0},
        {"kind": ExpiryKind.AFTER, "days": -1},
        {"kind": ExpiryKind.AFTER, "days": 1, "months": 1},
        {"kind": ExpiryKind.AFTER, "months": 1_201},
        {"kind": ExpiryKind.SLIDING},
        {"kind": ExpiryKind.ON},
        {"kind": ExpiryKind.PERIOD_END, "months": 1},
        {"kind": ExpiryKind.PERIOD_END, "months": 1, "period": Period.DAILY},
        {"kind": ExpiryKind.NONE, "days": 3},
    ],
)
def test_what_is_no_policy_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no policy"):
        Expiry(**given)


@pytest.mark.parametrize(
    ("expiry", "day", "last"),
    [
        (NEVER, date(2026, 11, 20), None),
        (Expiry.sliding(days=3), date(2026, 11, 20), None),
        (Expiry.after(days=1), date(2026, 11, 20), date(2026, 11, 21)),
        (Expiry.after(months=1), date(2026, 1, 31), date(2026, 2, 28)),
        (Expiry.after(months=1), date(2028, 1, 31), date(2028, 2, 29)),
        (Expiry.after(months=12), date(2028, 2, 29), date(2029, 2, 28)),
        (Expiry.after(months=25), date(2026, 12, 31), date(2029, 1, 31)),
        (Expiry.at_end_of(Period.MONTHLY), date(2026, 11, 20), date(2026, 11, 30)),
        (Expiry.at_end_of(Period.MONTHLY, months=1), date(2026, 1, 31), date(2026, 2, 28)),
        (Expiry.at_end_of(Period.QUARTERLY, months=2), date(2026, 11, 20), date(2027, 3, 31)),
        (Expiry.at_end_of(Period.YEARLY, months=12), date(2026, 11, 20), date(2027, 12, 31)),
        (Expiry.with_day(date(2026, 12, 31)), date(2026, 11, 20), date(2026, 12, 31)),
        (Expiry.with_day(date(2026, 12, 31)), date(2027, 1, 5), date(2027, 1, 5)),
    ],
)
def test_the_last_day(expiry: Expiry, day: date, last: date | None) -> None:
    assert {last_day_of(expiry, day, zone) for zone in ZONES} == {last}


def test_a_day_ends_when_it_ends_there() -> None:
    """Clocks went back on that day: it has 25 hours."""
    found = expires_at(
        Expiry.with_day(date(2026, 11, 1)),
        matures_at=datetime(2026, 10, 1, tzinfo=UTC),
        time_zone="America/New_York",
    )
    assert found == datetime(2026, 11, 2, 5, tzinfo=UTC)


def test_locked_days_are_whole_local_days() -> None:
    late = datetime(2026, 11, 20, 16, 59, tzinfo=UTC)  # 23:59 in Jakarta
    found = matures_at(occurred_at=late, posted_at=late, lock_days=1, time_zone="Asia/Jakarta")
    assert found == datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert matures_at(occurred_at=late, posted_at=late, lock_days=0, time_zone="Asia/Jakarta") == late


def test_what_is_reported_late_matures_when_it_is_posted_at_the_earliest() -> None:
    occurred, posted = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert matures_at(occurred_at=occurred, posted_at=posted, lock_days=7, time_zone="UTC") == posted
    later = matures_at(occurred_at=occurred, posted_at=posted, lock_days=30, time_zone="UTC")
    assert later == datetime(2026, 12, 1, tzinfo=UTC)


@given(
    minutes=st.integers(0, 15 * 366 * 24 * 60),
    zone=st.sampled_from(ZONES),
    expiry=st.sampled_from([one for one in POLICIES if one is not NEVER]),
)
def test_points_outlive_the_day_on_which_they_mature(minutes: int, zone: str, expiry: Expiry) -> None:
    instant = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    if expiry.is_sliding:
        found = idle_until(expiry.term, start=instant, time_zone=zone)
    else:
        end = expires_at(expiry, matures_at=instant, time_zone=zone)
        assert end is not None
        found = end
    assert found > instant
    assert last_day(found, zone) >= local_day(instant, zone)
    assert found == instant_of(local_day(found, zone), zone), "it ends with a day"


def test_a_wallet_waits_as_long_as_its_policy_says() -> None:
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    ends = [
        idle_until(Expiry.sliding(days=2).term, start=start, time_zone="UTC"),
        idle_until(Expiry.sliding(months=1).term, start=start, time_zone="UTC"),
    ]
    assert ends == [datetime(2026, 2, 3, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)]


def test_what_is_neither_locked_nor_expires_takes_no_step() -> None:
    because, now = Because(), datetime(2026, 11, 20, 8, tzinfo=UTC)
    because.add("opening")
    assert explain_lot(because, on=0, matures_at=now, posted_at=now, expiry=NEVER, time_zone="UTC") == 0
    assert len(because.steps) == 1


def test_the_step_tells_the_days() -> None:
    because, now = Because(), datetime(2026, 11, 20, 8, tzinfo=UTC)
    because.add("opening")
    matures = matures_at(occurred_at=now, posted_at=now, lock_days=14, time_zone="Asia/Jakarta")
    for expiry in (Expiry.after(months=3), Expiry.sliding(days=30)):
        step = explain_lot(
            because, on=0, matures_at=matures, posted_at=now, expiry=expiry, time_zone="Asia/Jakarta"
        )
        assert because.steps[step] == {
            "step": "lot",
            "on": 0,
            "maturesOn": "2026-12-04",
            "expiresOn": "2027-01-03" if expiry.is_sliding else "2027-03-04",
            "sliding": expiry.is_sliding,
        }


def test_the_calendar_has_an_end() -> None:
    assert Expiry.with_day(date(8999, 12, 31)).on == date(8999, 12, 31)
    with pytest.raises(ValueError, match="no policy"):
        Expiry.with_day(date(9000, 1, 1))
