"""How a standing follows its meters, and what the reviews of its windows make of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.tiers.periods import Calendar, Qualification
from loyalty.tiers.reviews import (
    Cause,
    bring_up_to_date,
    follow,
    is_too_late,
    kept_until,
    next_due,
    project,
)
from loyalty.tiers.rules import Downgrade, Ladder, Override, Standing, Tier
from metrics.windows import Period, local_day

JAKARTA = Calendar("Asia/Jakarta", date(2024, 2, 29))
UTC_CALENDAR = Calendar("UTC", date(2024, 2, 29))
Q1, Q2, Q3, Q4 = (date(2026, month, 1) for month in (1, 4, 7, 10))
LADDER = Ladder(
    1,
    tuple(
        Tier(key, key, level, Decimal(threshold), Decimal(1))
        for level, (key, threshold) in enumerate((("bronze", 0), ("silver", 100), ("gold", 500)))
    ),
    Qualification(Period.QUARTERLY),
    Downgrade.TO_EARNED,
)
BRONZE, SILVER, GOLD = range(3)


def at(day: str, time: str = "00:00") -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC)


def counted(**values: int) -> dict[date, Decimal]:
    """What quarters of 2026 have counted."""
    return {{"q1": Q1, "q2": Q2, "q3": Q3, "q4": Q4}[name]: Decimal(value) for name, value in values.items()}


def stand(
    ladder: Ladder, values: Mapping[date, Decimal], now: datetime, calendar: Calendar = UTC_CALENDAR
) -> Standing:
    """A standing that was begun at `now`."""
    standing = Standing(0, None)
    bring_up_to_date(ladder, standing, values, calendar, now=now)
    follow(ladder, standing, values, calendar)
    return standing


def levels(
    ladder: Ladder, standing: Standing, values: Mapping[date, Decimal], now: datetime
) -> list[tuple[datetime, int, int]]:
    """The reviews until `now`."""
    reviews = bring_up_to_date(ladder, standing, values, UTC_CALENDAR, now=now)
    return [(one.at, one.before, one.after) for one in reviews]


def test_a_tier_is_earned_at_once_and_kept_through_the_next_period() -> None:
    standing = stand(LADDER, counted(q1=600), at("2026-02-01"))
    assert (standing.level, standing.open_from, standing.review_at) == (GOLD, Q1, at("2026-04-01"))
    assert not standing.is_due(at("2026-03-31", "23:59"))
    assert levels(LADDER, standing, counted(q1=600), at("2026-06-30")) == [(at("2026-04-01"), GOLD, GOLD)]
    assert levels(LADDER, standing, counted(q1=600, q2=150), at("2026-07-01")) == [
        (at("2026-07-01"), GOLD, SILVER)
    ]
    assert levels(LADDER, standing, counted(q1=600, q2=150), at("2026-10-01")) == [
        (at("2026-10-01"), SILVER, BRONZE)
    ]


def test_one_step_at_a_time() -> None:
    ladder = replace(LADDER, downgrade=Downgrade.ONE_STEP)
    standing = stand(ladder, counted(q1=600), at("2026-02-01"))
    assert levels(ladder, standing, counted(q1=600), at("2027-01-01")) == [
        (at("2026-04-01"), GOLD, GOLD),
        (at("2026-07-01"), GOLD, SILVER),
        (at("2026-10-01"), SILVER, BRONZE),
        (at("2027-01-01"), BRONZE, BRONZE),
    ]


def test_a_ladder_without_reviews_keeps_the_best_period() -> None:
    ladder = replace(LADDER, downgrade=Downgrade.NEVER)
    standing = stand(ladder, counted(q1=600, q2=1), at("2026-05-01"))
    assert (standing.level, standing.review_at, standing.open_from) == (GOLD, None, None)
    assert levels(ladder, standing, counted(q1=600), at("2036-01-01")) == []
    follow(ladder, standing, counted(q1=99, q2=120), UTC_CALENDAR)
    assert standing.level == SILVER
    kept = replace(ladder, returns_take=False)
    follow(kept, standing, counted(), UTC_CALENDAR)
    assert standing.level == SILVER
    assert kept_until(ladder, standing, counted(q1=600), UTC_CALENDAR) is None
    assert project(ladder, standing, counted(), UTC_CALENDAR, now=at("2026-05-01")) == SILVER


def test_a_period_counts_through_its_grace() -> None:
    ladder = replace(LADDER, grace_days=10)
    standing = stand(ladder, counted(q1=600), at("2026-02-01"))
    values = counted(q1=600, q2=50)
    assert levels(ladder, standing, values, at("2026-07-10", "23:59")) == [(at("2026-04-11"), GOLD, GOLD)]
    assert not is_too_late(ladder, standing, Q2)
    values = counted(q1=600, q2=120)  # reported on the ninth of July
    follow(ladder, standing, values, UTC_CALENDAR)
    assert levels(ladder, standing, values, at("2026-07-11")) == [(at("2026-07-11"), GOLD, SILVER)]
    assert is_too_late(ladder, standing, Q2)
    assert not is_too_late(ladder, standing, Q3)


def test_a_return_takes_a_tier_at_once_or_at_the_review() -> None:
    standing = stand(LADDER, counted(q2=600), at("2026-05-01"))
    follow(LADDER, standing, counted(q2=80), UTC_CALENDAR)
    assert standing.level == BRONZE

    kept = replace(LADDER, returns_take=False)
    standing = stand(kept, counted(q2=600), at("2026-05-01"))
    follow(kept, standing, counted(q2=80), UTC_CALENDAR)
    assert (standing.level, standing.peaks) == (GOLD, {Q2: GOLD})
    assert levels(kept, standing, counted(q2=80), at("2026-07-01")) == [(at("2026-07-01"), GOLD, BRONZE)]
    assert standing.peaks == {}


def test_what_is_carried_is_not_taken_by_a_return_in_the_next_period() -> None:
    standing = stand(LADDER, counted(q1=600), at("2026-02-01"))
    levels(LADDER, standing, counted(q1=600), at("2026-04-02"))
    follow(LADDER, standing, counted(q1=0, q2=10), UTC_CALENDAR)  # the return came after the review
    assert standing.level == GOLD
    assert is_too_late(LADDER, standing, Q1)


def test_one_that_begins_late_goes_through_all_that_was_counted() -> None:
    values = counted(q1=600, q2=120, q3=10)
    assert stand(LADDER, values, at("2026-08-01")).level == SILVER
    stepwise = replace(LADDER, downgrade=Downgrade.ONE_STEP)
    assert stand(stepwise, counted(q1=600), at("2026-08-01")).level == SILVER
    nobody = stand(LADDER, {}, at("2026-08-01"))
    assert (nobody.level, nobody.open_from) == (BRONZE, Q3)


def test_one_that_another_ladder_left_keeps_its_tier_through_the_open_period() -> None:
    standing = Standing(GOLD, None, earned=GOLD)
    assert levels(LADDER, standing, counted(q3=10), at("2026-08-01")) == []
    assert (standing.level, standing.carried, standing.open_from) == (GOLD, GOLD, Q3)
    assert levels(LADDER, standing, counted(q3=10), at("2026-10-01")) == [(at("2026-10-01"), GOLD, BRONZE)]


def test_until_when_a_tier_is_kept_and_where_it_leads() -> None:
    standing = stand(LADDER, counted(q1=600), at("2026-02-01"))
    now = at("2026-02-01")
    assert kept_until(LADDER, standing, counted(q1=600), UTC_CALENDAR) == at("2026-07-01")
    assert project(LADDER, standing, counted(q1=600), UTC_CALENDAR, now=now) == GOLD
    values, now = counted(q1=600, q2=150), at("2026-05-01")
    levels(LADDER, standing, values, now)
    assert kept_until(LADDER, standing, values, UTC_CALENDAR) == at("2026-07-01")
    assert project(LADDER, standing, values, UTC_CALENDAR, now=now) == SILVER
    values = counted(q1=600, q2=700)
    assert kept_until(LADDER, standing, values, UTC_CALENDAR) == at("2026-10-01")
    assert project(LADDER, standing, values, UTC_CALENDAR, now=now) == GOLD
    lowest = stand(LADDER, {}, now)
    assert kept_until(LADDER, lowest, {}, UTC_CALENDAR) is None
    assert standing.level == GOLD  # looking ahead changes nothing


def test_an_override_decides_until_it_ends() -> None:
    standing = stand(LADDER, counted(q2=150), at("2026-05-01"))
    standing.override, standing.level = Override(GOLD, at("2026-05-20")), GOLD
    assert next_due(LADDER, standing, UTC_CALENDAR) == at("2026-05-20")
    values = counted(q2=90)
    follow(LADDER, standing, values, UTC_CALENDAR)
    assert (standing.level, standing.earned) == (GOLD, BRONZE)
    assert kept_until(LADDER, standing, values, UTC_CALENDAR) == at("2026-05-20")
    assert project(LADDER, standing, values, UTC_CALENDAR, now=at("2026-05-02")) == BRONZE
    (review,) = bring_up_to_date(LADDER, standing, values, UTC_CALENDAR, now=at("2026-06-01"))
    assert (review.cause, review.at, review.before, review.after) == (
        Cause.OVERRIDE_ENDED, at("2026-05-20"), GOLD, BRONZE
    )  # fmt: skip
    assert standing.override is None


def test_an_override_for_good_outlives_reviews() -> None:
    standing = stand(LADDER, counted(q2=150), at("2026-05-01"))
    standing.override, standing.level = Override(GOLD, None), GOLD
    assert kept_until(LADDER, standing, counted(q2=150), UTC_CALENDAR) is None
    assert project(LADDER, standing, counted(q2=150), UTC_CALENDAR, now=at("2026-05-01")) == GOLD
    reviews = levels(LADDER, standing, counted(q2=150), at("2026-10-01"))
    assert [after for _, _, after in reviews] == [GOLD, GOLD]
    assert (standing.level, standing.earned) == (GOLD, BRONZE)


@pytest.mark.parametrize("downgrade", [Downgrade.TO_EARNED, Downgrade.ONE_STEP])
def test_an_override_to_the_end_of_time_is_seen_at_once(downgrade: Downgrade) -> None:
    """No window is looked at in which nothing can change any more."""
    ladder = replace(LADDER, qualification=Qualification(Period.DAILY), downgrade=downgrade)
    values = {date(2026, 5, 1): Decimal(600)}
    standing = stand(ladder, values, at("2026-05-01"))
    until = at("9999-12-31", "23:59")
    standing.override, standing.level = Override(GOLD, until), GOLD
    assert kept_until(ladder, standing, values, UTC_CALENDAR) == until
    assert project(ladder, standing, values, UTC_CALENDAR, now=at("2026-05-01")) == GOLD


@pytest.mark.parametrize(
    ("time_zone", "closes_at"),
    [
        ("Asia/Jakarta", "2026-03-31T17:00"),
        ("Pacific/Kiritimati", "2026-03-31T10:00"),  # +14
        ("Etc/GMT+12", "2026-04-01T12:00"),  # −12
        ("Europe/London", "2026-03-31T23:00"),  # the clocks went forward on the 29th
        ("America/New_York", "2026-04-01T04:00"),  # on the 8th
        ("Asia/Kathmandu", "2026-03-31T18:15"),
    ],
)
def test_a_period_ends_with_the_partners_own_day(time_zone: str, closes_at: str) -> None:
    calendar = Calendar(time_zone, date(2024, 2, 29))
    standing = stand(LADDER, counted(q1=600), at("2026-02-01"), calendar)
    assert standing.review_at == datetime.fromisoformat(closes_at).replace(tzinfo=UTC)


def test_a_midnight_that_the_clocks_leave_out() -> None:
    """In Lebanon the clocks go forward at midnight: the 27th of March 2022 began at one o'clock."""
    calendar = Calendar("Asia/Beirut", date(2020, 1, 1))
    ladder = replace(LADDER, qualification=Qualification(Period.DAILY))
    standing = stand(ladder, {date(2022, 3, 26): Decimal(600)}, at("2022-03-26", "12:00"), calendar)
    assert standing.review_at == at("2022-03-26", "22:00")
    assert local_day(standing.review_at, "Asia/Beirut") == date(2022, 3, 27)


@given(
    st.sampled_from(sorted(available_timezones())),
    st.integers(946_684_800, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from([Period.DAILY, Period.WEEKLY, Period.MONTHLY, Period.QUARTERLY, Period.YEARLY]),
    st.integers(0, 40),
)
def test_the_window_of_the_present_day_is_open_in_every_zone(
    time_zone: str, now: datetime, period: Period, grace_days: int
) -> None:
    calendar = Calendar(time_zone, date(2004, 2, 29))
    qualification = Qualification(period)
    present = qualification.start(local_day(now, time_zone), calendar)
    oldest = qualification.oldest_open(now, calendar, grace_days=grace_days)
    assert oldest <= present
    assert qualification.closes_at(oldest, calendar, grace_days=grace_days) > now
    assert qualification.closes_at(present, calendar, grace_days=0) > now


SALES = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700)), max_size=12)


@given(SALES, st.sampled_from(list(Downgrade)), st.integers(0, 20), st.sets(st.integers(0, 400), max_size=8))
def test_when_the_job_comes_makes_no_difference(
    sales: list[tuple[int, int]], downgrade: Downgrade, grace_days: int, visits: set[int]
) -> None:
    """A standing that is brought up to date on some days stands as one that was on every day."""
    ladder = replace(LADDER, downgrade=downgrade, grace_days=grace_days)
    start = at("2026-01-01")

    def play(days: set[int]) -> list[tuple[object, ...]]:
        standing, told = Standing(0, None), []
        values: dict[date, Decimal] = {}
        by_day = {day % 400: amount for day, amount in sales}
        for day in range(401):
            now = start + (at("2026-01-02") - start) * day
            if day in days or day in by_day:
                told += bring_up_to_date(ladder, standing, values, UTC_CALENDAR, now=now)
            if day in by_day:
                window = ladder.qualification.start(now.date(), UTC_CALENDAR)
                values[window] = values.get(window, Decimal(0)) + by_day[day]
                follow(ladder, standing, values, UTC_CALENDAR)
        told += bring_up_to_date(ladder, standing, values, UTC_CALENDAR, now=at("2028-01-01"))
        moves = [(one.at, one.before, one.after) for one in told if one.before != one.after]
        return [*moves, (standing.level, standing.earned, standing.open_from, standing.review_at)]

    assert play(visits) == play(set(range(401)))
