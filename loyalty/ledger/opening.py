"""Opening balances are posted: in sets, each once a key. A thousand cost the statements of one."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg
import orjson

from base import outbox
from base.database import (
    ATTEMPTS,
    Connection,
    Statement,
    execute_together,
    fetch_together,
    retrying,
    transaction,
)
from base.errors import Invalid
from base.ids import take_ids
from loyalty.ledger.opening_rules import (
    DUPLICATE,
    RECORDED,
    REJECTED,
    Holder,
    Known,
    Opening,
    OpeningBalance,
    OpeningOutcome,
    check,
    refuse,
)
from loyalty.ledger.service import build_books, read_wallets, save_books, write_wallets
from loyalty.ledger.units import known_units

__all__ = ["DUPLICATE", "RECORDED", "REJECTED", "OpeningBalance", "OpeningOutcome", "Settle", "open_balances"]

MOST_AT_ONCE: Final = 1_000

# Everyone locks partners in this order.
LOCK_PARTNERS: Final = """
SELECT p.code, p.id, p.status, coalesce(p.time_zone, g.time_zone) AS time_zone
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND p.code = ANY($2::text[])
ORDER BY p.id FOR NO KEY UPDATE OF p
"""
STORED: Final = """
SELECT key, id, partner_id, because::text FROM ledger_transaction WHERE program_id = $1 AND key = ANY($2::text[])
"""


Settle: TypeAlias = Callable[[Connection, Sequence[OpeningOutcome]], Awaitable[None]]
"""What a caller writes in the same transaction, once it is decided what became of its balances; raising undoes all."""


async def open_balances(
    *,
    program_id: int,
    balances: Sequence[OpeningBalance],
    actor: str,
    now: datetime,
    settle: Settle | None = None,
) -> list[OpeningOutcome]:
    """Post 1 to 1,000 opening balances, in the order given; each stands or falls by itself.

    `settle` is called before the commit, again wherever the transaction is tried again.

    The codes of those that are refused: UNKNOWN_PARTNER, PARTNER_CLOSED, UNKNOWN_UNIT, INVALID_AMOUNT,
    TOO_MANY_POINTS, EXPIRED_BALANCE, FUTURE_DATE, INVALID_DATE, INVALID_TEXT, IDEMPOTENCY_CONFLICT. Raises `Invalid`
    (WRONG_SIZE).
    """
    if not 1 <= len(balances) <= MOST_AT_ONCE:
        message = f"1 to {MOST_AT_ONCE:,} balances are opened at once"
        raise Invalid(message, code="WRONG_SIZE", field=("balances",))

    async def work() -> list[OpeningOutcome]:
        async with transaction() as connection:
            outcomes = await _open(connection, program_id, balances, actor, now)
            if settle is not None:
                await settle(connection, outcomes)
            return outcomes

    attempts = 1
    while True:
        try:
            return await retrying(work)
        except asyncpg.UniqueViolationError:
            # The same key, for another partner, at the same time: now it is there to be seen.
            if attempts == ATTEMPTS:
                raise
            attempts += 1


async def _open(
    connection: Connection, program_id: int, balances: Sequence[OpeningBalance], actor: str, now: datetime
) -> list[OpeningOutcome]:
    asked = {given.unit for given in balances}
    units = await known_units(connection, program_id=program_id, asked=asked)
    checked = [check(given, units=units) for given in balances]
    sound = [given for given, refusal in zip(balances, checked, strict=True) if refusal is None]
    rows = await connection.fetch(LOCK_PARTNERS, program_id, sorted({given.partner for given in sound}))
    holders = {row["code"]: Holder(row["id"], row["status"], row["time_zone"]) for row in rows}
    stored, wallets = await fetch_together(
        connection,
        Statement(STORED, (program_id, [given.transaction_key for given in sound])),
        read_wallets(program_id=program_id, partner_ids=[one.id for one in holders.values()]),
    )
    known = {
        key: Known(id_, partner_id, orjson.loads(because)[0]) for key, id_, partner_id, because in stored
    }
    fresh = sum(given.transaction_key not in known for given in sound)
    ids = await take_ids(connection, 2 * fresh)
    opening = Opening(build_books(wallets), ids.take, known, holders, actor, now)
    outcomes = [
        opening.decide(given) if refusal is None else refuse(given, refusal)
        for given, refusal in zip(balances, checked, strict=True)
    ]
    await _save(connection, program_id, opening)
    return outcomes


async def _save(connection: Connection, program_id: int, opening: Opening) -> None:
    if not opening.posted:
        return
    await execute_together(
        connection,
        write_wallets(program_id=program_id, books=opening.books),
        outbox.leave(
            program_id=program_id,
            partner_ids=sorted({one.partner_id for one in opening.posted}),
            transaction_ids=[one.id for one in opening.posted],
        ),
    )
    # Keys are taken here: in one order for all, so that two that open the same ones never deadlock.
    posted = sorted(opening.posted, key=lambda one: one.key)
    await save_books(connection, program_id=program_id, books=opening.books, transactions=posted)
