"""Reads of the metrics that a program counts with."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from base.database import Connection

METRICS: Final = """
SELECT id, key, name, activity_kinds, measure, line_filter FROM metric WHERE program_id = $1 ORDER BY key
"""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """What is counted."""

    id: int
    key: str
    name: str
    activity_kinds: tuple[str, ...]
    measure: str
    line_filter: dict[str, Any]


async def load_metrics(connection: Connection, *, program_id: int) -> list[MetricRow]:
    """All metrics of the program, by key."""
    return [
        MetricRow(
            row["id"],
            row["key"],
            row["name"],
            tuple(orjson.loads(row["activity_kinds"])),
            row["measure"],
            orjson.loads(row["line_filter"]),
        )
        for row in await connection.fetch(METRICS, program_id)
    ]
