"""The meters' rows: loaded in one statement for all that a batch may move, written in one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from activity.rules import ZERO
from base.database import Connection
from metrics.rules import DISTINCT, Meter, MeterKey, Series

NEVER: Final = datetime.min.replace(tzinfo=UTC)

LOAD: Final = """
SELECT m.series_id, m.window_start, m.partner_id, m.value, m.reached_at, m.version
FROM unnest($2::bigint[], $3::date[], $4::bigint[]) AS k (series_id, window_start, partner_id)
JOIN meter m ON m.program_id = $1 AND m.series_id = k.series_id AND m.window_start = k.window_start
            AND m.partner_id = k.partner_id
"""
LOAD_PARTS: Final = """
SELECT p.series_id, p.window_start, p.partner_id, p.part, p.count
FROM unnest($2::bigint[], $3::date[], $4::bigint[]) AS k (series_id, window_start, partner_id)
JOIN meter_part p ON p.program_id = $1 AND p.series_id = k.series_id AND p.window_start = k.window_start
                 AND p.partner_id = k.partner_id
"""
# Every window of some series, for some partners.
LOAD_WINDOWS: Final = """
SELECT series_id, window_start, partner_id, value, reached_at, version
FROM meter WHERE program_id = $1 AND series_id = ANY($2::bigint[]) AND partner_id = ANY($3::bigint[])
"""
# The partners' locks make this the only writer of the rows.
SAVE: Final = """
INSERT INTO meter (program_id, series_id, window_start, partner_id, value, reached_at, version)
SELECT $1, * FROM unnest($2::bigint[], $3::date[], $4::bigint[], $5::numeric[], $6::timestamptz[], $7::bigint[])
ON CONFLICT (program_id, series_id, window_start, partner_id)
DO UPDATE SET value = excluded.value, reached_at = excluded.reached_at, version = excluded.version
"""
SAVE_PARTS: Final = """
INSERT INTO meter_part (program_id, series_id, window_start, partner_id, part, count)
SELECT $1, * FROM unnest($2::bigint[], $3::date[], $4::bigint[], $5::text[], $6::numeric[])
ON CONFLICT (program_id, series_id, window_start, partner_id, part) DO UPDATE SET count = excluded.count
"""


class Meters(dict[MeterKey, Meter]):
    """The meters of a batch. A key that has no row yet starts from nothing."""

    def __init__(self, series: Mapping[int, Series]) -> None:
        super().__init__()
        self._series = series

    def __missing__(self, key: MeterKey) -> Meter:
        distinct = self._series[key[0]].metric.measure in DISTINCT
        meter = self[key] = Meter(ZERO, NEVER, 0, {} if distinct else None)
        return meter

    def value(self, key: MeterKey) -> Decimal:
        """What the meter stands at; zero where there is none."""
        meter = self.get(key)
        return meter.value if meter is not None else ZERO


def _columns(keys: Sequence[MeterKey]) -> tuple[list[int], list[date], list[int]]:
    return [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]


async def load_meters(
    connection: Connection, *, program_id: int, series: Mapping[int, Series], keys: Iterable[MeterKey]
) -> Meters:
    """The meters of `keys`, and what a distinct count has seen: one statement, two where something is distinct."""
    meters = Meters(series)
    wanted = list(keys)
    if not wanted:
        return meters
    for row in await connection.fetch(LOAD, program_id, *_columns(wanted)):
        series_id, window_start, partner_id, value, reached_at, version = row
        parts: dict[str, Decimal] | None = {} if series[series_id].metric.measure in DISTINCT else None
        meters[series_id, window_start, partner_id] = Meter(value, reached_at, version, parts)
    distinct = [key for key in wanted if series[key[0]].metric.measure in DISTINCT]
    if distinct:
        for row in await connection.fetch(LOAD_PARTS, program_id, *_columns(distinct)):
            parts = meters[row["series_id"], row["window_start"], row["partner_id"]].parts
            assert parts is not None
            parts[row["part"]] = row["count"]
    return meters


async def load_windows(
    connection: Connection,
    *,
    program_id: int,
    series_ids: Sequence[int],
    partner_ids: Sequence[int],
    into: Meters,
) -> None:
    """Every window of these series for these partners, into `into`; what stands there already stays.

    Without the parts of a distinct count: these are for reading.
    """
    for row in await connection.fetch(LOAD_WINDOWS, program_id, series_ids, partner_ids):
        key = (row["series_id"], row["window_start"], row["partner_id"])
        if key not in into:
            into[key] = Meter(row["value"], row["reached_at"], row["version"])


async def save_meters(connection: Connection, *, program_id: int, meters: Meters) -> None:
    """Write the meters that moved."""
    moved = [(key, meter) for key, meter in meters.items() if meter.moved]
    if not moved:
        return
    await connection.execute(
        SAVE,
        program_id,
        *_columns([key for key, _ in moved]),
        [meter.value for _, meter in moved],
        [meter.reached_at for _, meter in moved],
        [meter.version for _, meter in moved],
    )
    parts = [
        (key, part, meter.parts[part]) for key, meter in moved if meter.parts for part in meter.moved_parts
    ]
    if parts:
        keys, names, counts = zip(*parts, strict=True)
        await connection.execute(SAVE_PARTS, program_id, *_columns(keys), names, counts)
