"""Meters counted again from the journal: for a series that began after its activities, and for what a return undid.

The same counting as on the live path, from nothing to what is left of each activity.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

from activity.returns import Original
from activity.rules import ZERO, Share
from metrics.counting import Counting, points_of
from metrics.meters import Meters
from metrics.rules import POINTS, Measure, Metric, Placed, Series

TWO_DAYS: Final = timedelta(days=2)
"""By how much the dates of two instants can be out of their order, in whatever zones they were read."""
WITHOUT_LINES: Final = frozenset({Measure.COUNT, Measure.DISTINCT_DAYS})
"""What an activity without lines moves."""

PointsLeft: TypeAlias = Mapping[int, tuple[int, int]]
"""By activity: points earned and rewards that have not been taken back."""

RewardsApart: TypeAlias = Sequence[tuple[Placed, int]]
"""Rewards that no activity set off, and when: those of a review after a change of configuration."""


def recount(
    counting: Counting, history: Iterable[Original], points: PointsLeft, apart: RewardsApart = ()
) -> Meters:
    """The meters of all series of `counting` as the journal has them. Versions start from nothing."""
    meters = Meters(counting.series)
    for original in history:
        activity = original.activity
        shares = [Share(line, ZERO, ZERO, *original.left[line.number]) for line in activity.lines]
        earned, rewards = points.get(activity.id, (0, 0))
        movements = counting.count(activity, shares, stood=False, stands=original.stands)
        movements += counting.count_points(activity, earned=earned, rewards=rewards)
        for movement in movements:
            if movement.amount.delta or movement.amount.parts:
                meters[movement.key].move(movement.amount, occurred_at=activity.occurred_at)
    for placed, rewards in apart:
        for movement in counting.count_points(placed, earned=0, rewards=rewards):
            meters[movement.key].move(movement.amount, occurred_at=placed.occurred_at)
    return meters


def reached_at(
    series: Series, window_start: date, history: Sequence[Original], points: PointsLeft, *, until: datetime
) -> datetime | None:
    """The greatest `occurred_at`, `until` at most, among what still counts in the window; None where nothing does.

    `history` is in the order of `occurred_at`: it is looked through from its end, and no further than the window.
    """
    for place in range(bisect_right(history, until, key=occurred), 0, -1):
        one = history[place - 1]
        if one.activity.local_date + TWO_DAYS < window_start:
            return None
        if (
            series.metric.counts(one.activity.kind)
            and still_counts(series.metric, one, points)
            and series.window(one.activity) == window_start
        ):
            return one.activity.occurred_at
    return None


def occurred(original: Original) -> datetime:
    """When it happened: what a history is ordered by."""
    return original.activity.occurred_at


def still_counts(metric: Metric, original: Original, points: PointsLeft) -> bool:
    """Whether any of the activity counts for the metric now: whether its meter would be another without it."""
    if metric.measure in POINTS:
        return points_of(metric, *points.get(original.activity.id, (0, 0))) > 0
    if not original.activity.lines:
        return original.stands and metric.filter.is_empty and metric.measure in WITHOUT_LINES
    what = 1 if metric.measure is Measure.AMOUNT else 0
    return any(
        original.left[line.number][what] > 0 and metric.filter.admits(line)
        for line in original.activity.lines
    )
