"""Badges are created: with a metric they are awarded level by level, without one by missions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

import orjson

from base.database import Connection
from base.errors import Invalid
from metrics.service import ensure_series, find_metric, revisit_series
from metrics.windows import Period, WindowSpec
from partners.checks import check_code, check_count, check_decimal, check_name, decimal_text, item_path
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key

MOST_LEVELS: Final = 100
ONE_LEVEL: Final = ["1"]
"""The levels of a badge that missions award."""

FIND: Final = "SELECT id, name, metric_id, levels, hidden FROM badge WHERE program_id = $1 AND key = $2"
ADD: Final = """
INSERT INTO badge (program_id, key, name, metric_id, series_id, levels, hidden, created_at, created_version)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8, $9) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class BadgeInput:
    """A badge to create. `levels` are thresholds on the lifetime of `metric`, by key: both or neither."""

    key: str
    name: str
    metric: str | None = None
    levels: Sequence[Decimal] | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class StoredBadge:
    """A badge's own row."""

    id: int
    key: str
    name: str
    levels: tuple[Decimal, ...]
    hidden: bool


async def create_badge(*, program_id: int, badge: BadgeInput, now: datetime) -> StoredBadge:
    """Create a badge; the same again answers the one that stands.

    KEY_TAKEN where it has another content; UNKNOWN_METRIC, REQUIRED, NOT_RISING, NOT_POSITIVE, TOO_PRECISE, and
    NOT_SUPPORTED for levels without a metric.
    """
    check_code(badge.key, ["key"])
    check_name(badge.name, ["name"])
    levels = _check_levels(badge)
    return await configure(
        program_id, lambda connection, program: _create(connection, program, badge, levels, now)
    )


def _check_levels(badge: BadgeInput) -> list[str]:
    """The thresholds as they are stored."""
    if badge.metric is None:
        if badge.levels:
            raise Invalid(
                "levels are thresholds on a metric: name one", code="NOT_SUPPORTED", field=["levels"]
            )
        return ONE_LEVEL
    levels = badge.levels or ()
    check_count(levels, ["levels"], least=1, most=MOST_LEVELS)
    for index, level in enumerate(levels):
        check_decimal(level, item_path(["levels"], index), above=Decimal(0))
    for index, (lower, upper) in enumerate(pairwise(levels), start=1):
        if upper <= lower:
            path = item_path(["levels"], index)
            raise Invalid("must be above the level before it", code="NOT_RISING", field=path)
    return [decimal_text(level) for level in levels]


async def _create(
    connection: Connection, program: LockedProgram, badge: BadgeInput, levels: list[str], now: datetime
) -> StoredBadge:
    metric_id = None
    if badge.metric is not None:
        metric_id = (await find_metric(connection, program_id=program.id, key=badge.metric)).id
    asked = {"name": badge.name, "metric_id": metric_id, "levels": levels, "hidden": badge.hidden}
    found = await connection.fetchrow(FIND, program.id, badge.key)
    if found is not None:
        settle_key(badge.key, stored={**found, "levels": orjson.loads(found["levels"])}, asked=asked)
        id_ = found["id"]
    else:
        series_id = None
        if metric_id is not None:
            spec = WindowSpec(Period.LIFETIME)
            series_id = await ensure_series(connection, program_id=program.id, metric_id=metric_id, spec=spec)
            await revisit_series(connection, program_id=program.id, series_ids=[series_id])
        content = (badge.name, metric_id, series_id, orjson.dumps(levels).decode(), badge.hidden)
        version = await raise_config_version(connection, program.id)
        id_ = await connection.fetchval(ADD, program.id, badge.key, *content, now, version)
    return StoredBadge(id_, badge.key, badge.name, tuple(Decimal(level) for level in levels), badge.hidden)
