"""Over which time a tier is earned: rolling months, and years from the day of joining, over leap days and zones."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.tiers.periods import Calendar, Qualification, Values, anniversary
from loyalty.tiers.reviews import best_value, bring_up_to_date, follow, kept_until, project
from loyalty.tiers.rules import Downgrade, Ladder, Standing, Tier
from metrics.windows import Period

LEAPLING = Calendar("UTC", date(2024, 2, 29))
ROLLING = Qualification(Period.MONTHLY, rolling_months=12)
JOINED = Qualification(Period.YEARLY, from_joining=True)
LADDER = Ladder(
    1,
    (Tier("bronze", "", 0, Decimal(0), Decimal(1)), Tier("gold", "", 1, Decimal(500), Decimal(1))),
    ROLLING,
    Downgrade.TO_EARNED,
)


def at(day: str) -> datetime:
    """The first moment of a day in UTC."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def test_rolling_months_end_with_the_present_one() -> None:
    day = date(2026, 11, 20)
    assert ROLLING.start(day, LEAPLING) == date(2025, 12, 1)
    assert ROLLING.end(date(2025, 12, 1), LEAPLING) == date(2026, 12, 1)
    assert ROLLING.following(date(2025, 12, 1), LEAPLING) == date(2026, 1, 1)
    assert Qualification(Period.MONTHLY, rolling_months=1).start(day, LEAPLING) == date(2026, 11, 1)
    assert ROLLING.meters is Period.MONTHLY
    assert JOINED.meters is Period.DAILY


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ("2025-02-27", "2024-02-29", "2025-02-28"),
        ("2025-02-28", "2025-02-28", "2026-02-28"),
        ("2028-02-28", "2027-02-28", "2028-02-29"),
        ("2028-02-29", "2028-02-29", "2029-02-28"),
        ("2023-06-01", "2023-02-28", "2024-02-29"),
    ],
)
def test_who_joined_on_a_leap_day_has_its_year_from_the_last_of_february(
    day: str, start: str, end: str
) -> None:
    found = JOINED.start(date.fromisoformat(day), LEAPLING)
    assert (found, JOINED.end(found, LEAPLING)) == (date.fromisoformat(start), date.fromisoformat(end))


@given(st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_years_from_the_day_of_joining_leave_no_day_out(joined_on: date, day: date) -> None:
    calendar = Calendar("UTC", joined_on)
    start = JOINED.start(day, calendar)
    assert start <= day < JOINED.end(start, calendar)
    assert JOINED.start(start, calendar) == start
    assert JOINED.start(start - timedelta(days=1), calendar) < start
    assert JOINED.end(JOINED.start(start - timedelta(days=1), calendar), calendar) == start
    assert anniversary(joined_on, joined_on.year) == joined_on


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(1, 60))
def test_each_month_ends_a_rolling_window(day: date, months: int) -> None:
    qualification = Qualification(Period.MONTHLY, rolling_months=months)
    start = qualification.start(day, LEAPLING)
    assert start <= day < qualification.end(start, LEAPLING)
    first = day.replace(day=1)
    assert (
        qualification.following(qualification.start(first - timedelta(days=1), LEAPLING), LEAPLING) == start
    )


@pytest.mark.parametrize("downgrade", [Downgrade.NEVER, Downgrade.TO_EARNED])
@pytest.mark.parametrize(
    ("qualification", "together", "apart"),
    [
        (Qualification(Period.MONTHLY, rolling_months=3), ("2026-01-01", "2026-03-01"), "2026-04-01"),
        (JOINED, ("2025-02-28", "2026-02-27"), "2026-02-28"),
    ],
)
def test_a_summed_window_earns_what_its_meters_add_up_to(
    downgrade: Downgrade, qualification: Qualification, together: tuple[str, str], apart: str
) -> None:
    ladder = replace(LADDER, qualification=qualification, downgrade=downgrade)
    first, last = map(date.fromisoformat, together)
    for days, level in (((first, last), 1), ((first, date.fromisoformat(apart)), 0)):
        values = dict.fromkeys(days, Decimal(250))
        standing = Standing(0, None)
        bring_up_to_date(ladder, standing, values, LEAPLING, now=at(together[0]))
        follow(ladder, standing, values, LEAPLING)
        assert standing.level == level
        assert best_value(ladder, standing, values, LEAPLING) == (500 if level else 250)


@given(
    st.dictionaries(st.dates(date(2022, 1, 1), date(2030, 1, 1)), st.integers(0, 999).map(Decimal)),
    st.integers(1, 60) | st.none(),
)
def test_the_totals_are_what_each_window_counted(values: Values, months: int | None) -> None:
    qualification = JOINED if months is None else Qualification(Period.MONTHLY, rolling_months=months)
    if months is not None:
        values = {day.replace(day=1): value for day, value in values.items()}
    totals = qualification.totals(values, LEAPLING)
    assert totals.keys() == {qualification.start(day, LEAPLING) for day in values}
    for start, total in totals.items():
        assert total == qualification.value(start, values, LEAPLING)


@pytest.mark.parametrize("before", ["UTC", "America/New_York"])
def test_a_zone_that_is_corrected_over_new_year_leaves_the_open_year_a_year(before: str) -> None:
    """Who joined in the first hours of 2024 in London did so on the last day of 2023 in New York."""
    zones = ["UTC", "America/New_York"]
    joined_at = datetime(2024, 1, 1, 3, tzinfo=UTC)
    old, new = (Calendar.of(zone, joined_at) for zone in (before, *(one for one in zones if one != before)))
    ladder = replace(LADDER, qualification=JOINED, returns_take=False)
    values, now = {date(2026, 5, 5): Decimal(500)}, at("2026-05-06")
    standing = Standing(0, None, carried=0)
    bring_up_to_date(ladder, standing, values, old, now=now)
    follow(ladder, standing, values, old)
    start = standing.open_from
    assert start == JOINED.start(date(2026, 5, 5), old)
    assert abs((JOINED.end(start, new) - start).days - 365) <= 1
    assert JOINED.end(start, new) == JOINED.end(JOINED.start(date(2026, 5, 5), new), new)
    follow(ladder, standing, values, new)
    assert project(ladder, standing, {}, new, now=now) == 0
    bring_up_to_date(ladder, standing, values, new, now=at("2027-01-02"))
    assert (standing.level, standing.carried, standing.peaks) == (1, 1, {})
    assert kept_until(ladder, standing, values, new) == JOINED.closes_at(
        JOINED.start(date(2027, 1, 2), new), new, grace_days=0
    )


def test_a_rolling_tier_goes_when_the_month_that_earned_it_has_left() -> None:
    values: Values = {date(2026, 1, 1): Decimal(300), date(2026, 3, 1): Decimal(250)}
    standing = Standing(0, None)
    now = at("2026-03-10")
    bring_up_to_date(LADDER, standing, values, LEAPLING, now=now)
    follow(LADDER, standing, values, LEAPLING)
    assert (standing.level, standing.review_at) == (1, at("2026-04-01"))
    # December still has January in it, the window that ends with January 2027 has not.
    assert kept_until(LADDER, standing, values, LEAPLING) == at("2027-02-01")
    assert project(LADDER, standing, values, LEAPLING, now=now) == 1
    bring_up_to_date(LADDER, standing, values, LEAPLING, now=at("2027-01-31"))
    assert standing.level == 1
    assert project(LADDER, standing, values, LEAPLING, now=at("2027-01-31")) == 0
    bring_up_to_date(LADDER, standing, values, LEAPLING, now=at("2027-02-01"))
    assert (standing.level, standing.open_from) == (0, date(2026, 3, 1))


def test_an_anniversary_takes_the_tier_that_the_year_did_not_earn() -> None:
    ladder = replace(LADDER, qualification=JOINED)
    values = {
        date(2024, 3, 1): Decimal(300),
        date(2025, 2, 27): Decimal(200),
        date(2025, 2, 28): Decimal(499),
    }
    standing = Standing(0, None)
    bring_up_to_date(ladder, standing, values, LEAPLING, now=at("2025-03-01"))
    follow(ladder, standing, values, LEAPLING)
    assert (standing.level, standing.open_from) == (1, date(2025, 2, 28))
    assert kept_until(ladder, standing, values, LEAPLING) == at("2026-02-28")
    bring_up_to_date(ladder, standing, values, LEAPLING, now=at("2026-02-28"))
    assert standing.level == 0
