"""One wallet at the desk: locked, brought up to date, changed by one cause, and written, in the caller's transaction.

Whatever is done by hand or by another room goes this way: adjustments and holds. What many partners' activities do is
done in sets (`game/pipeline.py`, `loyalty/ledger/opening.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

import asyncpg
import orjson

from base import outbox
from base.database import ATTEMPTS, Connection, execute_together, fetch_together, retrying, transaction
from base.errors import Invalid, NotFound
from base.ids import Ids, take_ids
from loyalty.ledger.books import Books, Transaction, Wallet
from loyalty.ledger.maturing import bring_up_to_date, count_due
from loyalty.ledger.policies import Policies
from loyalty.ledger.service import build_books, load_lots, read_wallets, save_books, write_wallets
from partners.history import read_loading

MAX_TEXT: Final = 500

LOCK_PARTNER: Final = """
SELECT p.id, p.status, coalesce(p.time_zone, g.time_zone) AS time_zone, g.settings
FROM partner p JOIN program g ON g.id = p.program_id
WHERE p.program_id = $1 AND p.code = $2 FOR NO KEY UPDATE OF p
"""
STORED: Final = "SELECT id, partner_id, because FROM ledger_transaction WHERE program_id = $1 AND key = $2"

Result = TypeVar("Result")


class IdempotencyConflict(Invalid):
    """The key was used before, for something else."""

    code = "IDEMPOTENCY_CONFLICT"


class HistoryLoading(Invalid):
    """The program's past is being loaded: the same again succeeds once it is complete."""

    code = "HISTORY_LOADING"


@dataclass(frozen=True, slots=True)
class Holder:
    """A locked partner, and what its program has decided about points."""

    id: int
    status: str
    time_zone: str
    policies: Policies


async def lock_holder(connection: Connection, *, program_id: int, partner: str) -> Holder:
    """Lock a partner by its code. Raises `NotFound` (UNKNOWN_PARTNER)."""
    row = await connection.fetchrow(LOCK_PARTNER, program_id, partner)
    if row is None:
        raise NotFound(f"there is no partner {partner}", code="UNKNOWN_PARTNER", field=("partner",))
    policies = Policies.from_settings(orjson.loads(row["settings"]))
    return Holder(row["id"], row["status"], row["time_zone"], policies)


def check_texts(**texts: str) -> None:
    """Each has something in it, and not too much. INVALID_TEXT; the names are those of the API."""
    for name, text in texts.items():
        if not text.strip() or len(text) > MAX_TEXT or "\0" in text:
            raise Invalid(f"{name} must have 1 to {MAX_TEXT} characters", code="INVALID_TEXT", field=(name,))


async def find_posted(
    connection: Connection, *, program_id: int, partner_id: int, key: str, asked: Mapping[str, Any]
) -> int | None:
    """The transaction that this key posted before; None where none did.

    `asked` is in the first step of its because. Raises `IdempotencyConflict` where something else was asked then.
    """
    before = await connection.fetchrow(STORED, program_id, key)
    if before is None:
        return None
    step = orjson.loads(before["because"])[0]
    if before["partner_id"] != partner_id or any(step.get(name) != value for name, value in asked.items()):
        raise IdempotencyConflict("the key was used for something else", field=("idempotencyKey",))
    id_: int = before["id"]
    return id_


async def once(work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """Run `work` in a transaction of its own, again where another one was in the way or took the same key meanwhile."""

    async def attempt() -> Result:
        async with transaction() as connection:
            return await work(connection)

    for number in range(1, ATTEMPTS + 1):
        try:
            return await retrying(attempt)
        except asyncpg.UniqueViolationError:
            # The same key, for another partner, at the same time: now it is there to be seen.
            if number == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


@dataclass(slots=True)
class Desk:
    """A locked partner's wallet in one unit, up to date, and what was posted to it."""

    program_id: int
    partner_id: int
    unit: str
    now: datetime
    books: Books
    ids: Ids
    transactions: list[Transaction] = field(default_factory=list)

    @property
    def wallet(self) -> Wallet:
        """The wallet."""
        return self.books.wallet(self.partner_id, self.unit)

    def begin(self, key: str) -> Transaction:
        """A transaction for a cause that happens now."""
        begun = Transaction(
            id=self.ids.take(),
            partner_id=self.partner_id,
            key=key,
            activity_id=None,
            occurred_at=self.now,
            posted_at=self.now,
        )
        self.transactions.append(begun)
        return begun

    async def save(self, connection: Connection) -> None:
        """Write all that was posted."""
        await execute_together(
            connection,
            write_wallets(program_id=self.program_id, books=self.books),
            outbox.leave(
                program_id=self.program_id,
                partner_ids=[self.partner_id],
                transaction_ids=[one.id for one in self.transactions if one.facts],
            ),
        )
        await save_books(
            connection, program_id=self.program_id, books=self.books, transactions=self.transactions
        )


IDS: Final = 4
"""What a cause takes at most: its transaction and its lot, or a hold."""


async def open_desk(
    connection: Connection, *, program_id: int, partner_id: int, unit: str, now: datetime
) -> Desk:
    """The wallet of a partner whose row is locked by this transaction, brought up to date.

    Raises `HistoryLoading`: what is due by now may be renewed or taken back by a past that is not booked yet.
    """
    wallets, ((is_loading,),) = await fetch_together(
        connection,
        read_wallets(program_id=program_id, partner_ids=[partner_id]),
        read_loading(program_id=program_id, now=now),
    )
    if is_loading:
        raise HistoryLoading("the program's past is being loaded: ask again when it is complete")
    books = build_books(wallets)
    await load_lots(connection, books, program_id=program_id, partner_ids=[partner_id])
    ids = await take_ids(connection, IDS + count_due(books, now=now))
    desk = Desk(program_id, partner_id, unit, now, books, ids)
    desk.transactions += bring_up_to_date(books, ids.take, partner_id=partner_id, unit=unit, now=now)
    return desk
