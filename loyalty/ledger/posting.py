"""How anything is posted: to a bucket of a wallet, against a system account, and in a lot. Pure.

What all postings keep, and `mitra audit` proves:

- the entries of a transaction sum to zero per unit: what a wallet gains, a system account gives;
- each bucket is the sum of its entries; a wallet's entries carry a dense version;
- available is what is left of the mature lots, pending of the others, held what the lots hold; no bucket is below zero,
  and debt stands only where available is 0;
- granted = remaining + held + spent + expired + reversed + repaid, every move of it a `LotMovement`.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from base.errors import Invalid
from loyalty.ledger.books import (
    POINT,
    WALLET,
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

Parts: TypeAlias = Sequence[tuple[Lot, int]]
"""How much of which lots, in the order in which they are taken."""

MOVES: Final = {
    MovementKind.HELD: ("remaining", "held"),
    MovementKind.RELEASED: ("held", "remaining"),
    MovementKind.CAPTURED: ("held", "spent"),
    MovementKind.SPENT: ("remaining", "spent"),
    MovementKind.EXPIRED: ("remaining", "expired"),
    MovementKind.REVERSED: ("remaining", "reversed"),
    MovementKind.REPAID: ("remaining", "repaid"),
}
"""From which column of a lot to which each kind moves: what is granted stays the sum of the others."""


class InsufficientPoints(Invalid):
    """More is to be taken than is available."""

    code = "INSUFFICIENT_POINTS"


def enter(
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
    match bucket:
        case Bucket.AVAILABLE:
            balance = wallet.available = wallet.available + amount
        case Bucket.PENDING:
            balance = wallet.pending = wallet.pending + amount
        case Bucket.HELD:
            balance = wallet.held = wallet.held + amount
        case Bucket.DEBT:
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


def offset(
    transaction: Transaction, *, account: str, unit: str, kind: EntryKind, amount: int, because: int
) -> None:
    """Post to a system account."""
    transaction.entries.append(Entry(unit=unit, account=account, kind=kind, amount=amount, because=because))


def transfer(
    transaction: Transaction,
    wallet: Wallet,
    *,
    kind: EntryKind,
    source: Bucket,
    target: Bucket,
    amount: int,
    because: int,
    lot_id: int | None = None,
) -> None:
    """Post from one bucket of a wallet to another."""
    for bucket, signed in ((source, -amount), (target, amount)):
        enter(transaction, wallet, kind=kind, bucket=bucket, amount=signed, because=because, lot_id=lot_id)


def note(transaction: Transaction, lot: Lot, kind: MovementKind, amount: int) -> None:
    """Note a move of a lot."""
    transaction.movements.append(LotMovement(lot.id, kind, amount))
    lot.changed = True


def move(transaction: Transaction, parts: Parts, kind: MovementKind) -> None:
    """Move so much of each lot from one of its columns to another, and note it."""
    source, target = MOVES[kind]
    for lot, part in parts:
        setattr(lot, source, getattr(lot, source) - part)
        setattr(lot, target, getattr(lot, target) + part)
        note(transaction, lot, kind, part)


def plan_taking(lots: Sequence[Lot], amount: int) -> list[tuple[Lot, int]]:
    """How much to take from each lot, in the order given, until `amount` or nothing is left."""
    plan = []
    for lot in lots:
        taken = min(lot.remaining, amount)
        if taken:
            plan.append((lot, taken))
            amount -= taken
    return plan


def total(parts: Parts) -> int:
    """How much it is in all."""
    return sum(part for _, part in parts)


def take(books: Books, transaction: Transaction, *, unit: str, amount: int, kind: MovementKind) -> Parts:
    """Move `amount` above zero out of what is available, the earliest expiry first: HELD or SPENT. Of which lots.

    The caller posts it. Raises `InsufficientPoints`.
    """
    assert amount > 0
    available = books.wallet(transaction.partner_id, unit).available
    if available < amount:
        raise InsufficientPoints(f"{available:,} are available", field=("amount",))
    parts = plan_taking(books.spendable(transaction.partner_id, unit), amount)
    move(transaction, parts, kind)
    return parts


def repay(transaction: Transaction, wallet: Wallet, lots: Sequence[Lot], *, on: int) -> None:
    """Repay what the wallet owes from lots that have just become available."""
    plan = plan_taking(lots, wallet.debt)
    repaid = total(plan)
    if not repaid:
        return
    step = transaction.because.add("repaid", on=on, **counted(repaid, wallet.unit))
    move(transaction, plan, MovementKind.REPAID)
    transfer(
        transaction,
        wallet,
        kind=EntryKind.REPAY,
        source=Bucket.AVAILABLE,
        target=Bucket.DEBT,
        amount=repaid,
        because=step,
        lot_id=only(plan),
    )


def counted(points: int, unit: str) -> dict[str, Any]:
    """What a step carries of an amount: the unit is named where it is another than points."""
    return {"points": points} if unit == POINT else {"points": points, "unit": unit}


def only(parts: Parts) -> int | None:
    """The lot that an entry names: where it is of one alone."""
    return parts[0][0].id if len(parts) == 1 else None


def tell(transaction: Transaction, *, unit: str, amount: int, kind: EntryKind, on: int) -> None:
    """Add the fact that points were posted: what the wallet gained or lost in all."""
    transaction.facts.append(
        {"type": "PointsPosted", "because": on, "unit": unit, "amount": amount, "kind": kind.value}
    )
