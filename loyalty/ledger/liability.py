"""What a program owes its partners in a unit: all that is available, pending or held, by the month in which it expires.

As the books stand: points whose date is over stand in their month until they are booked as expired. Held points stand
in the month of their lot, though an open hold may still be captured after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from base.database import Connection

# By the month, in the zone $3, of the last day of what is left of lots; sliding lots end with their wallet's date. What
# stands in for what a return took elsewhere never expires. What is owed by partners stands in every row, also where
# nothing else does.
MONTHS: Final = """
WITH ending AS (
    SELECT part.expires_at, CASE WHEN l.matured THEN part.remaining ELSE 0 END AS available,
           CASE WHEN l.matured THEN 0 ELSE part.remaining END AS pending, part.held
    FROM lot l JOIN wallet w ON w.program_id = $1 AND w.partner_id = l.partner_id AND w.unit = l.unit
    CROSS JOIN LATERAL (SELECT least(l.remaining, l.granted - l.expired - l.recalled) AS expiring) e
    CROSS JOIN LATERAL (VALUES
        (CASE WHEN l.sliding THEN w.idle_until ELSE l.expires_at END, e.expiring, l.held),
        (NULL, l.remaining - e.expiring, 0)
    ) AS part (expires_at, remaining, held)
    WHERE l.program_id = $1 AND l.unit = $2 AND l.remaining + l.held > 0 AND part.remaining + part.held > 0
), months AS (
    SELECT date_trunc('month', (expires_at - interval '1 microsecond') AT TIME ZONE $3)::date AS month,
           sum(available)::bigint AS available, sum(pending)::bigint AS pending, sum(held)::bigint AS held
    FROM ending GROUP BY 1
)
SELECT m.month, m.available, m.pending, m.held, d.debt
FROM (SELECT coalesce(sum(debt), 0)::bigint AS debt FROM wallet WHERE program_id = $1 AND unit = $2) AS d
LEFT JOIN months m ON true ORDER BY m.month NULLS LAST
"""


@dataclass(frozen=True, slots=True)
class Due:
    """What partners have, by bucket."""

    available: int
    pending: int
    held: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.available + self.pending + self.held


@dataclass(frozen=True, slots=True)
class MonthDue(Due):
    """What of it expires in a month, by the month's first day. None: what never does."""

    month: date | None


@dataclass(frozen=True, slots=True)
class Liability:
    """A program's liability in a unit. `debt` is what partners owe, and not taken off."""

    unit: str
    due: Due
    debt: int
    months: tuple[MonthDue, ...]


async def load_liability(connection: Connection, *, program_id: int, unit: str, time_zone: str) -> Liability:
    """The liability in a unit as it stands now, by month in the zone: one statement, and one moment."""
    rows: Sequence[Any] = await connection.fetch(MONTHS, program_id, unit, time_zone)
    months = tuple(
        MonthDue(row["available"], row["pending"], row["held"], row["month"])
        for row in rows
        if row["available"] is not None
    )
    due = Due(
        sum(one.available for one in months),
        sum(one.pending for one in months),
        sum(one.held for one in months),
    )
    return Liability(unit, due, rows[0]["debt"], months)
