"""Holds: points reserved for something under way. Each ends once: captured, in whole or part, or released.

Both work in a transaction of the caller's (`loyalty.ledger.desk.once`), so that what the points are for is settled with
them, and are idempotent by key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from base import failpoints
from base.database import Connection
from base.errors import Invalid, NotFound
from loyalty.ledger.books import MOST, POINT
from loyalty.ledger.desk import (
    Desk,
    IdempotencyConflict,
    check_texts,
    find_posted,
    lock_holder,
    open_desk,
)
from loyalty.ledger.hold_queries import HoldState
from loyalty.ledger.holding import capture, hold, release, split
from loyalty.ledger.posting import Parts, total
from loyalty.ledger.units import check_unit

ADD: Final = """
INSERT INTO hold (program_id, id, partner_id, unit, amount, purpose, actor, held_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
ADD_LOTS: Final = """
INSERT INTO hold_lot (program_id, hold_id, number, lot_id, amount)
SELECT $1, $2, ordinality, lot_id, amount FROM unnest($3::bigint[], $4::bigint[]) WITH ORDINALITY AS k (lot_id, amount)
"""
PARTNER: Final = """
SELECT h.partner_id, p.code FROM hold h JOIN partner p ON p.program_id = h.program_id AND p.id = h.partner_id
WHERE h.program_id = $1 AND h.id = $2
"""
LOAD: Final = "SELECT unit, amount, purpose, state, ended_by FROM hold WHERE program_id = $1 AND id = $2"
LOAD_LOTS: Final = (
    "SELECT lot_id, amount FROM hold_lot WHERE program_id = $1 AND hold_id = $2 ORDER BY number"
)
END: Final = """
UPDATE hold SET state = $3, captured = $4, ended_by = $5, ended_at = $6
WHERE program_id = $1 AND id = $2 AND state = 'OPEN'
"""


class HoldEnded(Invalid):
    """The hold was captured or released before."""

    code = "HOLD_ENDED"


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted: the hold, the transaction, and whether this call posted it or an earlier one had."""

    hold_id: int
    transaction_id: int
    is_new: bool


async def place_hold(
    connection: Connection,
    *,
    program_id: int,
    partner: str,
    amount: int,
    purpose: str,
    idempotency_key: str,
    actor: str,
    now: datetime,
    unit: str = POINT,
) -> Posted:
    """Reserve `amount` in the caller's transaction; it takes the partner's lock.

    Raises `Invalid` (INVALID_AMOUNT, INVALID_TEXT, UNKNOWN_UNIT, INSUFFICIENT_POINTS, PARTNER_CLOSED),
    `HistoryLoading`, `IdempotencyConflict`, and `NotFound` (UNKNOWN_PARTNER).
    """
    if not 0 < amount <= MOST:
        raise Invalid("amount must be above 0, and below 2^53", code="INVALID_AMOUNT", field=("amount",))
    check_texts(purpose=purpose, idempotencyKey=idempotency_key)
    await check_unit(connection, program_id=program_id, unit=unit)
    holder = await lock_holder(connection, program_id=program_id, partner=partner)
    asked: dict[str, Any] = {"purpose": purpose, "points": amount, "unit": unit}
    key = f"hold/{idempotency_key}"
    before = await find_posted(connection, program_id=program_id, partner_id=holder.id, key=key, asked=asked)
    if before is not None:
        return Posted(before, before, is_new=False)
    if holder.status == "CLOSED":
        raise Invalid("the partner is closed", code="PARTNER_CLOSED", field=("partner",))
    desk = await open_desk(connection, program_id=program_id, partner_id=holder.id, unit=unit, now=now)
    posted = desk.begin(key)
    step = posted.because.add("hold", **asked, actor=actor)
    parts = hold(desk.books, posted, unit=unit, amount=amount, because=step)
    await desk.save(connection)
    failpoints.reach("holds.posted")
    await connection.execute(ADD, program_id, posted.id, holder.id, unit, amount, purpose, actor, now)
    lots, amounts = [lot.id for lot, _ in parts], [part for _, part in parts]
    await connection.execute(ADD_LOTS, program_id, posted.id, lots, amounts)
    return Posted(posted.id, posted.id, is_new=True)


async def end_hold(
    connection: Connection,
    *,
    program_id: int,
    hold_id: int,
    captured: int | None,
    idempotency_key: str,
    actor: str,
    now: datetime,
) -> Posted:
    """Spend `captured` of a hold, all of it where that is None, and release the rest, in the caller's transaction.

    Raises `Invalid` (INVALID_AMOUNT, INVALID_TEXT), `HistoryLoading`, `HoldEnded`, `IdempotencyConflict`, and
    `NotFound` (UNKNOWN_HOLD).
    """
    check_texts(idempotencyKey=idempotency_key)
    found = await connection.fetchrow(PARTNER, program_id, hold_id)
    if found is None:
        raise NotFound("there is no such hold", code="UNKNOWN_HOLD", field=("id",))
    holder = await lock_holder(connection, program_id=program_id, partner=found["code"])
    key = f"{'release' if captured == 0 else 'capture'}/{idempotency_key}"
    row = await connection.fetchrow(LOAD, program_id, hold_id)
    assert row is not None
    asked: dict[str, Any] = {"purpose": row["purpose"], "asked": captured}
    before = await find_posted(connection, program_id=program_id, partner_id=holder.id, key=key, asked=asked)
    if before is not None:
        if row["ended_by"] != before:
            raise IdempotencyConflict("the key was used for another hold", field=("idempotencyKey",))
        return Posted(hold_id, before, is_new=False)
    if row["state"] != HoldState.OPEN:
        raise HoldEnded(f"the hold was {row['state'].lower()} before", field=("id",))
    amount = row["amount"] if captured is None else captured
    if not 0 <= amount <= row["amount"]:
        message = f"amount must not be below 0, and {row['amount']} at most"
        raise Invalid(message, code="INVALID_AMOUNT", field=("amount",))
    desk = await open_desk(connection, program_id=program_id, partner_id=holder.id, unit=row["unit"], now=now)
    parts = [
        (desk.books.lots[lot_id], part)
        for lot_id, part in await connection.fetch(LOAD_LOTS, program_id, hold_id)
    ]
    posted_id = _end(desk, key, parts, amount, asked | {"actor": actor})
    await desk.save(connection)
    failpoints.reach("holds.ended")
    state = HoldState.CAPTURED if amount else HoldState.RELEASED
    await connection.execute(END, program_id, hold_id, state, amount, posted_id, now)
    return Posted(hold_id, posted_id, is_new=True)


def _end(desk: Desk, key: str, parts: Parts, amount: int, carried: Mapping[str, Any]) -> int:
    """Post the end of a hold; the transaction."""
    posted = desk.begin(key)
    taken, left = split(parts, amount)
    step: int | None = None
    if taken:
        step = posted.because.add("captured", **carried, points=amount, unit=desk.unit)
        capture(posted, desk.wallet, taken, because=step)
    if left:
        points = total(left)
        own = {} if taken else carried
        step = posted.because.add("released", on=step, **own, points=points, unit=desk.unit)
        release(posted, desk.wallet, left, because=step, now=desk.now)
    return posted.id
