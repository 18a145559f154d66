"""How anything is posted: to a bucket of a wallet, against a system account, and in a lot. Pure.

What all postings keep, and `mitra audit` proves:

- the entries of a transaction sum to zero per unit: what a wallet gains, a system account gives;
- each bucket is the sum of its entries; a wallet's entries carry a dense version;
- available is what is left of the mature lots, pending of the others, held what the lots hold; no bucket is below zero,
  and debt stands only where available is 0;
- granted = remaining + held + spent + expired + reversed + repaid, every move of it a `LotMovement`.
"""

from collections.abc import Sequence
from typing import Any

from base.errors import Invalid
from loyalty.ledger.books import (
    POINT,
    WALLET,
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


def move(transaction: Transaction, lot: Lot, kind: MovementKind, amount: int) -> None:
    """Note a move of a lot whose columns the caller changes."""
    transaction.movements.append(LotMovement(lot.id, kind, amount))
    lot.changed = True


def plan_taking(lots: Sequence[Lot], amount: int) -> list[tuple[Lot, int]]:
    """How much to take from each lot, in the order given, until `amount` or nothing is left."""
    plan = []
    for lot in lots:
        taken = min(lot.remaining, amount)
        if taken:
            plan.append((lot, taken))
            amount -= taken
    return plan


def repay(transaction: Transaction, wallet: Wallet, lots: Sequence[Lot], *, on: int) -> None:
    """Repay what the wallet owes from lots that have just become available."""
    plan = plan_taking(lots, wallet.debt)
    repaid = sum(part for _, part in plan)
    if not repaid:
        return
    step = transaction.because.add("repaid", on=on, **counted(repaid, wallet.unit))
    for lot, part in plan:
        lot.remaining -= part
        lot.repaid += part
        move(transaction, lot, MovementKind.REPAID, part)
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


def only(plan: Sequence[tuple[Lot, int]]) -> int | None:
    """The lot that an entry names: where it is of one alone."""
    return plan[0][0].id if len(plan) == 1 else None


def tell(transaction: Transaction, *, unit: str, amount: int, kind: EntryKind, on: int) -> None:
    """Add the fact that points were posted: what the wallet gained or lost in all."""
    transaction.facts.append(
        {"type": "PointsPosted", "because": on, "unit": unit, "amount": amount, "kind": kind.value}
    )
