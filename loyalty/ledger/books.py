"""What the ledger keeps while a batch is decided: wallets, lots, transactions and their entries. Whole numbers only."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from loyalty.because import Because
from loyalty.ledger.expiry import NEVER, Expiry

POINT: Final = "POINT"
MOST: Final = 2**53 - 1
"""The most that a wallet holds: every client can still tell it exactly."""


WALLET: Final = "WALLET"
ISSUED: Final = "ISSUED"
ADJUSTED: Final = "ADJUSTED"
OPENING: Final = "OPENING"
EXPIRED: Final = "EXPIRED"
REDEEMED: Final = "REDEEMED"
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
    MATURE = "MATURE"
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    EXPIRE = "EXPIRE"
    REVERSE = "REVERSE"
    ADJUST = "ADJUST"
    REWARD = "REWARD"
    REPAY = "REPAY"
    OPENING = "OPENING"


class MovementKind(StrEnum):
    """A move of a lot: held = HELD - RELEASED - CAPTURED, spent = SPENT + CAPTURED, the others as they are called.

    What is WAIVED stays where it is.
    """

    GRANTED = "GRANTED"
    HELD = "HELD"
    RELEASED = "RELEASED"
    CAPTURED = "CAPTURED"
    SPENT = "SPENT"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"
    REPAID = "REPAID"
    WAIVED = "WAIVED"


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
    """A partner's account in one unit. `version` is that of its last entry.

    Its sliding lots expire together, at `idle_until`: when nothing was earned for `idle` (90d, 12m). There is such a
    moment where there is such a lot.
    """

    partner_id: int
    unit: str
    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    version: int = 0
    idle: str | None = None
    idle_until: datetime | None = None
    changed: bool = False

    @property
    def total(self) -> int:
        """All that is the partner's: what may become available at most."""
        return self.available + self.pending + self.held

    @property
    def room(self) -> int:
        """How much more it may hold."""
        return MOST - self.total


Basis: TypeAlias = list[tuple[int, str]]
"""Weights of the activity's lines, as decimal strings: by them a return takes back its share."""


@dataclass(slots=True)
class Lot:
    """Points granted together: pending until they have `matured`.

    `recalled` is what returns took for it, from anywhere; `waived` what they let go by the program's policy. What it
    was granted under is written with a new lot, for the audit, and never read again: the policy, whose days they are,
    and until when the wallet's sliding lots lived.
    """

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
    waived: int = 0
    matured: bool = True
    sliding: bool = False
    is_new: bool = False
    changed: bool = False
    expiry: Expiry = NEVER
    time_zone: str | None = None
    idle_until: datetime | None = None

    @property
    def recallable(self) -> int:
        """What returns may still ask of it."""
        return self.granted - self.expired - self.recalled - self.waived

    def spending_order(self, idle_until: datetime | None) -> tuple[bool, datetime, datetime, int]:
        """Spend the earliest expiry first, then the oldest; a sliding lot expires at its wallet's moment."""
        expires_at = idle_until if self.sliding else self.expires_at
        return expires_at is None, expires_at or self.granted_at, self.granted_at, self.id


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

    def lots_of(self, partner_id: int, unit: str) -> list[Lot]:
        """The partner's lots in that unit, as far as they were loaded."""
        return self._of_wallet[partner_id, unit]

    def spendable(self, partner_id: int, unit: str) -> list[Lot]:
        """The partner's mature lots with something left, in the order in which they are spent."""
        idle_until = self.wallet(partner_id, unit).idle_until
        mine = (one for one in self._of_wallet[partner_id, unit] if one.remaining > 0 and one.matured)
        return sorted(mine, key=lambda one: one.spending_order(idle_until))

    def granted_by(self, *, transaction_id: int) -> list[Lot]:
        """The lots that a transaction granted, in that order."""
        return _in_order(self._of_transaction[transaction_id])

    def granted_for(self, *, activity_id: int) -> list[Lot]:
        """The lots that earning rules granted for an activity, in that order."""
        return _in_order(self._of_activity[activity_id])


def _in_order(lots: Iterable[Lot]) -> list[Lot]:
    """As they were granted, however they were loaded: a return posts in one order, whatever the batching."""
    return sorted(lots, key=lambda one: one.id)
