"""Which meters an activity moves, by how much; and that what comes back moves them the other way."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from activity.returns import Original
from activity.rules import Activity, Line
from metrics.counting import Counting, whole
from metrics.history import reached_at, recount
from metrics.meters import NEVER, Meters
from metrics.rules import LineFilter, Measure, Meter, Metric, Movement, Series
from metrics.windows import Period, WindowSpec
from tests.rules.pieces import AT, COFFEE, SHOP, SOAP, TEA, make_activity, taken

D = Decimal
ALL = tuple(measure for measure in Measure if "POINTS" not in measure)
EVERYTHING = LineFilter()
TEA_ONLY = LineFilter(skus=frozenset({"tea"}))
DEAR = LineFilter(min_amount=D(10))
GREEN = LineFilter(attributes=(frozenset({("color", '"green'), ("color", '"white')}),))


def make_counting(*measures: Measure, line_filter: LineFilter = EVERYTHING, kinds: str = "") -> Counting:
    """One lifetime series for each measure; its id is the measure's place."""
    metrics = [
        Metric(place, measure.lower(), frozenset(kinds.split()), measure, line_filter)
        for place, measure in enumerate(measures)
    ]
    return Counting(Series(metric.id, metric, WindowSpec(Period.LIFETIME)) for metric in metrics)


def values(counting: Counting, movements: Sequence[Movement]) -> list[Decimal]:
    meters = Meters(counting.series)
    for movement in movements:
        meters[movement.key].move(movement.amount, occurred_at=AT)
    return [meters.value((id_, date(1, 1, 1), SHOP.id)) for id_ in counting.series]


def counted(counting: Counting, activity: Activity) -> list[Movement]:
    return counting.count(activity, whole(activity.lines), stood=False, stands=True)


@pytest.mark.parametrize(
    ("line_filter", "expected"),
    [
        (LineFilter(), [1, 6, 60, 3, 1]),
        (TEA_ONLY, [1, 3, 35, 1, 1]),
        (DEAR, [1, 4, 55, 2, 1]),
        (LineFilter(max_amount=D(5)), [1, 2, 5, 2, 1]),
        (LineFilter(min_amount=D(5), max_amount=D(25)), [1, 3, 30, 2, 1]),
        (GREEN, [1, 3, 35, 1, 1]),
        (replace(GREEN, max_amount=D(5)), [1, 1, 5, 1, 1]),
        (LineFilter(attributes=(frozenset({("size", "5")}),)), [0, 0, 0, 0, 0]),
        (LineFilter(brands=frozenset({"Harbour"}), categories=frozenset({"drinks"})), [1, 3, 35, 1, 1]),
        (LineFilter(skus=frozenset({"rice"})), [0, 0, 0, 0, 0]),
    ],
)
def test_each_measure_counts_the_lines_that_match(line_filter: LineFilter, expected: list[int]) -> None:
    counting = make_counting(*ALL, line_filter=line_filter)
    tea = replace(TEA, attributes=frozenset({("color", '"green'), ("size", '"5')}))
    sold = make_activity((tea, 1, 5), (tea, 2, 30), (SOAP, 2, 25), (COFFEE, 1, 0))
    assert values(counting, counted(counting, sold)) == expected


def test_an_activity_without_lines_is_one_on_one_day() -> None:
    counting = make_counting(*ALL)
    visit = make_activity(kind="VISIT")
    assert values(counting, counted(counting, visit)) == [1, 0, 0, 0, 1]
    filtered = make_counting(*ALL, line_filter=TEA_ONLY)
    assert counted(filtered, visit) == []


def test_a_visit_that_came_back_leaves_no_meter_to_a_recount() -> None:
    original = Original.of(make_activity(kind="VISIT"))
    original.take(())
    assert recount(make_counting(*ALL), [original], {}) == {}


def test_only_the_metrics_kinds_count() -> None:
    counting = make_counting(*ALL, kinds="SALE RECEIPT")
    assert counted(counting, make_activity((TEA, 1, 5), kind="RECEIPT")) != []
    assert counted(counting, make_activity((TEA, 1, 5), kind="VISIT")) == []


def test_parts_that_come_back_one_by_one_end_at_nothing() -> None:
    counting = make_counting(*ALL)
    original = Original.of(make_activity((TEA, 3, 30), (SOAP, 1, 5)))
    movements = counted(counting, original.activity)
    expected = [[1, 3, 25, 2, 1], [1, 2, 15, 2, 1], [1, 1, 10, 1, 1], [0, 0, 0, 0, 0]]
    for part, after in zip(((1, 1, 10), (1, 1, 10), (2, 1, 5), (1, 1, 10)), expected, strict=True):
        lines = taken(original, part)
        stood, shares = original.stands, original.take(lines)
        movements += counting.count(original.activity, shares, stood=stood, stands=original.stands)
        assert values(counting, movements) == after


def test_points_count_as_earned_or_with_rewards() -> None:
    counting = make_counting(Measure.POINTS_EARNED, Measure.POINTS_ALL)
    sold = make_activity((TEA, 1, 5))
    assert values(counting, counting.count_points(sold, earned=7, rewards=5)) == [7, 12]
    assert [one.key[0] for one in counting.count_points(sold, earned=0, rewards=5)] == [1]


@pytest.mark.parametrize(
    ("left", "stands"), [((0, 5), [False, True]), ((0, 0), [False, False]), ((1, 0), [True, True])]
)
def test_an_activity_stands_for_the_points_that_are_left(left: tuple[int, int], stands: list[bool]) -> None:
    counting = make_counting(Measure.POINTS_EARNED, Measure.POINTS_ALL)
    movements = counting.count_points(make_activity((TEA, 1, 5)), earned=-3, rewards=0, left=left)
    assert [one.amount.stands for one in movements] == stands


# ---------------------------------------------------------------------------------------------- windows and reached_at


@pytest.mark.parametrize(
    ("spec", "window"),
    [
        (WindowSpec(Period.DAILY), date(2026, 11, 1)),
        (WindowSpec(Period.WEEKLY), date(2026, 10, 26)),
        (WindowSpec(Period.MONTHLY), date(2026, 11, 1)),
        (WindowSpec(Period.QUARTERLY), date(2026, 10, 1)),
        (WindowSpec(Period.YEARLY), date(2026, 1, 1)),
        (WindowSpec(Period.LIFETIME), date(1, 1, 1)),
        (WindowSpec(Period.DAILY, "Pacific/Niue"), date(2026, 10, 31)),
        (WindowSpec(Period.MONTHLY, "Pacific/Niue"), date(2026, 10, 1)),
        (WindowSpec(Period.DAILY, "Pacific/Kiritimati"), date(2026, 11, 1)),
        (WindowSpec(Period.FIXED, None, AT - timedelta(days=90), AT), date(2026, 8, 22)),
        (WindowSpec(Period.FIXED, None, AT - timedelta(days=1), AT), None),
    ],
)
def test_the_window_of_an_activity(spec: WindowSpec, window: date | None) -> None:
    metric = Metric(1, "sales", frozenset(), Measure.COUNT)
    sold = make_activity((TEA, 1, 5), at=datetime(2026, 11, 1, 4, 30, tzinfo=UTC))
    keys = [one.key for one in counted(Counting([Series(5, metric, spec)]), sold)]
    assert keys == ([] if window is None else [(5, window, SHOP.id)])


def test_a_fixed_range_begins_with_its_start_and_ends_before_its_end() -> None:
    metric = Metric(1, "sales", frozenset(), Measure.COUNT)
    counting = Counting([Series(5, metric, WindowSpec(Period.FIXED, None, AT, AT + timedelta(days=1)))])
    tick = timedelta(microseconds=1)
    inside = [
        bool(counted(counting, make_activity((TEA, 1, 5), at=at)))
        for at in (AT - tick, AT, AT + timedelta(days=1) - tick, AT + timedelta(days=1))
    ]
    assert inside == [False, True, True, False]


def test_a_meter_remembers_the_greatest_instant_until_it_is_empty() -> None:
    counting = make_counting(Measure.COUNT)
    (movement,) = counted(counting, make_activity((TEA, 1, 5)))
    (undone,) = counting.count(make_activity(kind="VISIT"), (), stood=True, stands=False)
    meter = Meter(D(0), NEVER, 0)
    for at in (AT, AT - timedelta(days=2)):
        meter.move(movement.amount, occurred_at=at)
    assert (meter.value, meter.reached_at, meter.version) == (D(2), AT, 2)
    meter.move(undone.amount, occurred_at=AT - timedelta(days=2))
    meter.move(undone.amount, occurred_at=AT)
    meter.move(movement.amount, occurred_at=AT - timedelta(days=5))
    assert (meter.value, meter.reached_at) == (D(1), AT - timedelta(days=5))


@pytest.mark.parametrize("measure", ALL)
def test_what_still_counts_is_what_a_recount_counts(measure: Measure) -> None:
    """For each measure, whatever was sold and came back."""
    counting = make_counting(measure)
    series = counting.series[0]
    plans: list[tuple[Activity, list[tuple[int, str | int, str | int]]]] = [
        (make_activity((TEA, 2, 20), id_=1), []),
        (make_activity((TEA, 2, 20), id_=2), [(1, 1, 20)]),
        (make_activity((TEA, 2, 20), id_=3), [(1, 2, 5)]),
        (make_activity((TEA, 2, 20), id_=4), [(1, 2, 20)]),
        (make_activity((TEA, 2, 0), id_=5), []),
        (make_activity(kind="VISIT", id_=6), []),
    ]
    for activity, parts in plans:
        original = Original.of(activity)
        lines: Sequence[Line] = taken(original, *parts)
        if lines:
            original.take(lines)
        meters = recount(counting, [original], {})
        found = reached_at(series, date(1, 1, 1), [original], {}, until=activity.occurred_at)
        assert bool(meters.value((0, date(1, 1, 1), SHOP.id))) == (found is not None), (measure, activity.id)
