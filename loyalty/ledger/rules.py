"""The books of a batch: what is posted, bucket by bucket and lot by lot. Pure, whole numbers only.

Invariants kept here, and proved by `mitra audit`:

- the entries of a transaction sum to zero per unit: what a wallet gains, a system account gives;
- each bucket is the sum of its entries; a wallet's entries carry a dense version;
- available is the sum of the lots' remainders; no bucket is below zero, and debt stands only where available is 0;
- granted = remaining + held + spent + expired + reversed + repaid, every move of it a `Movement`;
- what returns took for a lot (`recalled`, from wherever it came) never passes granted − expired.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from base.errors import Invalid
from loyalty.because import Because

POINT: Final = "POINT"
WALLET: Final = "WALLET"
ISSUED: Final = "ISSUED"
ADJUSTED: Final = "ADJUSTED"


class Bucket(StrEnum):
    """Where points stand in a wallet."""

    AVAILABLE = "AVAILABLE"
    PENDING = "PENDING"
    HELD = "HELD"
    DEBT = "DEBT"


class EntryKind(StrEnum):
    """What an entry was for."""

    EARN = "EARN"
    REWARD = "REWARD"
    REVERSE = "REVERSE"
    ADJUST = "ADJUST"
    REPAY = "REPAY"


class MovementKind(StrEnum):
    """Which column of the lot a movement was added to."""

    GRANTED = "GRANTED"
    SPENT = "SPENT"
    REVERSED = "REVERSED"
    REPAID = "REPAID"


class InsufficientPoints(Invalid):
    """More is to be taken than is available."""

    code = "INSUFFICIENT_POINTS"


class Entry(NamedTuple):
    """One side of a transaction. Those of a system account carry no bucket, version or lot, and keep no balance."""

    unit: str
    account: str
    kind: EntryKind
    amount: int
    because: int
    partner_id: int | None = None
    bucket: Bucket | None = None
    balance_after: int | None = None
    version: int | None = None
    lot_id: int | None = None


class Movement(NamedTuple):
    """A move of a lot."""

    lot_id: int
    kind: MovementKind
    amount: int


@dataclass(slots=True)
class Transaction:
    """What one cause does to one partner: entries, lot movements, facts, and why."""

    id: int
    partner_id: int
    key: str
    activity_id: int | None
    occurred_at: datetime
    posted_at: datetime
    because: Because = field(default_factory=Because)
    facts: list[dict[str, Any]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)


@dataclass(slots=True)
class Wallet:
    """A partner's account in one unit. `version` is that of its last entry."""

    partner_id: int
    unit: str
    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    version: int = 0
    changed: bool = False


Basis: TypeAlias = list[tuple[int, str]]
"""Weights of the activity's lines, as decimal strings: by them a return takes back its share."""


@dataclass(slots=True)
class Lot:
    """Points granted together."""

    id: int
    partner_id: int
    unit: str
    transaction_id: int
    activity_id: int | None
    rule_id: int | None
    basis: Basis | None
    granted_at: datetime
    matures_at: datetime
    expires_at: datetime | None
    granted: int
    remaining: int
    held: int = 0
    spent: int = 0
    expired: int = 0
    reversed: int = 0
    repaid: int = 0
    recalled: int = 0
    is_new: bool = False
    changed: bool = False

    @property
    def spending_order(self) -> tuple[bool, datetime, datetime, int]:
        """Spend the earliest expiry first, then the oldest."""
        return self.expires_at is None, self.expires_at or self.granted_at, self.granted_at, self.id


class Books:
    """Wallets and lots of the partners in a batch, found by what they are asked for.

    The partners' locks make it their only writer.
    """

    def __init__(self, wallets: Iterable[Wallet] = (), lots: Iterable[Lot] = ()) -> None:
        self.wallets: Final = {(one.partner_id, one.unit): one for one in wallets}
        self.lots: Final[dict[int, Lot]] = {}
        self._of_wallet: Final[defaultdict[tuple[int, str], list[Lot]]] = defaultdict(list)
        self._of_transaction: Final[defaultdict[int, list[Lot]]] = defaultdict(list)
        self._of_activity: Final[defaultdict[int, list[Lot]]] = defaultdict(list)
        for lot in lots:
            self.add(lot)

    def add(self, lot: Lot) -> Lot:
        """Take a lot into the books; one that is there already stays, and is the answer."""
        found = self.lots.setdefault(lot.id, lot)
        if found is lot:
            self._of_wallet[lot.partner_id, lot.unit].append(lot)
            self._of_transaction[lot.transaction_id].append(lot)
            if lot.activity_id is not None and lot.rule_id is not None:
                self._of_activity[lot.activity_id].append(lot)
        return found

    def wallet(self, partner_id: int, unit: str) -> Wallet:
        """The partner's wallet in that unit; a new one where there was none."""
        key = (partner_id, unit)
        found = self.wallets.get(key)
        if found is None:
            found = self.wallets[key] = Wallet(partner_id, unit)
        return found

    def spendable(self, partner_id: int, unit: str) -> list[Lot]:
        """The partner's lots with something left, in the order in which they are spent."""
        mine = (one for one in self._of_wallet[partner_id, unit] if one.remaining > 0)
        return sorted(mine, key=lambda one: one.spending_order)

    def granted_by(self, *, transaction_id: int) -> list[Lot]:
        """The lots that a transaction granted, in that order."""
        return _in_order(self._of_transaction[transaction_id])

    def granted_for(self, *, activity_id: int) -> list[Lot]:
        """The lots that earning rules granted for an activity, in that order."""
        return _in_order(self._of_activity[activity_id])


def _in_order(lots: Iterable[Lot]) -> list[Lot]:
    """As they were granted, however they were loaded: a return posts in one order, whatever the batching."""
    return sorted(lots, key=lambda one: one.id)


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
    transaction.movements.append(Movement(lot.id, kind, amount))
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
) -> Lot:
    """Grant `amount` above zero as a lot of its own. A debt is repaid from it at once."""
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
        granted_at=transaction.posted_at,
        matures_at=transaction.posted_at,
        expires_at=None,
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
