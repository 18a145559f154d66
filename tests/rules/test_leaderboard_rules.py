"""Scores, ranks, windows and states of boards."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards.board import read_member, write_member
from leaderboards.rules import (
    GRACE,
    LARGEST,
    BoardRow,
    Entry,
    Grouping,
    SeasonRow,
    SeasonState,
    Slice,
    due_state,
    due_windows,
    percentile,
    places,
    unscaled,
)
from metrics.rules import Measure
from metrics.windows import Period
from partners.rules import Audience

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ZONES = ["UTC", "Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
CALENDAR = [Period.DAILY, Period.WEEKLY, Period.MONTHLY, Period.QUARTERLY, Period.YEARLY]
instants = st.integers(0, 10**14).map(
    lambda micros: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros * 31)
)


def board(
    period: Period = Period.MONTHLY,
    zone: str = "UTC",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> BoardRow:
    return BoardRow(
        id=1, program_id=1, key="board", name="Board", metric="points", measure=Measure.POINTS_ALL, series_id=1,
        period=period, time_zone=zone, starts_at=starts_at, ends_at=ends_at, audience=Audience(),
        group_by=Grouping.NONE, filled=True,
    )  # fmt: skip


def season(
    starts_at: datetime, ends_at: datetime | None, state: SeasonState = SeasonState.SCHEDULED
) -> SeasonRow:
    return SeasonRow(1, 1, 1, "2026-11", date(2026, 11, 1), starts_at, ends_at, state, 0, None)


@pytest.mark.parametrize(
    ("points", "scale", "score"),
    [(12500, 1000, "12.5"), (1200, 1, "1200"), (1, 1000, "0.001"), (LARGEST, 1, str(LARGEST))],
)
def test_a_score_is_shown_exactly_and_plainly(points: int, scale: int, score: str) -> None:
    assert str(unscaled(points, scale)) == score


@given(st.lists(st.tuples(instants, st.integers(1, 2**47)), unique=True))
def test_members_sort_by_instant_and_then_by_number(rows: list[tuple[datetime, int]]) -> None:
    assert sorted(write_member(*row) for row in rows) == [write_member(*row) for row in sorted(rows)]
    assert [read_member(write_member(*row).encode()) for row in rows] == rows


def test_equal_scores_share_a_rank() -> None:
    entries = tuple(Entry(number, Decimal(score), NOW) for number, score in enumerate([9, 7, 7, 4]))
    found = places(Slice(size=4, start=0, first_rank=1, entries=entries), "ID")
    assert [(one.rank, one.position, one.percentile) for one in found] == [
        (1, 1, 100),
        (2, 2, 75),
        (2, 3, 75),
        (4, 4, 25),
    ]
    middle = places(Slice(size=4, start=2, first_rank=2, entries=entries[2:]), "ID")
    assert [(one.rank, one.position) for one in middle] == [(2, 3), (4, 4)]


def test_the_percentile_counts_who_is_at_or_below() -> None:
    assert [percentile(rank, 4) for rank in (1, 2, 4)] == [100, 75, 25]


@given(st.sampled_from(CALENDAR), st.sampled_from(ZONES), instants, st.integers(0, 400))
def test_windows_follow_one_another_up_to_the_present_one(
    period: Period, zone: str, now: datetime, days: int
) -> None:
    (present,) = due_windows(board(period, zone), first=None, now=now)
    assert present.ends_at is not None
    assert present.starts_at <= now < present.ends_at
    past = now - timedelta(days=days)
    (first,) = due_windows(board(period, zone), first=None, now=past)
    found = due_windows(board(period, zone), first=first.window_start, now=now)
    assert (found[0], found[-1]) == (first, present)
    assert all(one.ends_at == other.starts_at for one, other in pairwise(found))


def test_windows_keep_within_the_boards_dates() -> None:
    limited = board(starts_at=datetime(2026, 9, 10, tzinfo=UTC), ends_at=datetime(2026, 11, 1, tzinfo=UTC))
    assert [one.key for one in due_windows(limited, first=date(2026, 1, 1), now=NOW)] == [
        "2026-09",
        "2026-10",
    ]
    assert [one.key for one in due_windows(limited, first=None, now=NOW)] == ["2026-10"]
    before = datetime(2026, 3, 1, tzinfo=UTC)
    assert [one.key for one in due_windows(limited, first=None, now=before)] == ["2026-09"]


def test_a_fixed_board_has_its_dates_as_its_season() -> None:
    fixed = board(Period.FIXED, starts_at=NOW, ends_at=NOW + timedelta(days=3))
    (only,) = due_windows(fixed, first=None, now=NOW - timedelta(days=9))
    assert (only.key, only.starts_at, only.ends_at) == ("once", NOW, NOW + timedelta(days=3))


@pytest.mark.parametrize(
    ("after_end", "filled", "state"),
    [
        (-timedelta(days=40), True, SeasonState.SCHEDULED),
        (-timedelta(microseconds=1), True, SeasonState.LIVE),
        (timedelta(0), True, SeasonState.GRACE),
        (GRACE - timedelta(microseconds=1), True, SeasonState.GRACE),
        (GRACE, True, SeasonState.FINALIZING),
        (GRACE * 99, False, SeasonState.GRACE),
    ],
)
def test_a_season_is_in_the_state_of_its_time(after_end: timedelta, filled: bool, state: SeasonState) -> None:
    ends_at = datetime(2026, 12, 1, tzinfo=UTC)
    one = season(datetime(2026, 11, 1, tzinfo=UTC), ends_at)
    assert due_state(one, filled=filled, now=ends_at + after_end) is state


def test_a_season_never_goes_back_and_one_without_end_lives_on() -> None:
    over = season(NOW - timedelta(days=9), NOW - timedelta(days=8), SeasonState.FINALIZING)
    assert due_state(over, filled=False, now=NOW) is SeasonState.FINALIZING
    assert due_state(season(NOW, None), filled=True, now=NOW + timedelta(days=9999)) is SeasonState.LIVE
