"""Reads of the tier ladder, and of where partners stand on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from base.database import Connection
from loyalty.tiers.periods import Calendar, Values
from loyalty.tiers.queries import load_rules
from loyalty.tiers.reviews import bring_up_to_date, kept_until, project
from loyalty.tiers.rules import Ladder, Override, Standing, Tier
from loyalty.tiers.standings import build_standing
from metrics.windows import local_day

# Whether the past is still being counted into the series that the ladder goes by.
COUNTING_PAST: Final = """
SELECT EXISTS (SELECT FROM tier_ladder l JOIN meter_series s ON s.program_id = l.program_id AND s.id = l.series_id
               WHERE l.program_id = $1 AND (s.filled_at IS NULL OR s.reviewed_through IS NOT NULL))
"""
METRIC: Final = "SELECT metric_id FROM tier_ladder WHERE program_id = $1"
# The partners' places, each with the ladder's meters in the window that is named for it, or from there on.
PLACES: Final = """
SELECT k.partner_id, s.level, s.since, s.earned, s.carried, s.open_from, s.review_at, s.peaks::text AS peaks,
       s.override_level, s.override_until, m.days, m.counts
FROM unnest($3::bigint[], $4::date[]) AS k (partner_id, window_start)
LEFT JOIN tier_standing s ON s.program_id = $1 AND s.partner_id = k.partner_id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(m.window_start), '{{}}') AS days, coalesce(array_agg(m.value), '{{}}') AS counts
    FROM meter m WHERE m.program_id = $1 AND m.series_id = $2 AND m.partner_id = k.partner_id AND {window}
) m
"""
IN_WINDOW: Final = PLACES.format(window="m.window_start = k.window_start")
FROM_WINDOW: Final = PLACES.format(window="m.window_start >= least(k.window_start, s.open_from)")


@dataclass(frozen=True, slots=True)
class LadderRow:
    """The program's ladder, and the metric that earns its tiers."""

    metric_id: int
    rules: Ladder

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The steps from the lowest."""
        return self.rules.tiers


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A partner's place.

    `since` is None for one that never moved; `qualifying` is what the present window has counted, and `projected` the
    level after its review if that is all. `kept_until` is when the tier goes then, None where it never does. `earned`
    is the level without the `override`, where a person gave one.
    """

    level: int
    since: datetime | None
    qualifying: Decimal
    kept_until: datetime | None
    projected: int
    earned: int
    override: Override | None


async def load_ladder(connection: Connection, *, program_id: int) -> LadderRow | None:
    """The program's ladder, where it has one."""
    rules = await load_rules(connection, program_id=program_id)
    if rules is None:
        return None
    return LadderRow(await connection.fetchval(METRIC, program_id), rules)


async def is_counting_past(connection: Connection, *, program_id: int) -> bool:
    """Whether the ladder's meters do not hold the whole past yet: what partners have earned follows when they do."""
    counting: bool = await connection.fetchval(COUNTING_PAST, program_id)
    return counting


async def load_standings(
    connection: Connection,
    *,
    program_id: int,
    ladder: Ladder,
    calendars: Mapping[int, Calendar],
    now: datetime,
) -> dict[int, StandingRow]:
    """Where these partners stand, by their ids, with all reviews that are due by `now`: the job may be late."""
    windows = [ladder.qualification.start(local_day(now, one.time_zone), one) for one in calendars.values()]
    is_alone = not ladder.is_reviewed and not ladder.qualification.is_summed
    query = IN_WINDOW if is_alone else FROM_WINDOW
    rows = await connection.fetch(query, program_id, ladder.series_id, list(calendars), windows)
    found = {}
    for row in rows:
        partner_id, *columns, days, counts = row
        standing = Standing(0, None) if columns[0] is None else build_standing(*columns)
        values = dict(zip(days, counts, strict=True))
        found[partner_id] = _place(ladder, standing, values, calendars[partner_id], now)
    return found


def _place(
    ladder: Ladder, standing: Standing, values: Values, calendar: Calendar, now: datetime
) -> StandingRow:
    present = ladder.qualification.start(local_day(now, calendar.time_zone), calendar)
    since = standing.since
    for review in bring_up_to_date(ladder, standing, values, calendar, now=now):
        since = since if review.before == review.after else review.at
    return StandingRow(
        level=standing.level,
        since=since,
        qualifying=ladder.qualification.value(present, values, calendar),
        kept_until=kept_until(ladder, standing, values, calendar),
        projected=project(ladder, standing, values, calendar, now=now),
        earned=standing.earned,
        override=standing.override,
    )
