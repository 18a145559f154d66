"""What the ledger keeps while a batch is decided: wallets, lots, transactions and their entries. Whole numbers only."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from loyalty.because import Because

POINT: Final = "POINT"
MOST: Final = 2**53 - 1
"""The most that a wallet holds: every client can still tell it exactly."""


WALLET: Final = "WALLET"
ISSUED: Final = "ISSUED"
ADJUSTED: Final = "ADJUSTED"
OPENING: Final = "OPENING"
"""The accounts: wallets, and those of the system that stand against them."""


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
    OPENING = "OPENING"


class MovementKind(StrEnum):
    """Which column of the lot a movement was added to."""

    GRANTED = "GRANTED"
    SPENT = "SPENT"
    REVERSED = "REVERSED"
    REPAID = "REPAID"


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


class LotMovement(NamedTuple):
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
    movements: list[LotMovement] = field(default_factory=list)


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
