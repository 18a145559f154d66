"""The books of a batch: what is posted, bucket by bucket and lot by lot. Pure, whole numbers only.

Invariants kept here, and proved by `mitra audit`:

- the entries of a transaction sum to zero per unit: what a wallet gains, a system account gives;
- each bucket is the sum of its entries; a wallet's entries carry a dense version;
- available is the sum of the lots' remainders; no bucket is below zero, and debt stands only where available is 0;
- granted = remaining + held + spent + expired + reversed + repaid, every move of it a `LotMovement`;
- what returns took for a lot (`recalled`, from wherever it came) never passes granted − expired.
"""

from collections.abc import Sequence
from datetime import datetime

from base.errors import Invalid
from loyalty.ledger.books import (
    ADJUSTED,
    ISSUED,
    WALLET,
    Basis,
    Books,
    Bucket,
    Entry,
    EntryKind,
    Lot,
    LotMovement,
    MovementKind,
    Transaction,
    Wallet,
)


class InsufficientPoints(Invalid):
    """More is to be taken than is available."""

    code = "INSUFFICIENT_POINTS"


def _enter(
    transaction: Transaction,
    wallet: Wallet,
    *,
    kind: EntryKind,
    bucket: Bucket,
    amount: int,
    because: int,
    lot_id: int | None = None,
) -> None:
    """Post to a bucket. DEBT counts below zero: what is owed."""
    if bucket is Bucket.AVAILABLE:
        wallet.available += amount
        balance = wallet.available
    else:
        assert bucket is Bucket.DEBT
        wallet.debt -= amount
        balance = -wallet.debt
    wallet.version += 1
    wallet.changed = True
    transaction.entries.append(
        Entry(
            unit=wallet.unit,
            account=WALLET,
            kind=kind,
            amount=amount,
            because=because,
            partner_id=wallet.partner_id,
            bucket=bucket,
            balance_after=balance,
            version=wallet.version,
            lot_id=lot_id,
        )
    )


def _balance(
    transaction: Transaction, *, account: str, unit: str, kind: EntryKind, amount: int, because: int
) -> None:
    transaction.entries.append(Entry(unit=unit, account=account, kind=kind, amount=amount, because=because))


def _move(transaction: Transaction, lot: Lot, kind: MovementKind, amount: int) -> None:
    transaction.movements.append(LotMovement(lot.id, kind, amount))
    lot.changed = True


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
    expires_at: datetime | None = None,
) -> Lot:
    """Grant `amount` above zero as a lot of its own. A debt is repaid from it at once.

    `granted_at` is when it was posted, where left out. Without `expires_at` it never expires.
    """
    assert amount > 0
    wallet = books.wallet(transaction.partner_id, unit)
    lot = Lot(
        id=lot_id,
        partner_id=transaction.partner_id,
        unit=unit,
        transaction_id=transaction.id,
        activity_id=transaction.activity_id,
        rule_id=rule_id,
        basis=basis,
        granted_at=granted_at or transaction.posted_at,
        matures_at=transaction.posted_at,
        expires_at=expires_at,
        granted=amount,
        remaining=amount,
        is_new=True,
    )
    books.add(lot)
    _move(transaction, lot, MovementKind.GRANTED, amount)
    _enter(
        transaction, wallet, kind=kind, bucket=Bucket.AVAILABLE, amount=amount, because=because, lot_id=lot.id
    )
    _balance(transaction, account=account, unit=unit, kind=kind, amount=-amount, because=because)
    repaid = min(wallet.debt, amount)
    if repaid:
        step = transaction.because.add("repaid", on=because, points=repaid)
        lot.remaining -= repaid
        lot.repaid += repaid
        _move(transaction, lot, MovementKind.REPAID, repaid)
        for bucket, signed in ((Bucket.AVAILABLE, -repaid), (Bucket.DEBT, repaid)):
            _enter(
                transaction,
                wallet,
                kind=EntryKind.REPAY,
                bucket=bucket,
                amount=signed,
                because=step,
                lot_id=lot.id,
            )
    return lot


def plan_taking(lots: Sequence[Lot], amount: int) -> list[tuple[Lot, int]]:
    """How much to take from each lot, in the order given, until `amount` or nothing is left."""
    plan = []
    for lot in lots:
        taken = min(lot.remaining, amount)
        if taken:
            plan.append((lot, taken))
            amount -= taken
    return plan


def recall(books: Books, transaction: Transaction, *, lot: Lot, amount: int, because: int) -> int:
    """Take back what a lot granted: from its own remainder, then from other lots, then as debt.

    Returns what was taken back in all: `amount`, or less where the lot has not so much to answer for.
    """
    amount = min(amount, lot.granted - lot.expired - lot.recalled)
    if amount <= 0:
        return 0
    wallet = books.wallet(lot.partner_id, lot.unit)
    others = [] if lot.remaining >= amount else books.spendable(lot.partner_id, lot.unit)
    taken = 0
    for source, part in plan_taking([lot, *(one for one in others if one.id != lot.id)], amount):
        source.remaining -= part
        source.reversed += part
        _move(transaction, source, MovementKind.REVERSED, part)
        taken += part
    lot.recalled += amount
    lot.changed = True
    if taken:
        _enter(
            transaction,
            wallet,
            kind=EntryKind.REVERSE,
            bucket=Bucket.AVAILABLE,
            amount=-taken,
            because=because,
            lot_id=lot.id,
        )
    owed = amount - taken
    if owed:
        step = transaction.because.add("owed", on=because, points=owed)
        _enter(
            transaction,
            wallet,
            kind=EntryKind.REVERSE,
            bucket=Bucket.DEBT,
            amount=-owed,
            because=step,
            lot_id=lot.id,
        )
    _balance(
        transaction, account=ISSUED, unit=lot.unit, kind=EntryKind.REVERSE, amount=amount, because=because
    )
    return amount


def withdraw(books: Books, transaction: Transaction, *, unit: str, amount: int, because: int) -> None:
    """Take `amount` above zero out of what is available, the earliest expiry first: an adjustment downwards."""
    assert amount > 0
    wallet = books.wallet(transaction.partner_id, unit)
    if wallet.available < amount:
        raise InsufficientPoints(f"{wallet.available} are available", field=("amount",))
    for lot, part in plan_taking(books.spendable(transaction.partner_id, unit), amount):
        lot.remaining -= part
        lot.spent += part
        _move(transaction, lot, MovementKind.SPENT, part)
    _enter(
        transaction, wallet, kind=EntryKind.ADJUST, bucket=Bucket.AVAILABLE, amount=-amount, because=because
    )
    _balance(transaction, account=ADJUSTED, unit=unit, kind=EntryKind.ADJUST, amount=amount, because=because)
