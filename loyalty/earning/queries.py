"""Reads of the earning rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from base.database import Connection
from loyalty.earning.rules import Earning
from loyalty.earning.shares import RateBasis
from loyalty.earning.terms import Terms
from loyalty.earning.versions import EarningRule
from metrics.rules import LineFilter
from partners.rules import Audience

RULE: Final = """
SELECT id, first_value(id) OVER (PARTITION BY key ORDER BY version) AS root, key, version, name, activity_kind, basis,
       rate, starts_at, ends_at, line_filter, audience, terms, effective_from, ended_at,
       min(effective_from) OVER (PARTITION BY key ORDER BY version ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
           AS until
FROM earning_rule WHERE program_id = $1
"""
# The newest version of each rule.
NEWEST: Final = f"SELECT DISTINCT ON (key) * FROM ({RULE}) r ORDER BY key, version DESC"  # noqa: S608  # a constant
VERSIONS: Final = f"{RULE} AND key = $2 ORDER BY version DESC"
# All versions of all rules, with until when each holds.
COMPILED: Final = """
SELECT id, key, version, activity_kind, line_filter, audience, basis, rate, starts_at, ends_at, terms, effective_from,
       ended_at, created_at, first_value(id) OVER versions AS root,
       min(effective_from) OVER (versions ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS until
FROM earning_rule WHERE program_id = $1 WINDOW versions AS (PARTITION BY key ORDER BY version)
"""
BUDGETS: Final = (
    "SELECT rule_id, spent FROM earning_budget WHERE program_id = $1 AND rule_id = ANY($2::bigint[])"
)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A version of an earning rule. `rate` is points per `basis`: ACTIVITY, QUANTITY or AMOUNT; `root` the first
    version's id; `until`: from when on a later version holds."""

    id: int
    root: int
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
    terms: Terms
    effective_from: datetime | None
    ended_at: datetime | None
    until: datetime | None

    def state(self, now: datetime) -> str:
        """SCHEDULED, LIVE or ENDED, as this version is at this instant. ENDED, too, where it never holds: a later one
        does from before its beginning."""
        begins = max((one for one in (self.starts_at, self.effective_from) if one is not None), default=now)
        ends = min(
            (one for one in (self.ends_at, self.ended_at, self.until) if one is not None), default=None
        )
        if ends is not None and ends <= max(begins, now):
            return "ENDED"
        return "SCHEDULED" if begins > now else "LIVE"


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a version by name, JSON read."""
    columns = dict(row)
    for name in ("line_filter", "audience", "terms"):
        columns[name] = orjson.loads(columns[name])
    return columns


def read_rule(row: Mapping[str, Any]) -> RuleRow:
    """A row of `RULE`."""
    columns = _columns(row)
    return RuleRow(**{**columns, "terms": Terms.from_json(columns["terms"])})


async def load_rules(connection: Connection, *, program_id: int) -> list[RuleRow]:
    """All earning rules of the program in their newest version, by key."""
    return [read_rule(row) for row in await connection.fetch(NEWEST, program_id)]


async def load_versions(connection: Connection, *, program_id: int, key: str) -> list[RuleRow]:
    """A rule's versions, newest first."""
    return [read_rule(row) for row in await connection.fetch(VERSIONS, program_id, key)]


async def load_budgets(connection: Connection, *, program_id: int, roots: Sequence[int]) -> dict[int, int]:
    """What rules with a budget have given of it, by root."""
    return {row["rule_id"]: row["spent"] for row in await connection.fetch(BUDGETS, program_id, roots)}


async def load_earning(connection: Connection, *, program_id: int) -> Earning:
    """The program's rules, to decide by."""
    rows = await connection.fetch(COMPILED, program_id)
    return Earning([compile_version(**_columns(row)) for row in rows])


def compile_version(
    *,
    line_filter: Mapping[str, Any],
    audience: Mapping[str, Any],
    basis: str,
    rate: Decimal,
    terms: Mapping[str, Any],
    **columns: Any,
) -> EarningRule:
    """A version to decide by, of what is stored of it. `columns` are those that `EarningRule` has too."""
    return EarningRule(
        filter=LineFilter.from_json(line_filter),
        audience=Audience.from_json(audience),
        basis=RateBasis(basis),
        rate=rate.normalize(),
        terms=Terms.from_json(terms),
        **columns,
    )
