"""The meters' rows: what reads and writes them, in sets."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from activity.rules import EARLIEST, ZERO
from base.database import Rows, Statement
from metrics.rules import DISTINCT, Meter, MeterKey, Series

NEVER: Final = EARLIEST
"""When a meter was reached that nothing has reached yet."""

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


def read_meters(*, program_id: int, keys: Sequence[MeterKey]) -> Statement:
    """The meters of `keys`."""
    return Statement(LOAD, (program_id, *_columns(keys)))


def read_parts(*, program_id: int, series: Mapping[int, Series], keys: Sequence[MeterKey]) -> Statement:
    """What the distinct counts among `keys` have seen."""
    distinct = [key for key in keys if series[key[0]].metric.measure in DISTINCT]
    return Statement(LOAD_PARTS, (program_id, *_columns(distinct)))


def read_windows(*, program_id: int, series_ids: Sequence[int], partner_ids: Sequence[int]) -> Statement:
    """Every window of these series for these partners. Without the parts of a distinct count: for looking only."""
    return Statement(LOAD_WINDOWS, (program_id, series_ids, partner_ids))


def build_meters(*, series: Mapping[int, Series], rows: Rows, parts: Rows, windows: Rows) -> Meters:
    """The meters of what was read: `rows` with their `parts`, and of `windows` what `rows` has not."""
    meters = Meters(series)
    for series_id, window_start, partner_id, value, reached_at, version in rows:
        seen: dict[str, Decimal] | None = {} if series[series_id].metric.measure in DISTINCT else None
        meters[series_id, window_start, partner_id] = Meter(value, reached_at, version, seen)
    for series_id, window_start, partner_id, part, count in parts:
        stored = meters[series_id, window_start, partner_id].parts
        assert stored is not None
        stored[part] = count
    for series_id, window_start, partner_id, value, reached_at, version in windows:
        meters.setdefault((series_id, window_start, partner_id), Meter(value, reached_at, version))
    return meters


def write_meters(*, program_id: int, meters: Meters) -> tuple[Statement, Statement]:
    """The meters that moved, and the parts that did."""
    moved = [(key, meter) for key, meter in meters.items() if meter.moved]
    parts = [
        (key, part, meter.parts[part]) for key, meter in moved if meter.parts for part in meter.moved_parts
    ]
    return (
        Statement(
            SAVE,
            (
                program_id,
                *_columns([key for key, _ in moved]),
                [meter.value for _, meter in moved],
                [meter.reached_at for _, meter in moved],
                [meter.version for _, meter in moved],
            ),
        ),
        Statement(
            SAVE_PARTS,
            (
                program_id,
                *_columns([key for key, _, _ in parts]),
                [part for _, part, _ in parts],
                [count for _, _, count in parts],
            ),
        ),
    )
