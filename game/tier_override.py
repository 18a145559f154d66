"""A tier by hand: a person puts a partner on a tier, whatever it has earned, until an instant or for good.

It is told and kept like every other change, with who did it and why. Idempotent by its key. When it ends, or is taken
back, the partner stands on what it has earned meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from base.database import Connection, retrying, transaction
from base.errors import Invalid, NotFound
from base.ids import IdsExhausted, take_ids
from game.loading import PlanMoved, load_state, lock_partners
from game.plan import Plan, plans
from game.saving import save_state
from game.tiering import catch_up, give_by_hand
from loyalty.because import Step
from loyalty.ledger.books import Transaction
from loyalty.ledger.desk import check_texts, find_posted
from loyalty.tiers.marks import MarkKind
from loyalty.tiers.rules import Override

IDS: Final = 16
"""Its transaction's, and those of the reviews that are due before it."""
LONGEST: Final = timedelta(days=3_653)
"""Ten years. What is to last longer is given for good, and taken back."""


@dataclass(frozen=True, slots=True)
class TierOverrideInput:
    """Put a partner (by its code) on a tier (by its key), or take back what was given by hand: None."""

    partner: str
    tier: str | None
    reason: str
    idempotency_key: str
    until: datetime | None = None


async def override_tier(*, program_id: int, given: TierOverrideInput, actor: str, now: datetime) -> None:
    """Put a partner on a tier by hand. The same key again changes nothing.

    Raises `Invalid` (INVALID_TEXT, UNKNOWN_TIER, ZONE_MISSING, NOT_IN_FUTURE, INVALID_DATE, NOT_SUPPORTED),
    `IdempotencyConflict`, and `NotFound` (UNKNOWN_PARTNER).
    """
    _check(given)
    ids_wanted, is_again = IDS, False
    while True:
        try:
            return await retrying(lambda: _override(program_id, given, actor, now, ids_wanted))  # noqa: B023
        except PlanMoved:
            plans.forget(program_id)
        except IdsExhausted:
            ids_wanted *= 4
        except asyncpg.UniqueViolationError:
            if is_again:
                raise
            is_again = True  # the same key, for another partner, at the same time: now it is there to be seen


def _check(given: TierOverrideInput) -> None:
    check_texts(reason=given.reason, idempotencyKey=given.idempotency_key)
    if given.until is None:
        return
    if given.tier is None:
        raise Invalid("what is taken back has no end", code="NOT_SUPPORTED", field=("until",))
    if given.until.tzinfo is None:
        raise Invalid("must carry its zone or offset", code="ZONE_MISSING", field=("until",))


def _check_end(until: datetime | None, now: datetime) -> None:
    """Not of what was given before: by the time that it is asked again, its end may have passed."""
    if until is None:
        return
    if until <= now:
        raise Invalid("must lie in the future", code="NOT_IN_FUTURE", field=("until",))
    if until - now > LONGEST:
        raise Invalid("must lie at most ten years ahead", code="INVALID_DATE", field=("until",))


async def _override(
    program_id: int, given: TierOverrideInput, actor: str, now: datetime, ids_wanted: int
) -> None:
    plan = await plans.get(program_id)
    async with transaction() as connection:
        await plan.learn(connection, skus=(), partners=[given.partner])
        partner_id = plan.partner_ids.get(given.partner)
        if partner_id is None:
            raise NotFound(f"there is no partner {given.partner}", code="UNKNOWN_PARTNER", field=("partner",))
        step = {
            "tier": given.tier,
            "until": None if given.until is None else given.until.isoformat(),
            "reason": given.reason,
        }
        await _apply(connection, plan, partner_id, given, step, actor, now, ids_wanted)


async def _apply(
    connection: Connection,
    plan: Plan,
    partner_id: int,
    given: TierOverrideInput,
    step: Step,
    actor: str,
    now: datetime,
    ids_wanted: int,
) -> None:
    """Under the partner's lock: bring it up to date, put it on the tier, and tell."""
    partners = await lock_partners(connection, plan, [partner_id])
    key = f"override/{given.idempotency_key}"
    if await find_posted(connection, program_id=plan.program_id, partner_id=partner_id, key=key, asked=step):
        return
    _check_end(given.until, now)
    ids = await take_ids(connection, ids_wanted)
    state = await load_state(connection, plan, ids=ids, partners=partners, keys=())
    override = _override_of(plan, given)
    catch_up(state, partners[partner_id], now=now)
    posted = Transaction(
        id=ids.take(), partner_id=partner_id, key=key, activity_id=None, occurred_at=now, posted_at=now
    )
    root = posted.because.add("tier_override", **step, actor=actor)
    give_by_hand(state, posted, partners[partner_id], override, root)
    state.transactions.append(posted)
    state.mark_tier(partner_id, MarkKind.OVERRIDDEN, now=now, with_standing=True)
    await save_state(connection, state)


def _override_of(plan: Plan, given: TierOverrideInput) -> Override | None:
    """What to put the partner on, by the plan that was checked."""
    if plan.ladder is None:
        raise Invalid("the program has no tiers", code="NOT_SUPPORTED", field=("tier",))
    if given.tier is None:
        return None
    for tier in plan.ladder.tiers:
        if tier.key == given.tier:
            return Override(tier.level, given.until)
    raise Invalid(f"there is no tier {given.tier!r}", code="UNKNOWN_TIER", field=("tier",))
