"""Reads of the earning rules."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from base.database import Connection

# The newest version of each rule.
RULES: Final = """
SELECT DISTINCT ON (key)
       id, key, version, name, activity_kind, basis, rate, starts_at, ends_at, line_filter, audience
FROM earning_rule WHERE program_id = $1 ORDER BY key, version DESC
"""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """An earning rule as it stands. `rate` is points per `basis`: ACTIVITY, QUANTITY or AMOUNT."""

    id: int
    key: str
    version: int
    name: str
    activity_kind: str
    basis: str
    rate: Decimal
    starts_at: datetime | None
    ends_at: datetime | None
    line_filter: dict[str, Any]
    audience: dict[str, Any]


async def load_rules(connection: Connection, *, program_id: int) -> list[RuleRow]:
    """All earning rules of the program, by key."""
    return [
        RuleRow(
            id=row["id"],
            key=row["key"],
            version=row["version"],
            name=row["name"],
            activity_kind=row["activity_kind"],
            basis=row["basis"],
            rate=row["rate"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            line_filter=orjson.loads(row["line_filter"]),
            audience=orjson.loads(row["audience"]),
        )
        for row in await connection.fetch(RULES, program_id)
    ]
