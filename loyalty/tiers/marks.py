"""What decides about a tier beside the activities that are accepted, kept for an audit to climb again. Append-only.

An activity brings its partner's standing up to date and moves it: that is in the journal. What else does leaves a mark:
the past gone through again for the ladder, from where the climb begins (BEGAN); a review by the job, or by an activity
that was then refused (REVIEWED); a person (OVERRIDDEN). An activity that was accepted beside the load of a past had no
reviews before it: its own mark says so (WAITED).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from base.database import Statement
from loyalty.tiers.rules import Standing
from loyalty.tiers.standings import build_standing

SAVE: Final = """
INSERT INTO tier_mark (program_id, partner_id, number, kind, made_at, standing)
SELECT $1, k.partner_id, k.number, k.kind, k.made_at, k.standing::jsonb
FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[], $6::text[])
     AS k (partner_id, number, kind, made_at, standing)
"""


class MarkKind(StrEnum):
    """What decided."""

    BEGAN = "BEGAN"
    REVIEWED = "REVIEWED"
    OVERRIDDEN = "OVERRIDDEN"
    WAITED = "WAITED"


@dataclass(frozen=True, slots=True)
class TierMark:
    """Something decided about a partner's tier at `made_at`, after its activity of that `number`.

    `standing` is what it was then, of those that begin or were overridden; that of a WAITED one's activity is its own
    number.
    """

    partner_id: int
    number: int
    kind: MarkKind
    made_at: datetime
    standing: str | None = None


def write_marks(*, program_id: int, marks: Sequence[TierMark]) -> Statement:
    """The statement that keeps marks."""
    columns = (
        [one.partner_id for one in marks],
        [one.number for one in marks],
        [one.kind.value for one in marks],
        [one.made_at for one in marks],
        [one.standing for one in marks],
    )
    return Statement(SAVE, (program_id, *columns))


def write_standing(standing: Standing) -> str:
    """A standing as a mark keeps it."""
    override = standing.override
    stored = {
        "level": standing.level,
        "since": standing.since,
        "earned": standing.earned,
        "carried": standing.carried,
        "open_from": standing.open_from,
        "review_at": standing.review_at,
        "peaks": {day.isoformat(): level for day, level in standing.peaks.items()},
        "override_level": None if override is None else override.level,
        "override_until": None if override is None else override.until,
    }
    return orjson.dumps(stored).decode()


def read_standing(stored: str) -> Standing:
    """The standing of a mark."""
    row: dict[str, Any] = orjson.loads(stored)

    def instant(name: str) -> datetime | None:
        return None if row[name] is None else datetime.fromisoformat(row[name])

    return build_standing(
        row["level"],
        instant("since"),
        row["earned"],
        row["carried"],
        None if row["open_from"] is None else date.fromisoformat(row["open_from"]),
        instant("review_at"),
        orjson.dumps(row["peaks"]).decode(),
        row["override_level"],
        instant("override_until"),
    )
