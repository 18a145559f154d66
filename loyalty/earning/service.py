"""Earning rules are created. A rule is a row that never changes: entries name the version that made them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import orjson

from activity.rules import RETURN
from base.database import Connection
from base.errors import Invalid
from metrics.service import FilterInput, check_filter
from partners.audiences import AudienceInput, check_audience
from partners.checks import check_code, check_dates, check_decimal, check_name, check_points
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key

FIRST_VERSION: Final = 1

FIND: Final = """
SELECT id, name, activity_kind, line_filter, audience, basis, rate, starts_at, ends_at
FROM earning_rule WHERE program_id = $1 AND key = $2 AND version = $3
"""
ADD: Final = """
INSERT INTO earning_rule
    (program_id, key, version, name, activity_kind, line_filter, audience, basis, rate, starts_at, ends_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9, $10, $11, $12) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class PointsPer:
    """What a point rule pays per: exactly one of activity (points), unit of quantity, unit of money (points, exact)."""

    activity: int | None = None
    quantity: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class EarningRuleInput:
    """A rule to create. Without dates it always applies; `lock_days` other than 0 are not supported yet."""

    key: str
    name: str
    activity_kind: str
    points_per: PointsPer
    filter: FilterInput | None = None
    audience: AudienceInput | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lock_days: int = 0


@dataclass(frozen=True, slots=True)
class EarningRuleRow:
    """A version of a rule as it stands. `basis` is ACTIVITY, QUANTITY or AMOUNT: what `rate` is per."""

    id: int
    key: str
    version: int
    name: str
    activity_kind: str
    basis: str
    rate: Decimal
    starts_at: datetime | None
    ends_at: datetime | None


async def create_earning_rule(
    *, program_id: int, rule: EarningRuleInput, tiers: Collection[str] = (), now: datetime
) -> EarningRuleRow:
    """Create a rule; the same again answers the one that stands. `tiers`: the keys of the program's, from above.

    KEY_TAKEN where it has another content; EXACTLY_ONE, UNKNOWN_KIND, NOT_SUPPORTED, ENDS_BEFORE_START, and what
    filter and audience refuse.
    """
    return await configure(
        program_id, lambda connection, program: _create(connection, program, rule, tiers, now)
    )


async def _create(
    connection: Connection,
    program: LockedProgram,
    rule: EarningRuleInput,
    tiers: Collection[str],
    now: datetime,
) -> EarningRuleRow:
    check_code(rule.key, ["key"])
    check_name(rule.name, ["name"])
    if rule.activity_kind not in program.activity_kinds:
        raise Invalid(
            f"there is no activity kind {rule.activity_kind!r}", code="UNKNOWN_KIND", field=["activityKind"]
        )
    if rule.activity_kind == RETURN:
        raise Invalid(
            "a RETURN takes points back and earns none", code="NOT_SUPPORTED", field=["activityKind"]
        )
    if rule.lock_days != 0:
        raise Invalid(
            "points are available at once: only 0 is supported", code="NOT_SUPPORTED", field=["lockDays"]
        )
    basis, rate = _check_points_per(rule.points_per)
    check_dates(rule.starts_at, rule.ends_at)
    line_filter = await check_filter(connection, program_id=program.id, given=rule.filter)
    audience = await check_audience(connection, program_id=program.id, given=rule.audience, tiers=tiers)
    asked = {
        "name": rule.name,
        "activity_kind": rule.activity_kind,
        "line_filter": line_filter,
        "audience": audience.to_json(),
        "basis": basis,
        "rate": rate,
        "starts_at": rule.starts_at,
        "ends_at": rule.ends_at,
    }
    found = await connection.fetchrow(FIND, program.id, rule.key, FIRST_VERSION)
    if found is not None:
        stored = {name: orjson.loads(found[name]) for name in ("line_filter", "audience")}
        settle_key(rule.key, stored={**found, **stored}, asked=asked)
        id_ = found["id"]
    else:
        documents = (orjson.dumps(line_filter).decode(), orjson.dumps(audience.to_json()).decode())
        id_ = await connection.fetchval(
            ADD,
            program.id,
            rule.key,
            FIRST_VERSION,
            rule.name,
            rule.activity_kind,
            *documents,
            basis,
            rate,
            rule.starts_at,
            rule.ends_at,
            now,
        )
        await raise_config_version(connection, program.id)
    deciding = (rule.name, rule.activity_kind, basis, rate, rule.starts_at, rule.ends_at)
    return EarningRuleRow(id_, rule.key, FIRST_VERSION, *deciding)


def _check_points_per(per: PointsPer) -> tuple[str, Decimal]:
    """The basis and its rate."""
    named = {"activity": per.activity, "quantity": per.quantity, "amount": per.amount}
    given = [(name, value) for name, value in named.items() if value is not None]
    if len(given) != 1:
        raise Invalid(
            "give exactly one of activity, quantity and amount", code="EXACTLY_ONE", field=["pointsPer"]
        )
    name, value = given[0]
    path = ["pointsPer", name]
    if isinstance(value, int):
        return name.upper(), Decimal(check_points(value, path))
    return name.upper(), check_decimal(value, path, above=Decimal(0))
