"""An adjustment: points given or taken by a person, with a reason. Idempotent by its key.

Above the program's threshold for its unit it awaits a second person (`loyalty.ledger.approval`), and posts nothing.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from base.database import Connection
from base.errors import Invalid
from loyalty.because import Because
from loyalty.ledger.adjustments import Adjustment, AdjustmentState, find_by_key, insert_adjustment
from loyalty.ledger.books import ADJUSTED, MOST, POINT, EntryKind, Transaction
from loyalty.ledger.desk import (
    Desk,
    Holder,
    IdempotencyConflict,
    check_texts,
    lock_holder,
    once,
    open_desk,
)
from loyalty.ledger.expiry import explain_lot
from loyalty.ledger.posting import tell
from loyalty.ledger.rules import grant, withdraw
from loyalty.ledger.units import check_unit

__all__ = ["Adjustment", "IdempotencyConflict", "adjust_points", "post"]


async def adjust_points(
    *,
    program_id: int,
    partner: str,
    amount: int,
    reason: str,
    idempotency_key: str,
    actor: str,
    now: datetime,
    unit: str = POINT,
) -> Adjustment:
    """Give `amount` points to a partner, or take them where it is below zero. The same key again answers the same.

    What is given expires as the program says. Raises `Invalid` (INVALID_AMOUNT, INVALID_TEXT, UNKNOWN_UNIT,
    INSUFFICIENT_POINTS), `HistoryLoading`, `IdempotencyConflict`, and `NotFound` (UNKNOWN_PARTNER).
    """
    if amount == 0 or abs(amount) > MOST:
        raise Invalid("amount must not be 0, and below 2^53", code="INVALID_AMOUNT", field=("amount",))
    check_texts(reason=reason, idempotencyKey=idempotency_key)
    asked: dict[str, Any] = {"partner": partner, "unit": unit, "amount": amount, "reason": reason}

    async def work(connection: Connection) -> Adjustment:
        await check_unit(connection, program_id=program_id, unit=unit)
        holder = await lock_holder(connection, program_id=program_id, partner=partner)
        before = await find_by_key(connection, program_id=program_id, key=idempotency_key)
        if before is not None:
            return _answer_again(before, asked)
        wanted = Adjustment(
            id=0,
            partner_id=holder.id,
            key=idempotency_key,
            **asked,
            state=AdjustmentState.AWAITING_APPROVAL,
            asked_by=actor,
            asked_at=now,
            approval_above=holder.policies.approval_above.get(unit),
        )
        if not holder.policies.needs_approval(unit, amount):
            posted = await post(connection, program_id=program_id, holder=holder, wanted=wanted, now=now)
            wanted = replace(wanted, state=AdjustmentState.POSTED, transaction_id=posted)
        id_ = await insert_adjustment(connection, program_id=program_id, wanted=wanted)
        return replace(wanted, id=id_, is_new=True)

    return await once(work)


def _answer_again(before: Adjustment, asked: dict[str, object]) -> Adjustment:
    if any(getattr(before, name) != value for name, value in asked.items()):
        raise IdempotencyConflict("the key was used for another adjustment", field=("idempotencyKey",))
    return before


async def post(
    connection: Connection,
    *,
    program_id: int,
    holder: Holder,
    wanted: Adjustment,
    now: datetime,
    approved_by: str | None = None,
) -> int:
    """Post an adjustment to a partner that is locked; its transaction.

    Raises `Invalid` (INVALID_AMOUNT, INSUFFICIENT_POINTS) and `HistoryLoading`.
    """
    unit, amount = wanted.unit, wanted.amount
    desk = await open_desk(connection, program_id=program_id, partner_id=holder.id, unit=unit, now=now)
    posted = desk.begin(f"adjust/{wanted.key}")
    step = _explain(posted.because, wanted, approved_by)
    if amount > desk.wallet.room:
        raise Invalid("the wallet would hold more than 2^53", code="INVALID_AMOUNT", field=("amount",))
    if amount > 0:
        step = _give(desk, posted, holder, amount=amount, on=step)
    else:
        withdraw(desk.books, posted, unit=unit, amount=-amount, because=step)
    tell(posted, unit=unit, amount=amount, kind=EntryKind.ADJUST, on=step)
    await desk.save(connection)
    return posted.id


def _explain(because: Because, wanted: Adjustment, approved_by: str | None) -> int:
    """Who approved it, where somebody had to, and what was asked for; the place of that."""
    on = None
    if approved_by is not None:
        on = because.add("approval", askedBy=wanted.asked_by, approvedBy=approved_by)
    carried = {
        "reason": wanted.reason,
        "amount": wanted.amount,
        "unit": wanted.unit,
        "actor": wanted.asked_by,
    }
    return because.add("adjustment", on=on, **carried)


def _give(desk: Desk, posted: Transaction, holder: Holder, *, amount: int, on: int) -> int:
    """Grant a lot; the step that its entries hang on."""
    expiry, zone = holder.policies.expiry, holder.time_zone
    step = explain_lot(
        posted.because, on=on, matures_at=desk.now, posted_at=desk.now, expiry=expiry, time_zone=zone
    )
    grant(
        desk.books,
        posted,
        lot_id=desk.ids.take(),
        unit=desk.unit,
        amount=amount,
        kind=EntryKind.ADJUST,
        because=step,
        account=ADJUSTED,
        expiry=expiry,
        time_zone=zone,
    )
    return step
