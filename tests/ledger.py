"""Lots for tests of the books: granted as earning grants them, locked and expiring as the test says."""

from datetime import timedelta
from typing import Final

from base.database import execute_together, fetch_together, transaction
from base.ids import take_ids
from loyalty.ledger.books import POINT, EntryKind, Transaction
from loyalty.ledger.expiry import NEVER, Expiry, explain_lot
from loyalty.ledger.maturing import bring_up_to_date, count_due
from loyalty.ledger.posting import tell
from loyalty.ledger.rules import grant
from loyalty.ledger.service import build_books, load_lots, read_wallets, save_books, write_wallets
from tests.world import World

LOCK: Final = "SELECT id FROM partner WHERE program_id = $1 AND code = $2 FOR NO KEY UPDATE"


async def give(
    world: World,
    code: str,
    amount: int,
    *,
    lock: timedelta = timedelta(0),
    expiry: Expiry = NEVER,
    unit: str = POINT,
    kind: EntryKind = EntryKind.EARN,
) -> int:
    """Grant a partner, whose days are in UTC, a lot; its id."""
    program_id, now = world.program_id, world.clock.now()
    async with transaction() as connection:
        partner_id = await connection.fetchval(LOCK, program_id, code)
        (wallets,) = await fetch_together(
            connection, read_wallets(program_id=program_id, partner_ids=[partner_id])
        )
        books = build_books(wallets)
        await load_lots(connection, books, program_id=program_id, partner_ids=[partner_id])
        ids = await take_ids(connection, 2 + count_due(books, now=now))
        transactions = bring_up_to_date(books, ids.take, partner_id=partner_id, unit=unit, now=now)
        id_, lot_id = ids.take(), ids.take()
        posted = Transaction(id_, partner_id, f"test/{id_}", None, now, now)
        step = posted.because.add("reward", points=amount, unit=unit)
        matures = now + lock
        step = explain_lot(
            posted.because, on=step, matures_at=matures, posted_at=now, expiry=expiry, time_zone="UTC"
        )
        grant(
            books,
            posted,
            lot_id=lot_id,
            unit=unit,
            amount=amount,
            kind=kind,
            because=step,
            matures_at=matures,
            expiry=expiry,
        )
        tell(posted, unit=unit, amount=amount, kind=kind, on=step)
        await execute_together(connection, write_wallets(program_id=program_id, books=books))
        await save_books(connection, program_id=program_id, books=books, transactions=[*transactions, posted])
    return lot_id
