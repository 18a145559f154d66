"""The lots that are due are turned: what was locked becomes available, and what was not used in time expires.

In pages of partners, under their locks, each page in a transaction of its own: it may be stopped anywhere, and goes on
with what is still due. Nothing depends on its being in time: whoever takes points of a wallet turns its lots first.
"""

from datetime import datetime
from typing import Final

from base import failpoints, outbox
from base.database import (
    Connection,
    execute_together,
    fetch_together,
    reading,
    retrying,
    transaction,
)
from base.ids import take_ids
from base.rounds import go_round
from loyalty.ledger.books import Books, Transaction
from loyalty.ledger.maturing import bring_up_to_date, count_due
from loyalty.ledger.service import build_books, load_due_lots, read_wallets, save_books, write_wallets
from partners.history import NO_HISTORY

PARTNERS_PER_PAGE: Final = 200
LOOKED_AT: Final = 1_000
"""How many of the lots that fell due first are looked at to find a page's partners."""

# While a past is loaded, its points wait for its end: what it takes back is not to have expired before its time.
PROGRAMS: Final = f"SELECT id FROM program p WHERE {NO_HISTORY} ORDER BY id"  # noqa: S608  # a constant
# Partners of what fell due first. The three indexes hold nothing else: what is turned leaves them.
PAGE: Final = """
SELECT partner_id FROM (
    (SELECT partner_id FROM lot
     WHERE program_id = $1 AND NOT matured AND remaining > 0 AND matures_at <= $2 ORDER BY matures_at LIMIT $3)
    UNION
    (SELECT partner_id FROM lot
     WHERE program_id = $1 AND expires_at IS NOT NULL AND remaining > 0 AND expires_at <= $2
     ORDER BY expires_at LIMIT $3)
    UNION
    (SELECT partner_id FROM wallet
     WHERE program_id = $1 AND idle_until IS NOT NULL AND idle_until <= $2 ORDER BY idle_until LIMIT $3)
) AS due LIMIT $4
"""
LOCK: Final = (
    "SELECT id FROM partner WHERE program_id = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR NO KEY UPDATE"
)


async def turn_lots(now: datetime) -> None:
    """Turn all that is due by `now`, in every program whose past is not being loaded."""
    async with reading() as connection:
        programs = [row["id"] for row in await connection.fetch(PROGRAMS, now)]
    await go_round(programs, lambda program_id: turn_lots_of(program_id, now))


async def turn_lots_of(program_id: int, now: datetime) -> None:
    """Turn all that is due in a program by `now`."""
    while True:
        async with reading() as connection:
            rows = await connection.fetch(PAGE, program_id, now, LOOKED_AT, PARTNERS_PER_PAGE)
        if not rows:
            return
        partner_ids = sorted(row["partner_id"] for row in rows)
        await retrying(lambda: _turn_page(program_id, partner_ids, now))  # noqa: B023


async def _turn_page(program_id: int, partner_ids: list[int], now: datetime) -> None:
    async with transaction() as connection:
        await connection.execute(LOCK, program_id, partner_ids)
        (wallets,) = await fetch_together(
            connection, read_wallets(program_id=program_id, partner_ids=partner_ids)
        )
        books = build_books(wallets)
        await load_due_lots(connection, books, program_id=program_id, partner_ids=partner_ids, now=now)
        failpoints.reach("lots.loaded")
        ids = await take_ids(connection, count_due(books, now=now))
        posted: list[Transaction] = []
        for partner_id, unit in sorted(books.wallets):
            posted += bring_up_to_date(books, ids.take, partner_id=partner_id, unit=unit, now=now)
        await _save(connection, program_id, books, posted)
        failpoints.reach("lots.saved")


async def _save(connection: Connection, program_id: int, books: Books, posted: list[Transaction]) -> None:
    told = [one for one in posted if one.facts]
    await execute_together(
        connection,
        write_wallets(program_id=program_id, books=books),
        *(
            [
                outbox.leave(
                    program_id=program_id,
                    partner_ids=sorted({one.partner_id for one in told}),
                    transaction_ids=[one.id for one in told],
                )
            ]
            if told
            else []
        ),
    )
    await save_books(connection, program_id=program_id, books=books, transactions=posted)
