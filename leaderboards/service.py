"""Leaderboards are created: a metric, how often it starts anew, who takes part and by what it also ranks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from base.database import Connection
from base.errors import Invalid
from leaderboards.queries import BoardView, find_leaderboard
from leaderboards.rules import Grouping
from leaderboards.seasons import ensure_seasons
from loyalty.tiers.queries import known_tiers
from metrics.service import ensure_series, find_metric
from metrics.windows import Period, WindowSpec
from partners.audiences import AudienceInput, check_audience
from partners.checks import check_code, check_dates, check_name, check_time_zone
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key

ZONE: Final = "SELECT time_zone FROM program WHERE id = $1"
ADD: Final = """
INSERT INTO leaderboard (program_id, key, name, metric_id, series_id, period, time_zone, starts_at, ends_at, audience,
                         group_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12)
"""


@dataclass(frozen=True, slots=True)
class LeaderboardInput:
    """A leaderboard to create. Its windows are those of `time_zone`, the program's where left out.

    A FIXED one has one season, `[starts_at, ends_at)`; of any other the two say from when until when it has seasons.
    """

    key: str
    name: str
    metric: str
    period: Period
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    time_zone: str | None = None
    audience: AudienceInput | None = None
    group_by: Grouping = Grouping.NONE


async def create_leaderboard(*, program_id: int, leaderboard: LeaderboardInput, now: datetime) -> BoardView:
    """Create a leaderboard with its present season; the same again answers the one that stands.

    KEY_TAKEN where it has another content; INVALID_CODE, INVALID_NAME, UNKNOWN_METRIC, INVALID_PERIOD,
    INVALID_TIME_ZONE, REQUIRED for a FIXED one without a start, ENDS_BEFORE_START, ZONE_MISSING, and those of
    `check_audience`.
    """
    check_code(leaderboard.key, ["key"])
    check_name(leaderboard.name, ["name"])
    check_dates(leaderboard.starts_at, leaderboard.ends_at)
    if leaderboard.time_zone is not None:
        check_time_zone(leaderboard.time_zone, ["timeZone"])
    if leaderboard.period is Period.LIFETIME:
        raise Invalid("a leaderboard has a period or fixed dates", code="INVALID_PERIOD", field=["period"])
    if leaderboard.period is Period.FIXED and leaderboard.starts_at is None:
        raise Invalid("a fixed leaderboard has a start", code="REQUIRED", field=["startsAt"])
    return await configure(
        program_id, lambda connection, program: _create(connection, program, leaderboard, now)
    )


async def _create(
    connection: Connection, program: LockedProgram, given: LeaderboardInput, now: datetime
) -> BoardView:
    metric = await find_metric(connection, program_id=program.id, key=given.metric)
    tiers = await known_tiers(connection, program_id=program.id)
    audience = await check_audience(connection, program_id=program.id, given=given.audience, tiers=tiers)
    time_zone = given.time_zone or await connection.fetchval(ZONE, program.id)
    asked = {
        "name": given.name,
        "metric": given.metric,
        "period": given.period,
        "time_zone": time_zone,
        "starts_at": given.starts_at,
        "ends_at": given.ends_at,
        "audience": audience,
        "group_by": given.group_by,
    }
    found = await find_leaderboard(connection, program_id=program.id, key=given.key)
    if found is not None:
        settle_key(given.key, stored={name: getattr(found.board, name) for name in asked}, asked=asked)
        return found
    spec = (
        WindowSpec(given.period, None, given.starts_at, given.ends_at)
        if given.period is Period.FIXED
        else WindowSpec(given.period, time_zone)
    )
    series_id = await ensure_series(connection, program_id=program.id, metric_id=metric.id, spec=spec)
    stored_audience = orjson.dumps(audience.to_json()).decode()
    await connection.execute(
        ADD, program.id, given.key, given.name, metric.id, series_id, given.period.value, time_zone,
        given.starts_at, given.ends_at, stored_audience, given.group_by.value, now,
    )  # fmt: skip
    await raise_config_version(connection, program.id)
    await ensure_seasons(connection, program_id=program.id, key=given.key, now=now)
    created = await find_leaderboard(connection, program_id=program.id, key=given.key)
    assert created is not None
    return created
