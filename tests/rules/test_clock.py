"""The clock that can be set: in UTC, with a zone, and only forwards."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from base.clock import SetClock, SystemClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_system_clock_tells_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_set_clock_stands_until_it_is_set() -> None:
    clock = SetClock(NOON)
    clock.set(NOON + timedelta(hours=1))
    assert clock.now() == NOON + timedelta(hours=1)
    assert clock.now() == NOON + timedelta(hours=1)


def test_another_zone_is_turned_into_utc() -> None:
    clock = SetClock(datetime(2026, 3, 1, 19, tzinfo=timezone(timedelta(hours=7))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


def test_it_is_not_set_back() -> None:
    clock = SetClock(NOON)
    with pytest.raises(ValueError, match="only forwards"):
        clock.set(NOON - timedelta(microseconds=1))
    assert clock.now() == NOON


def test_a_late_activity_does_not_move_it() -> None:
    clock = SetClock(NOON)
    clock.advance_to(NOON - timedelta(days=1))
    assert clock.now() == NOON
    clock.advance_to(NOON + timedelta(days=1))
    assert clock.now() == NOON + timedelta(days=1)


@pytest.mark.parametrize("instant", [datetime(2026, 3, 1), datetime(2030, 1, 1)])  # noqa: DTZ001  # the point
def test_an_instant_without_a_zone_is_refused(instant: datetime) -> None:
    with pytest.raises(ValueError, match="time zone"):
        SetClock(NOON).advance_to(instant)
