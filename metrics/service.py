"""Metrics are created, and the series of meters that watchers want kept.

A metric is immutable. A series is identical to another where metric, period, calendar and range are, and then it is the
same one: a board and a tier ladder over the same windows share their meters.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from activity.rules import RETURN, SALE
from base.database import Connection
from base.errors import Invalid
from metrics.rules import POINTS, Measure
from metrics.windows import WindowSpec
from partners.attributes import check_conditions
from partners.checks import (
    check_code,
    check_count,
    check_decimal,
    check_known,
    check_name,
    check_unique,
    decimal_text,
    item_path,
    unknown,
)
from partners.configuration import (
    LockedProgram,
    configure,
    hold_activities,
    lock_program,
    raise_config_version,
    settle_key,
)
from partners.deciding import let_attributes_decide

FIND: Final = (
    "SELECT id, name, activity_kinds, measure, line_filter FROM metric WHERE program_id = $1 AND key = $2"
)
REFERENCES: Final = "SELECT id, key, measure FROM metric WHERE program_id = $1 AND key = ANY($2::text[])"
ADD: Final = """
INSERT INTO metric (program_id, key, name, activity_kinds, measure, line_filter, created_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5, $6::text::jsonb, $7) RETURNING id
"""
KNOWN_SKUS: Final = "SELECT sku FROM product WHERE program_id = $1 AND sku = ANY($2::text[]) AND current"

# The row that stands for exactly this metric, period, calendar and range.
FIND_SERIES: Final = """
SELECT id FROM meter_series
WHERE program_id = $1 AND metric_id = $2 AND period = $3
  AND (time_zone, starts_at, ends_at) IS NOT DISTINCT FROM ($4::text, $5::timestamptz, $6::timestamptz)
"""
HAS_ACTIVITIES: Final = "SELECT EXISTS (SELECT FROM activity WHERE program_id = $1)"
# A series of a program without activities lacks none of them: it is filled from the start.
ADD_SERIES: Final = """
INSERT INTO meter_series (program_id, metric_id, period, time_zone, starts_at, ends_at, filled_at, reviewed_through,
                          created_at)
SELECT $1, $2, $3, $4, $5, $6, CASE WHEN NOT past.stands THEN now() END, CASE WHEN past.stands THEN 0 END, now()
FROM (SELECT EXISTS (SELECT FROM activity WHERE program_id = $1) AS stands) past
ON CONFLICT (program_id, metric_id, period, time_zone, starts_at, ends_at) DO NOTHING
RETURNING id
"""


# Nothing to go through where the program has no activity yet.
REVISIT_SERIES: Final = """
UPDATE meter_series SET reviewed_through = 0
WHERE program_id = $1 AND id = ANY($2::bigint[]) AND EXISTS (SELECT FROM activity a WHERE a.program_id = $1)
"""


@dataclass(frozen=True, slots=True)
class FilterInput:
    """Which lines count: those that meet every condition that is set. An empty list sets none."""

    skus: Sequence[str] = ()
    categories: Sequence[str] = ()
    brands: Sequence[str] = ()
    min_amount: Decimal | None = None
    attributes: Mapping[str, Any] | None = None
    """By name, one value or a list of those that count: texts, numbers, true or false."""
    max_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class MetricInput:
    """A metric to create. `activity_kinds` left out: SALE, or every kind for a measure of points."""

    key: str
    name: str
    measure: Measure
    activity_kinds: Sequence[str] | None = None
    filter: FilterInput | None = None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric as it stands."""

    id: int
    key: str
    name: str
    activity_kinds: tuple[str, ...]
    measure: Measure


@dataclass(frozen=True, slots=True)
class MetricReference:
    """What another room needs of a metric that it names by key."""

    id: int
    measure: Measure


async def ensure_series(connection: Connection, *, program_id: int, metric_id: int, spec: WindowSpec) -> int:
    """The id of the series of these windows, made where there is none.

    It takes the program's lock, so it belongs into the transaction of a change of configuration. A series that is new
    while the program has activities is filled later: `filled_at` stays null until then.
    """
    await lock_program(connection, program_id)
    window = (spec.period.value, spec.time_zone, spec.starts_at, spec.ends_at)
    found: int | None = await connection.fetchval(FIND_SERIES, program_id, metric_id, *window)
    if found is None:
        if not await connection.fetchval(HAS_ACTIVITIES, program_id):
            await hold_activities(connection, program_id)  # the first one may be on its way
        found = await connection.fetchval(ADD_SERIES, program_id, metric_id, *window)
    assert found is not None, "the program's lock keeps others from adding it"
    return found


async def revisit_series(connection: Connection, *, program_id: int, series_ids: Sequence[int]) -> None:
    """Have these series gone through again: a watcher begins, and what counted before it counts for it too."""
    await connection.execute(REVISIT_SERIES, program_id, series_ids)


async def create_metric(*, program_id: int, metric: MetricInput, now: datetime) -> MetricRow:
    """Create a metric; the same again answers the one that stands. KEY_TAKEN where it has another content."""
    return await configure(program_id, lambda connection, program: _create(connection, program, metric, now))


async def _create(
    connection: Connection, program: LockedProgram, metric: MetricInput, now: datetime
) -> MetricRow:
    check_code(metric.key, ["key"])
    check_name(metric.name, ["name"])
    kinds = _check_kinds(metric, known=program.activity_kinds)
    if metric.measure in POINTS and metric.filter is not None:
        raise Invalid("points are counted without a filter", code="NOT_SUPPORTED", field=["filter"])
    line_filter = await check_filter(connection, program_id=program.id, given=metric.filter)
    await note_filter(connection, program_id=program.id, line_filter=line_filter)
    asked = {
        "name": metric.name,
        "activity_kinds": kinds,
        "measure": metric.measure.value,
        "line_filter": line_filter,
    }
    found = await connection.fetchrow(FIND, program.id, metric.key)
    if found is not None:
        settle_key(
            metric.key,
            stored={
                "name": found["name"],
                "activity_kinds": orjson.loads(found["activity_kinds"]),
                "measure": found["measure"],
                "line_filter": orjson.loads(found["line_filter"]),
            },
            asked=asked,
        )
        id_ = found["id"]
    else:
        stored = (orjson.dumps(kinds).decode(), metric.measure.value, orjson.dumps(line_filter).decode())
        id_ = await connection.fetchval(ADD, program.id, metric.key, metric.name, *stored, now)
        await raise_config_version(connection, program.id)
    return MetricRow(id_, metric.key, metric.name, tuple(kinds), metric.measure)


def _check_kinds(metric: MetricInput, *, known: Collection[str]) -> list[str]:
    """The kinds that count, sorted. A RETURN never counts by itself: it takes from what it reverses."""
    if metric.activity_kinds is None:
        kinds = [] if metric.measure in POINTS else [SALE]
    else:
        kinds = list(metric.activity_kinds)
        check_count(kinds, ["activityKinds"], least=0 if metric.measure in POINTS else 1)
    check_known(kinds, known, ["activityKinds"], noun="kind")
    check_unique(kinds, ["activityKinds"])
    if RETURN in kinds:
        raise Invalid(
            "a RETURN takes from what it reverses and does not count by itself",
            code="NOT_SUPPORTED",
            field=item_path(["activityKinds"], kinds.index(RETURN)),
        )
    return sorted(kinds)


async def check_filter(
    connection: Connection, *, program_id: int, given: FilterInput | None, field: Sequence[str] = ("filter",)
) -> dict[str, object]:
    """A line filter as it is stored. SKUs must exist; categories and brands may come with a later product.

    UNKNOWN_SKU, INVALID_CODE, DUPLICATE, TOO_MANY, INVALID_ATTRIBUTES, and those of `check_decimal`.
    """
    if given is None:
        return {}
    stored: dict[str, object] = {}
    for name, codes in (("skus", given.skus), ("categories", given.categories), ("brands", given.brands)):
        path = [*field, name]
        check_count(codes, path)
        for index, code in enumerate(codes):
            check_code(code, item_path(path, index))
        check_unique(codes, path)
        if codes:
            stored[name] = sorted(codes)
    if given.skus:
        rows = await connection.fetch(KNOWN_SKUS, program_id, list(given.skus))
        check_known(given.skus, (row["sku"] for row in rows), [*field, "skus"], noun="sku")
    if given.min_amount is not None:
        least = check_decimal(given.min_amount, [*field, "minAmount"], least=Decimal(0))
        stored["min_amount"] = decimal_text(least)
    if given.max_amount is not None:
        most = check_decimal(given.max_amount, [*field, "maxAmount"], least=Decimal(0))
        if given.min_amount is not None and most < given.min_amount:
            raise Invalid("must not be below minAmount", code="INVALID_NUMBER", field=[*field, "maxAmount"])
        stored["max_amount"] = decimal_text(most)
    if attributes := check_conditions(given.attributes, [*field, "attributes"]):
        stored["attributes"] = attributes
    return stored


async def note_filter(connection: Connection, *, program_id: int, line_filter: Mapping[str, Any]) -> None:
    """What a filter that is kept asks for of attributes decides from now on."""
    names = line_filter.get("attributes", ())
    await let_attributes_decide(connection, program_id=program_id, names=names)


async def find_metrics(
    connection: Connection, *, program_id: int, references: Mapping[tuple[str, ...], str]
) -> dict[str, MetricReference]:
    """The program's metrics by key. `references` holds the keys by their paths in the input. UNKNOWN_METRIC."""
    rows = await connection.fetch(REFERENCES, program_id, list(references.values()))
    found = {row["key"]: MetricReference(row["id"], Measure(row["measure"])) for row in rows}
    for path, key in references.items():
        if key not in found:
            raise unknown("metric", key, path)
    return found


async def find_metric(
    connection: Connection, *, program_id: int, key: str, field: Sequence[str] = ("metric",)
) -> MetricReference:
    """The program's metric of that key. UNKNOWN_METRIC."""
    return (await find_metrics(connection, program_id=program_id, references={tuple(field): key}))[key]
