"""Earning rules are created, changed and ended. A row is one version: entries name the version that made them.

A change makes a new version, from now or from a moment to come; what occurred before it goes by the version of then,
however late it is reported. A rule that is ended earns nothing for what occurs from that moment on.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from activity.rules import RETURN
from base.database import Connection
from base.errors import Invalid, NotFound
from loyalty.earning.inputs import NO_TERMS, TermsInput, check_end, check_terms
from loyalty.earning.queries import RuleRow, load_versions
from loyalty.earning.shares import RateBasis
from loyalty.earning.terms import INPUTS
from loyalty.ledger.books import POINT
from loyalty.ledger.expiry import check_last_day
from loyalty.ledger.units import check_unit
from metrics.service import FilterInput, check_filter, note_filter
from partners.audiences import AudienceInput, check_audience
from partners.checks import check_code, check_dates, check_decimal, check_instant, check_name, check_points
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key
from partners.segments import load_segment_rows

ADD: Final = """
INSERT INTO earning_rule (program_id, key, version, activity_kind, effective_from, created_at, name, line_filter,
                          audience, basis, rate, starts_at, ends_at, terms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9::text::jsonb, $10, $11, $12, $13, $14::text::jsonb)
RETURNING id
"""
END: Final = "UPDATE earning_rule SET ended_at = $3 WHERE program_id = $1 AND key = $2 AND ended_at IS NULL"
# The budget is the rule's, not the version's: what was spent of it stays spent.
SET_BUDGET: Final = """
INSERT INTO earning_budget (program_id, rule_id, budget) VALUES ($1, $2, $3)
ON CONFLICT (program_id, rule_id) DO UPDATE SET budget = excluded.budget
"""


@dataclass(frozen=True, slots=True)
class PointsPer:
    """What a point rule pays per: exactly one of activity (points), unit of quantity, unit of money (points, exact)."""

    activity: int | None = None
    quantity: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class EarningRuleInput:
    """A rule to create. Without dates it always applies. `lock_days`: so long the points are pending."""

    key: str
    name: str
    activity_kind: str
    points_per: PointsPer
    filter: FilterInput | None = None
    audience: AudienceInput | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lock_days: int = 0
    terms: TermsInput = NO_TERMS
    unit: str = POINT


@dataclass(frozen=True, slots=True)
class EarningRuleUpdate:
    """All that a rule says from `effective_from` on, or from now. Its kind of activity and unit stay what they are."""

    key: str
    name: str
    points_per: PointsPer
    filter: FilterInput | None = None
    audience: AudienceInput | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lock_days: int = 0
    terms: TermsInput = NO_TERMS
    effective_from: datetime | None = None


async def create_earning_rule(
    *, program_id: int, rule: EarningRuleInput, tiers: Collection[str] = (), now: datetime
) -> RuleRow:
    """Create a rule; the same again answers the one that stands. `tiers`: the keys of the program's, from above.

    KEY_TAKEN where it has another content; EXACTLY_ONE, UNKNOWN_KIND, NOT_SUPPORTED, ENDS_BEFORE_START,
    NOT_IN_FUTURE, INVALID_EXPIRY, and what filter, audience and terms refuse.
    """

    async def create(connection: Connection, program: LockedProgram) -> RuleRow:
        kinds = program.activity_kinds
        asked = await check_rule(connection, program_id=program.id, kinds=kinds, rule=rule, tiers=tiers)
        versions = await load_versions(connection, program_id=program.id, key=rule.key)
        if versions:
            stored = _name_inputs(_content(versions[-1]), versions[-1].activity_kind)
            settle_key(rule.key, stored=stored, asked=_name_inputs(asked, rule.activity_kind))
            return versions[0]
        check_end(rule.ends_at, now=now)
        check_last_day(rule.terms.expiry, now=now, field=["expiry"])
        return await _add(connection, program, rule.key, rule.activity_kind, asked, version=1, now=now)

    return await configure(program_id, create)


async def update_earning_rule(
    *, program_id: int, rule: EarningRuleUpdate, tiers: Collection[str] = (), now: datetime
) -> RuleRow:
    """Make a new version of a rule; what the newest one says already makes none.

    `NotFound`; RULE_ENDED, STARTS_IN_PAST, and what `create_earning_rule` refuses.
    """

    async def update(connection: Connection, program: LockedProgram) -> RuleRow:
        newest = await _find(connection, program, rule.key)
        if newest.ended_at is not None:
            raise Invalid(f"the rule {rule.key!r} has ended", code="RULE_ENDED", field=["key"])
        if rule.effective_from is not None:
            check_instant(rule.effective_from, ["effectiveFrom"])
        effective_from = rule.effective_from or now
        asked = await _check_content(connection, program.id, rule, newest.terms.unit, tiers)
        if _content(newest) == asked and rule.effective_from in (None, newest.effective_from):
            return newest
        if effective_from < now:
            message = "what has occurred was decided by the version of then"
            raise Invalid(message, code="STARTS_IN_PAST", field=["effectiveFrom"])
        if effective_from > now and rule.terms.budget != newest.terms.budget:
            message = (
                "a budget is the rule's, and another one holds at once: change it with a version from now"
            )
            raise Invalid(message, code="NOT_SUPPORTED", field=["budget"])
        check_last_day(rule.terms.expiry, now=now, field=["expiry"])
        return await _add(
            connection,
            program,
            newest.key,
            newest.activity_kind,
            asked,
            version=newest.version + 1,
            effective_from=effective_from,
            now=now,
        )

    return await configure(program_id, update)


async def end_earning_rule(*, program_id: int, key: str, now: datetime) -> RuleRow:
    """End a rule now; one that has ended answers as it stands. `NotFound`."""

    async def end(connection: Connection, program: LockedProgram) -> RuleRow:
        newest = await _find(connection, program, key)
        if newest.ended_at is not None:
            return newest
        await connection.execute(END, program.id, key, now)
        await raise_config_version(connection, program.id)
        return await _find(connection, program, key)

    return await configure(program_id, end)


async def _find(connection: Connection, program: LockedProgram, key: str) -> RuleRow:
    versions = await load_versions(connection, program_id=program.id, key=key)
    if not versions:
        raise NotFound(f"there is no earning rule {key!r}", field=["key"])
    return versions[0]


async def _add(
    connection: Connection,
    program: LockedProgram,
    key: str,
    activity_kind: str,
    asked: dict[str, Any],
    *,
    version: int,
    effective_from: datetime | None = None,
    now: datetime,
) -> RuleRow:
    await note_filter(connection, program_id=program.id, line_filter=asked["line_filter"])
    stored = {
        name: orjson.dumps(value).decode() if isinstance(value, dict) else value
        for name, value in asked.items()
    }
    await connection.execute(
        ADD, program.id, key, version, activity_kind, effective_from, now, *stored.values()
    )
    made = await _find(connection, program, key)
    if made.terms.budget is not None:
        await connection.execute(SET_BUDGET, program.id, made.root, made.terms.budget)
    await raise_config_version(connection, program.id)
    return made


async def check_rule(
    connection: Connection,
    *,
    program_id: int,
    kinds: Collection[str],
    rule: EarningRuleInput,
    tiers: Collection[str],
) -> dict[str, Any]:
    """What a rule's version says, by the names of its columns. `kinds`: the program's of activities. Writes nothing."""
    check_code(rule.key, ["key"])
    _check_kind(rule.activity_kind, kinds)
    await check_unit(connection, program_id=program_id, unit=rule.unit)
    return await _check_content(connection, program_id, rule, rule.unit, tiers)


def _check_kind(kind: str, kinds: Collection[str]) -> None:
    if kind not in kinds:
        raise Invalid(f"there is no activity kind {kind!r}", code="UNKNOWN_KIND", field=["activityKind"])
    if kind == RETURN:
        raise Invalid(
            "a RETURN takes points back and earns none", code="NOT_SUPPORTED", field=["activityKind"]
        )


async def _check_content(
    connection: Connection,
    program_id: int,
    rule: EarningRuleInput | EarningRuleUpdate,
    unit: str,
    tiers: Collection[str],
) -> dict[str, Any]:
    """What a version says, by the names and in the order of `ADD`'s last columns."""
    check_name(rule.name, ["name"])
    basis, rate = _check_points_per(rule.points_per)
    check_dates(rule.starts_at, rule.ends_at)
    line_filter = await check_filter(connection, program_id=program_id, given=rule.filter)
    audience = await check_audience(connection, program_id=program_id, given=rule.audience, tiers=tiers)
    segments: Collection[str] = ()
    if rule.terms.boosts:
        segments = [row.key for row in await load_segment_rows(connection, program_id=program_id)]
    terms = check_terms(rule.terms, basis=basis, lock_days=rule.lock_days, unit=unit, segments=segments)
    return {
        "name": rule.name,
        "line_filter": line_filter,
        "audience": audience.to_json(),
        "basis": basis.value,
        "rate": rate,
        "starts_at": rule.starts_at,
        "ends_at": rule.ends_at,
        "terms": terms.to_json(),
    }


def _content(row: RuleRow) -> dict[str, Any]:
    """What a version says, as `_check_content` does."""
    return {
        "name": row.name,
        "line_filter": row.line_filter,
        "audience": row.audience,
        "basis": row.basis,
        "rate": row.rate,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "terms": row.terms.to_json(),
    }


def _name_inputs(content: dict[str, Any], activity_kind: str) -> dict[str, Any]:
    """What a version says, by the names of the inputs, all of them."""
    return {
        "name": content["name"],
        "filter": content["line_filter"],
        "audience": content["audience"],
        "pointsPer": (content["basis"], content["rate"]),
        "startsAt": content["starts_at"],
        "endsAt": content["ends_at"],
        "activityKind": activity_kind,
        **{given: content["terms"].get(name) for name, given in INPUTS.items()},
    }


def _check_points_per(per: PointsPer) -> tuple[RateBasis, Decimal]:
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
        return RateBasis(name.upper()), Decimal(check_points(value, path))
    return RateBasis(name.upper()), check_decimal(value, path, above=Decimal(0))
