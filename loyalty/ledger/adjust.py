"""An adjustment: points given or taken by a person, with a reason. Idempotent by its key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from base.database import Connection
from base.errors import Invalid
from loyalty.ledger.books import ADJUSTED, MOST, POINT, EntryKind, Transaction
from loyalty.ledger.desk import (
    Desk,
    Holder,
    IdempotencyConflict,
    check_texts,
    find_posted,
    lock_holder,
    once,
    open_desk,
)
from loyalty.ledger.expiry import explain_lot
from loyalty.ledger.posting import tell
from loyalty.ledger.rules import grant, withdraw
from loyalty.ledger.units import check_unit

__all__ = ["Adjustment", "IdempotencyConflict", "adjust_points"]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A posted adjustment: its transaction, and whether this call posted it or an earlier one had."""

    partner_id: int
    transaction_id: int
    is_new: bool


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
    INSUFFICIENT_POINTS), `IdempotencyConflict`, and `NotFound` (UNKNOWN_PARTNER).
    """
    if amount == 0 or abs(amount) > MOST:
        raise Invalid("amount must not be 0, and below 2^53", code="INVALID_AMOUNT", field=("amount",))
    check_texts(reason=reason, idempotencyKey=idempotency_key)
    asked: dict[str, Any] = {"reason": reason, "amount": amount, "unit": unit}
    key = f"adjust/{idempotency_key}"

    async def work(connection: Connection) -> Adjustment:
        await check_unit(connection, program_id=program_id, unit=unit)
        holder = await lock_holder(connection, program_id=program_id, partner=partner)
        before = await find_posted(
            connection, program_id=program_id, partner_id=holder.id, key=key, asked=asked
        )
        if before is not None:
            return Adjustment(holder.id, before, is_new=False)
        desk = await open_desk(connection, program_id=program_id, partner_id=holder.id, unit=unit, now=now)
        posted = desk.begin(key)
        step = posted.because.add("adjustment", **asked, actor=actor)
        if desk.wallet.total + amount > MOST:
            raise Invalid("the wallet would hold more than 2^53", code="INVALID_AMOUNT", field=("amount",))
        if amount > 0:
            step = _give(desk, posted, holder, amount=amount, on=step)
        else:
            withdraw(desk.books, posted, unit=unit, amount=-amount, because=step)
        tell(posted, unit=unit, amount=amount, kind=EntryKind.ADJUST, on=step)
        await desk.save(connection)
        return Adjustment(holder.id, posted.id, is_new=True)

    return await once(work)


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
