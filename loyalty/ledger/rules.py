"""The books of a batch: what is granted, taken back and withdrawn, bucket by bucket and lot by lot. Pure.

What returns took for a lot (`recalled`, from wherever it came) never passes granted − expired; what they let go by the
program's policy (`waived`) is not asked for again. Whoever takes from what is available brings the wallet up to date
first (`maturing.bring_up_to_date`): the job that matures and expires lots may be late.
"""

from dataclasses import dataclass
from datetime import datetime

from loyalty.ledger.books import (
    ADJUSTED,
    ISSUED,
    Basis,
    Books,
    Bucket,
    EntryKind,
    Lot,
    MovementKind,
    Transaction,
    Wallet,
)
from loyalty.ledger.expiry import NEVER, Expiry, expires_at, idle_until, last_day
from loyalty.ledger.policies import Returns
from loyalty.ledger.posting import (
    Parts,
    counted,
    enter,
    move,
    note,
    offset,
    only,
    plan_taking,
    repay,
    take,
    total,
)


def grant(
    books: Books,
    transaction: Transaction,
    *,
    lot_id: int,
    unit: str,
    amount: int,
    kind: EntryKind,
    because: int,
    account: str = ISSUED,
    rule_id: int | None = None,
    basis: Basis | None = None,
    granted_at: datetime | None = None,
    matures_at: datetime | None = None,
    expiry: Expiry = NEVER,
    time_zone: str = "UTC",
) -> Lot:
    """Grant `amount` above zero as a lot of its own: pending until `matures_at`, where that is after it is posted.

    `granted_at` is when it was posted, where left out; days are those of `time_zone`, the partner's. A debt is repaid
    from it at once, unless it is pending. What is earned puts off the expiry of a wallet's sliding lots; the caller
    has brought the wallet up to date where these were due.
    """
    assert amount > 0
    wallet = books.wallet(transaction.partner_id, unit)
    posted_at = transaction.posted_at
    matures_at = max(matures_at or posted_at, posted_at)
    matured = matures_at == posted_at
    renews = kind is EntryKind.EARN and wallet.idle_until is not None
    lot = Lot(
        id=lot_id,
        partner_id=transaction.partner_id,
        unit=unit,
        transaction_id=transaction.id,
        activity_id=transaction.activity_id,
        rule_id=rule_id,
        basis=basis,
        granted_at=granted_at or posted_at,
        matures_at=matures_at,
        expires_at=None
        if expiry is NEVER
        else expires_at(expiry, matures_at=matures_at, time_zone=time_zone),
        granted=amount,
        remaining=amount,
        matured=matured,
        sliding=expiry.is_sliding,
        is_new=True,
        expiry=expiry,
        time_zone=time_zone if renews or expiry != NEVER else None,
        idle_until=wallet.idle_until,
    )
    books.add(lot)
    note(transaction, lot, MovementKind.GRANTED, amount)
    bucket = Bucket.AVAILABLE if matured else Bucket.PENDING
    enter(transaction, wallet, kind=kind, bucket=bucket, amount=amount, because=because, lot_id=lot.id)
    offset(transaction, account=account, unit=unit, kind=kind, amount=-amount, because=because)
    if matured and wallet.debt:
        repay(transaction, wallet, [lot], on=because)
    if lot.sliding:
        wallet.idle = expiry.term
        _keep_alive(wallet, start=matures_at, time_zone=time_zone)
    elif renews:
        until = _keep_alive(wallet, start=posted_at, time_zone=time_zone)
        if until is not None:
            shown = last_day(until, time_zone).isoformat()
            transaction.because.add("renewed", on=because, until=shown)
    return lot


def _keep_alive(wallet: Wallet, *, start: datetime, time_zone: str) -> datetime | None:
    """Put off the moment at which sliding lots expire; None where it stays. It never comes nearer."""
    assert wallet.idle is not None
    until = idle_until(wallet.idle, start=start, time_zone=time_zone)
    if wallet.idle_until is not None and until <= wallet.idle_until:
        return None
    wallet.idle_until = until
    wallet.changed = True
    return until


@dataclass(frozen=True, slots=True)
class Recall:
    """How points of a lot are to be taken back: from its own remainder, from others, as debt, or not at all."""

    lot: Lot
    own: int
    others: Parts
    owed: int
    waived: int

    @property
    def taken(self) -> int:
        """What is taken back in all."""
        return self.own + total(self.others) + self.owed


def plan_recall(books: Books, lot: Lot, *, amount: int, returns: Returns) -> Recall:
    """How to take back `amount` of what a lot granted, or less where it has not so much to answer for."""
    amount = max(min(amount, lot.recallable), 0)
    if lot.matured and returns is Returns.ONLY_PENDING:
        return Recall(lot, 0, (), 0, amount)
    own = min(lot.remaining, amount)
    left = amount - own
    if not left or returns is Returns.ONLY_PENDING:
        return Recall(lot, own, (), 0, left)
    lots = [one for one in books.spendable(lot.partner_id, lot.unit) if one.id != lot.id]
    others = plan_taking(lots, left)
    left -= total(others)
    owed = left if returns is Returns.DEBT else 0
    return Recall(lot, own, others, owed, left - owed)


def recall(books: Books, transaction: Transaction, planned: Recall, *, because: int) -> None:
    """Take back what is planned. The order is the lot's own remainder, then other lots, then debt."""
    lot = planned.lot
    wallet = books.wallet(lot.partner_id, lot.unit)
    own = [(lot, planned.own)] if planned.own else []
    move(transaction, [*own, *planned.others], MovementKind.REVERSED)
    taken = planned.taken
    lot.recalled += taken
    if planned.waived:
        lot.waived += planned.waived
        note(transaction, lot, MovementKind.WAIVED, planned.waived)
    lot.changed = True
    from_available = total(planned.others)
    if lot.matured:
        from_available += planned.own
    elif planned.own:
        _reverse(transaction, wallet, lot, bucket=Bucket.PENDING, amount=planned.own, because=because)
    if from_available:
        _reverse(transaction, wallet, lot, bucket=Bucket.AVAILABLE, amount=from_available, because=because)
    if planned.owed:
        step = transaction.because.add("owed", on=because, **counted(planned.owed, lot.unit))
        _reverse(transaction, wallet, lot, bucket=Bucket.DEBT, amount=planned.owed, because=step)
    if taken:
        offset(
            transaction, account=ISSUED, unit=lot.unit, kind=EntryKind.REVERSE, amount=taken, because=because
        )


def _reverse(
    transaction: Transaction, wallet: Wallet, lot: Lot, *, bucket: Bucket, amount: int, because: int
) -> None:
    enter(
        transaction,
        wallet,
        kind=EntryKind.REVERSE,
        bucket=bucket,
        amount=-amount,
        because=because,
        lot_id=lot.id,
    )


def withdraw(books: Books, transaction: Transaction, *, unit: str, amount: int, because: int) -> None:
    """Take `amount` above zero out of what is available: an adjustment downwards. Raises `InsufficientPoints`."""
    kind = EntryKind.ADJUST
    parts = take(books, transaction, unit=unit, amount=amount, kind=MovementKind.SPENT)
    enter(
        transaction,
        books.wallet(transaction.partner_id, unit),
        kind=kind,
        bucket=Bucket.AVAILABLE,
        amount=-amount,
        because=because,
        lot_id=only(parts),
    )
    offset(transaction, account=ADJUSTED, unit=unit, kind=kind, amount=amount, because=because)
