"""The meters, counted again from the journal by the very code that counted them live, page by page of partners.

A page is one snapshot of the database, so that activities which arrive meanwhile disturb nothing. Series that are still
being filled are left out, and the finding says how many.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from activity.journal import load_history
from activity.rules import Activity
from base.database import Connection, reading
from game.loading import check_version, load_points, load_rewards_apart
from game.plan import load_plan
from metrics.counting import Counting
from metrics.history import recount
from metrics.meters import Meters
from metrics.rules import MeterKey
from metrics.windows import label, local_day
from ops.audit.check import Check, Finding, sql_check
from ops.audit.paging import begun_anew, read_pages

STORED: Final = """
SELECT series_id, window_start, partner_id, value, reached_at FROM meter
WHERE program_id = $1 AND series_id = ANY($2::bigint[]) AND partner_id = ANY($3::bigint[])
"""

Stored: TypeAlias = dict[MeterKey, tuple[Decimal, datetime]]
"""Value, and when it was reached."""

PARTS: Final = sql_check(
    "distinct counts",
    "a distinct count is the number of its parts above zero",
    rows="SELECT count(*) FROM meter_part WHERE program_id = $1",
    wrong="""
    SELECT 'series ' || t.series_id || ' window ' || t.window_start || ' partner ' || t.partner_id
    FROM meter t
    JOIN meter_series s ON s.program_id = $1 AND s.id = t.series_id
    JOIN metric m ON m.program_id = $1 AND m.id = s.metric_id AND m.measure IN ('DISTINCT_PRODUCTS', 'DISTINCT_DAYS')
    LEFT JOIN (SELECT series_id, window_start, partner_id, count(*) FILTER (WHERE count > 0) AS parts
               FROM meter_part WHERE program_id = $1 GROUP BY series_id, window_start, partner_id) p
           ON p.series_id = t.series_id AND p.window_start = t.window_start AND p.partner_id = t.partner_id
    WHERE t.program_id = $1 AND t.value <> coalesce(p.parts, 0)
    """,
)


async def look_at_meters(program_id: int) -> Finding:
    """Recount every meter of every filled series, and compare value and time."""
    async with reading() as connection:
        plan = await load_plan(connection, program_id)
    counting = Counting(one for one in plan.counting.series.values() if one.id not in plan.unfilled)

    async def read(connection: Connection, partner_ids: list[int]) -> tuple[Stored, Meters, list[str]]:
        await check_version(connection, plan)
        return await _read(connection, counting, program_id, partner_ids)

    left_out = len(plan.unfilled)
    note = f"left out: {left_out} series that are still being filled" if left_out else ""
    found = Finding(0, 0, note=note)
    async for stored, true, wrong in read_pages(program_id, read):
        wrong += compare(counting, stored=stored, true=true)
        found = found.add(len(stored.keys() | true.keys()), wrong)
    return found


async def _read(
    connection: Connection, counting: Counting, program_id: int, partner_ids: list[int]
) -> tuple[Stored, Meters, list[str]]:
    """The meters of these partners as they stand, and as the journal counts them; and what is wrong with its days."""
    history = await load_history(connection, program_id=program_id, partner_ids=partner_ids)
    points = await load_points(connection, program_id=program_id, activity_ids=list(history))
    apart = await load_rewards_apart(connection, program_id=program_id, partner_ids=partner_ids)
    rows = await connection.fetch(STORED, program_id, list(counting.series), partner_ids)
    stored = {
        (row["series_id"], row["window_start"], row["partner_id"]): (row["value"], row["reached_at"])
        for row in rows
    }
    activities = [original.activity for original in history.values()]
    return stored, recount(counting, history.values(), points, list(apart.values())), compare_days(activities)


def compare_days(activities: Iterable[Activity]) -> list[str]:
    """Name the activities that stand on another day than that of the zone that they were counted in."""
    return [
        f"activity {one.source} {one.external_id} counts on {one.local_date}, not {day}"
        for one in activities
        if (day := local_day(one.occurred_at, one.time_zone)) != one.local_date
    ]


def compare(counting: Counting, *, stored: Stored, true: Meters) -> list[str]:
    """Name the meters that are not as the journal has them. One that nothing counts for any more keeps its time."""
    wrong = []
    for key in sorted(stored.keys() | true.keys()):
        value, reached_at = stored.get(key, (Decimal(0), None))
        counted = true.get(key)
        expected = Decimal(0) if counted is None else counted.value
        if value != expected:
            wrong.append(f"{_name(counting, key)}: {value:f}, not {expected:f}")
        elif counted is not None and reached_at != counted.reached_at:
            wrong.append(f"{_name(counting, key)}: reached at {reached_at}, not {counted.reached_at}")
    return wrong


def _name(counting: Counting, key: MeterKey) -> str:
    series = counting.series[key[0]]
    window = label(series.spec.period, key[1])
    return f"{series.metric.key} {series.spec.period.value.lower()} {window} partner {key[2]}"


METERS: Final = Check(
    "meters",
    "each meter is what the journal counts to on its partner's days, and was reached when the last of it occurred",
    begun_anew(look_at_meters),
)
