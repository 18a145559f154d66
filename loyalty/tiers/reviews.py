"""How a standing follows its meters, and what the review of a window that is over makes of it. Pure.

A window is open from its first day to the end of its last, and through the days of grace after it. While it is open,
what it has earned holds. Its review leaves what is carried on: all that it earned, and with ONE_STEP at least one step
below what was carried before. What is counted into it later moves the meter, and no tier.

Whoever decides by a standing brings it up to date first: so it makes no difference when the job comes around, and a
load of the past is reviewed as it goes. `occurred_at` of a review is when it was due.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from activity.rules import ZERO
from loyalty.tiers.periods import Calendar, Values
from loyalty.tiers.rules import Downgrade, Ladder, Standing, decide
from metrics.windows import local_day


class Cause(StrEnum):
    """Why a tier changed."""

    COUNTED = "COUNTED"
    RETURNED = "RETURNED"
    REVIEWED = "REVIEWED"
    OVERRIDDEN = "OVERRIDDEN"
    OVERRIDE_ENDED = "OVERRIDE_ENDED"
    CONFIGURED = "CONFIGURED"


@dataclass(frozen=True, slots=True)
class Review:
    """What was due at an instant, and the levels before and after it.

    Of a window `ends_on` is the first day after it, and `value` what it counted; neither is there of an override.
    """

    cause: Cause
    at: datetime
    before: int
    after: int
    starts_on: date | None = None
    ends_on: date | None = None
    value: Decimal = ZERO


def follow(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar) -> None:
    """Bring the level to what is carried and what the open windows have earned."""
    if not ladder.is_reviewed:
        earned = decide(ladder, ladder.qualification.totals(values, calendar).values()).level
        if not ladder.returns_take:
            earned = max(earned, standing.earned)
    else:
        earned = max(standing.carried, _earned_in_open(ladder, standing, values, calendar))
    level = earned if standing.override is None else standing.override.level
    if (earned, level) != (standing.earned, standing.level):
        standing.earned, standing.level, standing.changed = earned, level, True


def bring_up_to_date(
    ladder: Ladder, standing: Standing, values: Values, calendar: Calendar, *, now: datetime
) -> list[Review]:
    """Make all reviews that are due, in order. A standing that has none yet begins, and tells of none."""
    if ladder.is_reviewed and standing.open_from is None:
        begin(ladder, standing, values, calendar, now=now)
    reviews = []
    while (due := next_due(ladder, standing, calendar)) is not None and due <= now:
        reviews.append(_step(ladder, standing, values, calendar, due))
    if standing.review_at != due:
        standing.review_at, standing.changed = due, True
    return reviews


def begin(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar, *, now: datetime) -> None:
    """Begin to review a standing.

    One that has earned nothing yet goes through all windows that were counted, as if it had been reviewed all along.
    One that a ladder without reviews left carries what it has into the windows that are open now.
    """
    qualification = ladder.qualification
    open_from = qualification.oldest_open(now, calendar, grace_days=ladder.grace_days)
    standing.carried, standing.open_from, standing.changed = standing.earned, open_from, True
    if not standing.earned and values:
        standing.open_from = min(open_from, qualification.start(min(values), calendar))
        while standing.open_from < open_from:
            _close(ladder, standing, values, calendar)
    follow(ladder, standing, values, calendar)
    standing.review_at = next_due(ladder, standing, calendar)


def next_due(ladder: Ladder, standing: Standing, calendar: Calendar) -> datetime | None:
    """When the oldest open window is to be reviewed, or the override ends if that is sooner; None for never."""
    until = None if standing.override is None else standing.override.until
    if not ladder.is_reviewed or standing.open_from is None:
        return until
    closes_at = ladder.qualification.closes_at(standing.open_from, calendar, grace_days=ladder.grace_days)
    return closes_at if until is None else min(closes_at, until)


def best_value(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar) -> Decimal:
    """The most that an open window has counted; of a ladder without reviews, that any has."""
    if not ladder.is_reviewed:
        return max(ladder.qualification.totals(values, calendar).values(), default=ZERO)
    return max(_open_windows(ladder, standing, values, calendar).values())


def is_too_late(ladder: Ladder, standing: Standing, day: date) -> bool:
    """Whether what counts on that day, or in the meter that starts on it, lies before all windows that are open."""
    return ladder.is_reviewed and standing.open_from is not None and day < standing.open_from


def kept_until(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar) -> datetime | None:
    """When the tier goes if nothing more is counted; None where it never does. The standing is up to date."""
    if not standing.level:
        return None
    ahead = replace(standing, peaks=dict(standing.peaks))
    while (due := next_due(ladder, ahead, calendar)) is not None:
        if _step(ladder, ahead, values, calendar, due).after < standing.level:
            return due
        if ahead.override is not None and ahead.override.until is None:
            return None
        if ladder.is_reviewed and _is_used_up(ahead, values):
            # Only the override still holds it: however far off, there is no window to look at before its end.
            return None if ahead.override is None else ahead.override.until
    return None


def project(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar, *, now: datetime) -> int:
    """The level after the review of the present window, if nothing more is counted. The standing is up to date."""
    ahead = replace(standing, peaks=dict(standing.peaks))
    qualification = ladder.qualification
    present = qualification.start(local_day(now, calendar.time_zone), calendar)
    ends_on = qualification.end(present, calendar)
    while (due := next_due(ladder, ahead, calendar)) is not None:
        # By their ends: where the zone was corrected, the open year may have begun on another day.
        if ahead.open_from is not None and qualification.end(ahead.open_from, calendar) > ends_on:
            break
        _step(ladder, ahead, values, calendar, due)
    return ahead.level


def _step(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar, due: datetime) -> Review:
    """Do what is due at `due`: end the override, or review the oldest open window."""
    before = standing.level
    if standing.override is not None and standing.override.until == due:
        standing.override, standing.level, standing.changed = None, standing.earned, True
        return Review(Cause.OVERRIDE_ENDED, due, before, standing.level)
    starts_on = standing.open_from
    assert starts_on is not None
    value = _close(ladder, standing, values, calendar)
    follow(ladder, standing, values, calendar)
    ends_on = ladder.qualification.end(starts_on, calendar)
    return Review(Cause.REVIEWED, due, before, standing.level, starts_on, ends_on, value)


def _close(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar) -> Decimal:
    """Close the oldest open window: what it leaves is carried on. What it counted."""
    assert standing.open_from is not None
    value = ladder.qualification.value(standing.open_from, values, calendar)
    earned = ladder.earned(value).level
    lowered = 0 if ladder.downgrade is Downgrade.TO_EARNED else standing.carried - 1
    standing.carried = max(earned, lowered)
    standing.open_from = ladder.qualification.following(standing.open_from, calendar)
    for start in [one for one in standing.peaks if one < standing.open_from]:
        del standing.peaks[start]
    standing.changed = True
    return value


def _is_used_up(standing: Standing, values: Values) -> bool:
    """Whether nothing is carried, and nothing counted or kept in a window that is still open."""
    assert standing.open_from is not None
    return not (standing.carried or standing.peaks or any(day >= standing.open_from for day in values))


def _earned_in_open(ladder: Ladder, standing: Standing, values: Values, calendar: Calendar) -> int:
    """The highest level of the open windows."""
    assert standing.open_from is not None
    qualification = ladder.qualification
    if ladder.returns_take and not qualification.is_summed:
        return decide(ladder, (value for day, value in values.items() if day >= standing.open_from)).level
    windows = _open_windows(ladder, standing, values, calendar)
    levels = {start: ladder.earned(value).level for start, value in windows.items()}
    if not ladder.returns_take:
        for start, level in levels.items():
            if level > standing.peaks.get(start, 0):
                standing.peaks[start], standing.changed = level, True
        levels = standing.peaks
    return max(levels.values(), default=0)


def _open_windows(
    ladder: Ladder, standing: Standing, values: Values, calendar: Calendar
) -> dict[date, Decimal]:
    """What was counted in the oldest open window, and in the later ones in which anything was."""
    open_from, qualification = standing.open_from, ladder.qualification
    assert open_from is not None
    later = {
        start: value for start, value in qualification.totals(values, calendar).items() if start > open_from
    }
    return {open_from: qualification.value(open_from, values, calendar), **later}
