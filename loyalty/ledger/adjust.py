"""An adjustment: points given or taken by a person, with a reason. Idempotent by its key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from base import outbox
from base.database import Connection, execute_together, fetch_together, retrying, transaction
from base.errors import Invalid, NotFound
from base.ids import take_ids
from loyalty.ledger.books import ADJUSTED, MOST, POINT, Books, EntryKind, Transaction
from loyalty.ledger.expiry import Expiry, explain_lot
from loyalty.ledger.maturing import bring_up_to_date, count_due
from loyalty.ledger.policies import Policies
from loyalty.ledger.posting import tell
from loyalty.ledger.rules import grant, withdraw
from loyalty.ledger.service import build_books, load_lots, read_wallets, save_books, write_wallets

MAX_TEXT: Final = 500

LOCK_PARTNER: Final = """
SELECT p.id, coalesce(p.time_zone, g.time_zone) AS time_zone, g.settings
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND p.code = $2 FOR NO KEY UPDATE OF p
"""
STORED: Final = "SELECT id, partner_id, because FROM ledger_transaction WHERE program_id = $1 AND key = $2"


class IdempotencyConflict(Invalid):
    """The key was used before, for something else."""

    code = "IDEMPOTENCY_CONFLICT"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A posted adjustment: its transaction, and whether this call posted it or an earlier one had."""

    partner_id: int
    transaction_id: int
    is_new: bool


class Giving(NamedTuple):
    """Whom an adjustment is for, and when what it gives expires."""

    partner_id: int
    time_zone: str
    expiry: Expiry


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

    Raises `Invalid` (INVALID_AMOUNT, INVALID_TEXT, UNKNOWN_UNIT, INSUFFICIENT_POINTS), `IdempotencyConflict`, and
    `NotFound` (UNKNOWN_PARTNER).
    """
    if unit != POINT:
        raise Invalid(f"there is no unit {unit}", code="UNKNOWN_UNIT", field=("unit",))
    if amount == 0 or abs(amount) > MOST:
        raise Invalid("amount must not be 0, and below 2^53", code="INVALID_AMOUNT", field=("amount",))
    for name, text in (("reason", reason), ("idempotencyKey", idempotency_key)):
        if not text.strip() or len(text) > MAX_TEXT or "\0" in text:
            raise Invalid(f"{name} must have 1 to {MAX_TEXT} characters", code="INVALID_TEXT", field=(name,))
    asked = {"reason": reason, "amount": amount}
    key = f"adjust/{idempotency_key}"

    async def work() -> Adjustment:
        async with transaction() as connection:
            row = await connection.fetchrow(LOCK_PARTNER, program_id, partner)
            if row is None:
                raise NotFound(f"there is no partner {partner}", code="UNKNOWN_PARTNER", field=("partner",))
            before = await connection.fetchrow(STORED, program_id, key)
            if before is not None:
                return _answer_again(before, row["id"], asked)
            giving = Giving(
                row["id"], row["time_zone"], Policies.from_settings(orjson.loads(row["settings"])).expiry
            )
            return await _post(connection, program_id, giving, key, asked | {"actor": actor}, now)

    try:
        return await retrying(work)
    except asyncpg.UniqueViolationError:
        return await retrying(
            work
        )  # the same key, for another partner, at the same time: now it is there to be seen


def _answer_again(before: Any, partner_id: int, asked: dict[str, object]) -> Adjustment:
    step = orjson.loads(before["because"])[0]
    if before["partner_id"] != partner_id or any(step[name] != value for name, value in asked.items()):
        raise IdempotencyConflict("the key was used for another adjustment", field=("idempotencyKey",))
    return Adjustment(partner_id, before["id"], is_new=False)


async def _post(
    connection: Connection, program_id: int, giving: Giving, key: str, carried: dict[str, Any], now: datetime
) -> Adjustment:
    partner_id, amount = giving.partner_id, carried["amount"]
    (wallets,) = await fetch_together(
        connection, read_wallets(program_id=program_id, partner_ids=[partner_id])
    )
    books = build_books(wallets)
    await load_lots(connection, books, program_id=program_id, partner_ids=[partner_id])
    ids = await take_ids(connection, 2 + count_due(books, now=now))
    transactions = bring_up_to_date(books, ids.take, partner_id=partner_id, unit=POINT, now=now)
    posted = Transaction(
        id=ids.take(), partner_id=partner_id, key=key, activity_id=None, occurred_at=now, posted_at=now
    )
    transactions.append(posted)
    step = posted.because.add("adjustment", **carried)
    if books.wallet(partner_id, POINT).total + amount > MOST:
        raise Invalid("the wallet would hold more than 2^53", code="INVALID_AMOUNT", field=("amount",))
    if amount > 0:
        step = _give(books, posted, giving, lot_id=ids.take(), amount=amount, on=step)
    else:
        withdraw(books, posted, unit=POINT, amount=-amount, because=step)
    tell(posted, unit=POINT, amount=amount, kind=EntryKind.ADJUST, on=step)
    await execute_together(connection, write_wallets(program_id=program_id, books=books))
    await save_books(connection, program_id=program_id, books=books, transactions=transactions)
    await outbox.write(
        connection,
        program_id=program_id,
        partner_ids=[partner_id],
        transaction_ids=[one.id for one in transactions if one.facts],
    )
    return Adjustment(partner_id, posted.id, is_new=True)


def _give(books: Books, posted: Transaction, giving: Giving, *, lot_id: int, amount: int, on: int) -> int:
    step = explain_lot(
        posted.because,
        on=on,
        matures_at=posted.posted_at,
        posted_at=posted.posted_at,
        expiry=giving.expiry,
        time_zone=giving.time_zone,
    )
    grant(
        books,
        posted,
        lot_id=lot_id,
        unit=POINT,
        amount=amount,
        kind=EntryKind.ADJUST,
        because=step,
        account=ADJUSTED,
        expiry=giving.expiry,
        time_zone=giving.time_zone,
    )
    return step
