"""Points are held for something that is under way, and then captured or released. Pure.

A hold takes what expires first; once taken it may be captured whatever the date, and what comes back after its date
expires at once. Whoever calls has brought the wallet up to date.
"""

from datetime import datetime

from loyalty.ledger.books import REDEEMED, Books, Bucket, EntryKind, MovementKind, Transaction, Wallet
from loyalty.ledger.maturing import expire, plan_expiring
from loyalty.ledger.posting import Parts, enter, move, offset, only, repay, take, tell, total, transfer


def hold(books: Books, transaction: Transaction, *, unit: str, amount: int, because: int) -> Parts:
    """Set `amount` above zero aside out of what is available; of which lots. Raises `InsufficientPoints`."""
    parts = take(books, transaction, unit=unit, amount=amount, kind=MovementKind.HELD)
    transfer(
        transaction,
        books.wallet(transaction.partner_id, unit),
        kind=EntryKind.HOLD,
        source=Bucket.AVAILABLE,
        target=Bucket.HELD,
        amount=amount,
        because=because,
        lot_id=only(parts),
    )
    return parts


def split(parts: Parts, amount: int) -> tuple[Parts, Parts]:
    """The parts that make up `amount`, in their order, and what is left of them."""
    first, rest = [], []
    for lot, part in parts:
        taken = min(part, amount)
        amount -= taken
        first += [(lot, taken)] if taken else []
        rest += [(lot, part - taken)] if part > taken else []
    return first, rest


def capture(transaction: Transaction, wallet: Wallet, parts: Parts, *, because: int) -> None:
    """What was held is spent."""
    amount, kind = total(parts), EntryKind.CAPTURE
    move(transaction, parts, MovementKind.CAPTURED)
    enter(
        transaction,
        wallet,
        kind=kind,
        bucket=Bucket.HELD,
        amount=-amount,
        because=because,
        lot_id=only(parts),
    )
    offset(transaction, account=REDEEMED, unit=wallet.unit, kind=kind, amount=amount, because=because)
    tell(transaction, unit=wallet.unit, amount=-amount, kind=kind, on=because)


def release(transaction: Transaction, wallet: Wallet, parts: Parts, *, because: int, now: datetime) -> None:
    """What was held is available again: first it repays what is owed, and then what is past its date expires."""
    move(transaction, parts, MovementKind.RELEASED)
    transfer(
        transaction,
        wallet,
        kind=EntryKind.RELEASE,
        source=Bucket.HELD,
        target=Bucket.AVAILABLE,
        amount=total(parts),
        because=because,
        lot_id=only(parts),
    )
    lots = [lot for lot, _ in parts]
    repay(transaction, wallet, lots, on=because)
    over = plan_expiring([lot for lot in lots if lot.expires_at is not None and lot.expires_at <= now])
    if over:
        expire(transaction, wallet, over, on=because)
