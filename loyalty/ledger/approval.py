"""The second person: who approves or rejects an adjustment that awaits it.

Decided under the partner's lock, like all that is posted: of approvals and rejections that race one wins, and what was
decided before answers as it stands.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from base.database import Connection, reading
from base.errors import Invalid, NotFound
from loyalty.ledger.adjust import post
from loyalty.ledger.adjustments import Adjustment, AdjustmentState, find_adjustment, settle
from loyalty.ledger.desk import Holder, check_texts, lock_holder, once

AWAITING: Final = AdjustmentState.AWAITING_APPROVAL
POSTED: Final = AdjustmentState.POSTED
REJECTED: Final = AdjustmentState.REJECTED

NAMELESS: Final = frozenset({"finance", "admin"})
"""Subjects of tokens that were issued without a name, to the roles that adjust: anybody may be behind them."""

Decide: TypeAlias = Callable[[Connection, Holder, Adjustment], Awaitable[Adjustment]]


class SamePerson(Invalid):
    """Who asked for an adjustment cannot decide it."""

    code = "SAME_PERSON"


class UnnamedPerson(Invalid):
    """Nobody can tell that who asked and who approves are two: one of them has the name of a role."""

    code = "UNNAMED_PERSON"


class AdjustmentDecided(Invalid):
    """The adjustment was decided otherwise before."""

    code = "ADJUSTMENT_DECIDED"


async def approve_adjustment(*, program_id: int, id_: int, actor: str, now: datetime) -> Adjustment:
    """Post an adjustment that awaits approval. One that is posted answers as it stands.

    Raises `NotFound`, `SamePerson`, `UnnamedPerson`, `AdjustmentDecided`, and what posting it refuses: INVALID_AMOUNT,
    INSUFFICIENT_POINTS and HISTORY_LOADING; it awaits approval then as before.
    """

    async def decide(connection: Connection, holder: Holder, asked: Adjustment) -> Adjustment:
        posted = await post(
            connection, program_id=program_id, holder=holder, wanted=asked, now=now, approved_by=actor
        )
        return replace(asked, state=POSTED, decided_by=actor, decided_at=now, transaction_id=posted)

    return await _decide(program_id, id_, actor, POSTED, decide)


async def reject_adjustment(
    *, program_id: int, id_: int, reason: str, actor: str, now: datetime
) -> Adjustment:
    """Reject an adjustment that awaits approval. One that is rejected answers as it stands.

    Raises `Invalid` (INVALID_TEXT), `NotFound`, `SamePerson` and `AdjustmentDecided`.
    """
    check_texts(reason=reason)

    async def decide(connection: Connection, holder: Holder, asked: Adjustment) -> Adjustment:
        return replace(asked, state=REJECTED, decided_by=actor, decided_at=now, rejection=reason)

    return await _decide(program_id, id_, actor, REJECTED, decide)


async def _decide(
    program_id: int, id_: int, actor: str, wanted: AdjustmentState, decide: Decide
) -> Adjustment:
    async with reading() as connection:
        seen = _found(await find_adjustment(connection, program_id=program_id, id_=id_))
    if seen.asked_by == actor:
        raise SamePerson("somebody else than who asked for it has to decide")
    if wanted is POSTED:
        _check_named(asked_by=seen.asked_by, actor=actor)

    async def work(connection: Connection) -> Adjustment:
        holder = await lock_holder(connection, program_id=program_id, partner=seen.partner)
        asked = _found(await find_adjustment(connection, program_id=program_id, id_=id_))
        if asked.state is wanted:
            return asked
        if asked.state is not AWAITING:
            raise AdjustmentDecided(f"it is {asked.state}, by {asked.decided_by or asked.asked_by}")
        decided = await decide(connection, holder, asked)
        await settle(connection, program_id=program_id, decided=decided)
        return replace(decided, is_new=True)

    return await once(work)


def _check_named(*, asked_by: str, actor: str) -> None:
    """Two names of people, not of roles. One that a nameless token asked for is rejected, and asked for again."""
    if actor in NAMELESS:
        message = f"this token is {actor}'s, not a person's: approve with one of `mitra token --name`"
        raise UnnamedPerson(message)
    if asked_by in NAMELESS:
        message = (
            f"it was asked for by {asked_by}, not by a person: ask again with a token of `mitra token --name`"
        )
        raise UnnamedPerson(message)


def _found(adjustment: Adjustment | None) -> Adjustment:
    if adjustment is None:
        raise NotFound("there is no such adjustment", field=("id",))
    return adjustment
