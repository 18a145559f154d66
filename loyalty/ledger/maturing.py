"""What time does to a wallet: points mature, and points expire. Pure.

Each is booked as of when it was due (`occurred_at`), whenever that is found out: the job comes every minute, and
whoever spends, holds or takes back brings the wallet up to date first. Points of one wallet that mature together, or
expire together, are one transaction, named after the lowest of their lots: it is never posted twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

from loyalty.ledger.books import (
    EXPIRED,
    Books,
    Bucket,
    EntryKind,
    Lot,
    MovementKind,
    Transaction,
    Wallet,
)
from loyalty.ledger.posting import Parts, enter, move, offset, only, repay, tell, total, transfer


class Turn(IntEnum):
    """What is due; of one moment, in this order."""

    MATURE = 0
    EXPIRE = 1
    IDLE = 2


class Due(NamedTuple):
    """Something that falls due at a moment."""

    at: datetime
    turn: Turn


Agenda: TypeAlias = dict[Due, list[Lot]]

IDLE_ONLY: Final[list[Lot]] = []


def bring_up_to_date(
    books: Books, take_id: Callable[[], int], *, partner_id: int, unit: str, now: datetime
) -> list[Transaction]:
    """Mature and expire what of a wallet is due, in the order in which it fell due; what was posted for it.

    All of its lots that are due must be loaded; others need not be.
    """
    wallet = books.wallet(partner_id, unit)
    agenda = _agenda(books, wallet, now)
    posted = []
    for due in sorted(agenda):
        lots = sorted(agenda[due], key=lambda one: one.id)
        if due.turn is Turn.MATURE:
            posted.append(_mature(take_id, wallet, lots, due.at, now))
            continue
        if due.turn is Turn.IDLE:
            lots = _end_sliding(books, wallet, due.at)
        expired = _expire_due(take_id, wallet, lots, due.at, now)
        if expired is not None:
            posted.append(expired)
    return posted


def count_due(books: Books, *, now: datetime) -> int:
    """How many transactions there will be at most to bring all wallets up to date: as many ids are needed."""
    return sum(len(_agenda(books, wallet, now)) for wallet in books.wallets.values())


def _agenda(books: Books, wallet: Wallet, now: datetime) -> Agenda:
    found: Agenda = {}
    for lot in books.lots_of(wallet.partner_id, wallet.unit):
        if not lot.remaining:
            continue
        if not lot.matured and lot.matures_at <= now:
            found.setdefault(Due(lot.matures_at, Turn.MATURE), []).append(lot)
        if lot.expires_at is not None and lot.expires_at <= now:
            found.setdefault(Due(lot.expires_at, Turn.EXPIRE), []).append(lot)
    if wallet.idle_until is not None and wallet.idle_until <= now:
        found[Due(wallet.idle_until, Turn.IDLE)] = IDLE_ONLY
    return found


def _mature(
    take_id: Callable[[], int], wallet: Wallet, lots: Sequence[Lot], at: datetime, now: datetime
) -> Transaction:
    transaction = _begin(take_id, wallet, f"mature/{lots[0].id}", at, now)
    points = sum(one.remaining for one in lots)
    step = transaction.because.add("matured", points=points, unit=wallet.unit, lots=len(lots))
    for lot in lots:
        lot.matured = True
        lot.changed = True
    transfer(
        transaction,
        wallet,
        kind=EntryKind.MATURE,
        source=Bucket.PENDING,
        target=Bucket.AVAILABLE,
        amount=points,
        because=step,
        lot_id=lots[0].id if len(lots) == 1 else None,
    )
    repay(transaction, wallet, lots, on=step)
    fact = {"type": "PointsMatured", "because": step, "unit": wallet.unit, "amount": points}
    transaction.facts.append(fact)
    return transaction


def _end_sliding(books: Books, wallet: Wallet, at: datetime) -> list[Lot]:
    """Nothing was earned for too long: the sliding lots have that moment for their own from now on."""
    ended = []
    for lot in books.lots_of(wallet.partner_id, wallet.unit):
        if lot.sliding and lot.remaining + lot.held:
            lot.sliding, lot.expires_at, lot.changed = False, at, True
            ended.append(lot)
    wallet.idle_until = None
    wallet.changed = True
    return sorted(ended, key=lambda one: one.id)


def _expire_due(
    take_id: Callable[[], int], wallet: Wallet, lots: Sequence[Lot], at: datetime, now: datetime
) -> Transaction | None:
    plan = plan_expiring(lots)
    if not plan:
        return None
    transaction = _begin(take_id, wallet, f"expire/{plan[0][0].id}", at, now)
    expire(transaction, wallet, plan, on=None)
    return transaction


def plan_expiring(lots: Sequence[Lot]) -> list[tuple[Lot, int]]:
    """How much of each of these lots, whose moment has come, expires.

    What a return took for a lot elsewhere, while it was held, has been taken: as much of what is left of it stands in
    for that, and does not expire any more.
    """
    plan = []
    for lot in lots:
        part = min(lot.remaining, lot.granted - lot.expired - lot.recalled)
        if part < lot.remaining:
            lot.expires_at, lot.changed = None, True
        if part:
            plan.append((lot, part))
    return plan


def expire(transaction: Transaction, wallet: Wallet, plan: Parts, *, on: int | None) -> None:
    """Take out of what is available what has expired."""
    points = total(plan)
    step = transaction.because.add("expired", on=on, points=points, unit=wallet.unit, lots=len(plan))
    move(transaction, plan, MovementKind.EXPIRED)
    enter(
        transaction,
        wallet,
        kind=EntryKind.EXPIRE,
        bucket=Bucket.AVAILABLE,
        amount=-points,
        because=step,
        lot_id=only(plan),
    )
    offset(transaction, account=EXPIRED, unit=wallet.unit, kind=EntryKind.EXPIRE, amount=points, because=step)
    tell(transaction, unit=wallet.unit, amount=-points, kind=EntryKind.EXPIRE, on=step)


def _begin(take_id: Callable[[], int], wallet: Wallet, key: str, at: datetime, now: datetime) -> Transaction:
    return Transaction(
        id=take_id(),
        partner_id=wallet.partner_id,
        key=key,
        activity_id=None,
        occurred_at=at,
        posted_at=now,
    )
