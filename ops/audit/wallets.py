"""A wallet lived through again, entry by entry, from what is only ever added to. Pure.

Entries and lot movements say what was done. What time did to lots and wallet is found out anew, by the policies and
calendars that the lots were granted under: what had matured, what had expired, and when sliding lots did. So it is
proved of each entry that its lots could be moved so, and of each lot and wallet that it ended up as it is stored.

Two things that time does leave no entry. Sliding lots of which nothing is left but what is held get their wallet's
moment for their own; and lots whose remainder stands in for what a return took elsewhere lose theirs. That is seen by
what follows it, and where nothing followed yet, both are as they should be: it is done, or still to be done.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from loyalty.ledger.books import Bucket, EntryKind, LotMovement, MovementKind
from loyalty.ledger.expiry import Expiry, expires_at, idle_until

Order: TypeAlias = tuple[bool, datetime, datetime, int]
Movements: TypeAlias = Mapping[int, deque[LotMovement]]
"""Of a wallet's lots, by transaction, in their order."""

UP_TO_DATE: Final = frozenset(
    {EntryKind.HOLD, EntryKind.CAPTURE, EntryKind.RELEASE, EntryKind.ADJUST, EntryKind.EXPIRE}
)
"""Entries that are made when what was due before has been done."""
MOVES: Final[Mapping[str, str]] = {
    EntryKind.EARN: MovementKind.GRANTED,
    EntryKind.REWARD: MovementKind.GRANTED,
    EntryKind.OPENING: MovementKind.GRANTED,
    EntryKind.HOLD: MovementKind.HELD,
    EntryKind.CAPTURE: MovementKind.CAPTURED,
    EntryKind.RELEASE: MovementKind.RELEASED,
    EntryKind.EXPIRE: MovementKind.EXPIRED,
    EntryKind.REVERSE: MovementKind.REVERSED,
    EntryKind.REPAY: MovementKind.REPAID,
}
"""What lots do while an entry is made; an adjustment grants or spends, and maturing moves none."""
TAKES: Final = frozenset({MovementKind.HELD, MovementKind.SPENT})


class Entry(NamedTuple):
    """An entry of a wallet."""

    transaction_id: int
    posted_at: datetime
    occurred_at: datetime
    kind: str
    bucket: str
    amount: int
    lot_id: int | None = None

    @property
    def is_told(self) -> bool:
        """Whether it is the one that tells of its lots, where a transfer has two."""
        if self.kind == EntryKind.CAPTURE:
            return True
        if self.kind == EntryKind.MATURE:
            return self.bucket == Bucket.AVAILABLE
        return self.bucket in (Bucket.AVAILABLE, Bucket.PENDING)

    @property
    def moves(self) -> str:
        """What its lots do."""
        if self.kind == EntryKind.ADJUST:
            return MovementKind.GRANTED if self.amount > 0 else MovementKind.SPENT
        return MOVES.get(self.kind, "NOTHING")


class StoredLot(NamedTuple):
    """How time has left a lot, as its row says. Of one that `is_over` nothing is left or held."""

    matured: bool
    sliding: bool
    expires_at: datetime | None
    is_over: bool = False


class StoredWallet(NamedTuple):
    """How time has left a wallet, as its row says."""

    idle: str | None = None
    idle_until: datetime | None = None


@dataclass(slots=True)
class ReplayedLot:
    """A lot: what it was granted under and, from `granted` on, how it stood at a moment."""

    id: int
    granted_at: datetime
    matures_at: datetime
    expiry: Expiry
    time_zone: str | None
    found_until: datetime | None
    granted: int = 0
    remaining: int = 0
    expired: int = 0
    recalled: int = 0
    matured: bool = False
    sliding: bool = False
    expires_at: datetime | None = None

    @property
    def may_expire(self) -> int:
        """What of it is not gone, and no stand-in for what a return took elsewhere."""
        return self.granted - self.expired - self.recalled

    def order(self, idle_until: datetime | None) -> Order:
        """The earliest expiry first, then the oldest; a sliding lot expires with its wallet's moment."""
        end = idle_until if self.sliding else self.expires_at
        return end is None, end or self.granted_at, self.granted_at, self.id


@dataclass(slots=True)
class Replay:
    """A wallet, as it stood after the entries so far."""

    lots: Mapping[int, ReplayedLot]
    idle: str | None = None
    idle_until: datetime | None = None
    offending: list[str] = field(default_factory=list)
    _fixed: list[tuple[Order, ReplayedLot]] = field(default_factory=list)
    _sliding: list[tuple[Order, ReplayedLot]] = field(default_factory=list)
    _pending: dict[datetime, list[ReplayedLot]] = field(default_factory=dict)

    def take(self, entries: Iterable[Entry], movements: Movements) -> None:
        """Go through all entries, with what each did to lots; `movements` are used up."""
        for entry in entries:
            self._let_time_work(entry)
            if entry.kind == EntryKind.REVERSE and (source := self.lots.get(entry.lot_id or 0)):
                source.recalled -= entry.amount
            if not entry.is_told:
                continue
            if entry.kind == EntryKind.MATURE:
                self._mature(entry)
            else:
                self._move(entry, movements.get(entry.transaction_id, deque()))
        self.offending += [
            f"lot {one.lot_id} was {one.kind.lower()} by transaction {transaction_id} without an entry"
            for transaction_id, left in movements.items()
            for one in left
        ]

    def _move(self, entry: Entry, movements: deque[LotMovement]) -> None:
        left = abs(entry.amount)
        while left and movements and movements[0].kind == entry.moves and movements[0].amount <= left:
            movement = movements.popleft()
            left -= movement.amount
            self._move_lot(entry, self.lots[movement.lot_id], movement.amount)
        if left:
            told = f"transaction {entry.transaction_id} posted {left} as {entry.bucket}"
            self.offending.append(f"{told} of which no lot was {entry.moves.lower()}")

    def _move_lot(self, entry: Entry, lot: ReplayedLot, amount: int) -> None:
        kind = entry.moves
        if kind == MovementKind.GRANTED:
            self._grant(entry, lot, amount)
        elif kind in TAKES:
            self._check_taking(entry, lot)
        elif kind == MovementKind.EXPIRED:
            self._check_expiring(entry, lot, amount)
        if kind == MovementKind.CAPTURED:
            return
        if lot.matured != (entry.bucket == Bucket.AVAILABLE):
            when = "after it had matured" if lot.matured else "before it had matured"
            self.offending.append(f"lot {lot.id} was {kind.lower()} as {entry.bucket} {when}")
        if kind in (MovementKind.GRANTED, MovementKind.RELEASED):
            lot.remaining += amount
            self._offer(lot)
        else:
            lot.remaining -= amount

    # ------------------------------------------------------------------------------------------------ what time does

    def _let_time_work(self, entry: Entry) -> None:
        """Sliding lots have expired before an entry that is only made when they have."""
        now = entry.occurred_at if entry.kind == EntryKind.EXPIRE else entry.posted_at
        if self.idle_until is not None and self.idle_until <= now and entry.kind in UP_TO_DATE:
            self._end_sliding(self.idle_until)

    def _mature(self, entry: Entry) -> None:
        lots = [one for one in self._pending.pop(entry.occurred_at, ()) if one.remaining]
        for lot in lots:
            lot.matured = True
            self._offer(lot)
        due = sum(one.remaining for one in lots)
        if due != entry.amount or entry.occurred_at > entry.posted_at:
            self.offending.append(
                f"transaction {entry.transaction_id} matured {entry.amount}, where {due} were due"
            )

    def _grant(self, entry: Entry, lot: ReplayedLot, amount: int) -> None:
        self._check_found(entry, lot)
        lot.granted = amount
        lot.matured = lot.matures_at <= entry.posted_at
        lot.sliding = lot.expiry.is_sliding
        if not lot.matured:
            self._pending.setdefault(lot.matures_at, []).append(lot)
        renews = entry.kind == EntryKind.EARN and self.idle_until is not None
        if lot.time_zone is not None:
            lot.expires_at = expires_at(lot.expiry, matures_at=lot.matures_at, time_zone=lot.time_zone)
            if lot.sliding:
                self.idle = lot.expiry.term
                self._keep_alive(lot.time_zone, start=lot.matures_at)
            elif renews:
                self._keep_alive(lot.time_zone, start=entry.posted_at)
        elif renews or lot.expiry != Expiry():
            self.offending.append(f"lot {lot.id} does not say whose days its own are")

    def _check_found(self, entry: Entry, lot: ReplayedLot) -> None:
        """What it found when it was granted tells whether the sliding lots had expired without an entry."""
        due = self.idle_until
        if lot.found_until == due:
            return
        if lot.found_until is None and due is not None and due <= entry.posted_at:
            self._end_sliding(due)
        else:
            self.offending.append(
                f"lot {lot.id} found what slides alive until {lot.found_until}, not until {due}"
            )

    def _keep_alive(self, time_zone: str, *, start: datetime) -> None:
        assert self.idle is not None
        until = idle_until(self.idle, start=start, time_zone=time_zone)
        self.idle_until = max(self.idle_until or until, until)

    def _end_sliding(self, at: datetime) -> None:
        for lot in self.lots.values():
            if lot.sliding:
                lot.sliding, lot.expires_at = False, at
                self._offer(lot)
        self.idle_until = None

    # ------------------------------------------------------------------------------------------- the order of spending

    def _check_taking(self, entry: Entry, lot: ReplayedLot) -> None:
        self._forget_stand_in(lot, entry.posted_at)
        end = self.idle_until if lot.sliding else lot.expires_at
        if end is not None and end <= entry.posted_at:
            self.offending.append(f"lot {lot.id} was {entry.moves.lower()} after it had expired")
        for offers in (self._fixed, self._sliding):
            first = self._first(offers, entry.posted_at)
            if first is not None and first.order(self.idle_until) < lot.order(self.idle_until):
                self.offending.append(f"lot {lot.id} was {entry.moves.lower()} before lot {first.id}")

    def _check_expiring(self, entry: Entry, lot: ReplayedLot, amount: int) -> None:
        if lot.expires_at is None or lot.expires_at > entry.posted_at:
            self.offending.append(f"lot {lot.id} expired before its time")
        due = min(lot.remaining, lot.may_expire)
        if amount != due:
            self.offending.append(f"{amount} of lot {lot.id} expired, where {due} were due")
        lot.expired += amount

    def _offer(self, lot: ReplayedLot) -> None:
        """It is to be taken in its turn. Sliding lots keep their order among themselves, whatever their moment."""
        if lot.matured and lot.remaining:
            heappush(self._sliding if lot.sliding else self._fixed, (lot.order(None), lot))

    def _first(self, offers: list[tuple[Order, ReplayedLot]], now: datetime) -> ReplayedLot | None:
        """The lot of these that is to be taken from first; what is no offer any more is dropped."""
        while offers:
            order, lot = offers[0]
            self._forget_stand_in(lot, now)
            if lot.remaining and lot.sliding == (offers is self._sliding) and lot.order(None) == order:
                return lot
            heappop(offers)
        return None

    def _forget_stand_in(self, lot: ReplayedLot, now: datetime) -> None:
        """What is left of it stands in for what a return took elsewhere: its day has come, and took nothing."""
        if lot.expires_at is not None and lot.expires_at <= now and lot.remaining and not lot.may_expire:
            lot.expires_at = None
            self._offer(lot)

    # ------------------------------------------------------------------------------------------------- what is stored

    def compare(self, name: str, wallet: StoredWallet, stored: Mapping[int, StoredLot]) -> None:
        """Whether the rows say the same of the wallet, called `name`, and its lots."""
        due = self.idle_until
        lapsed = not any(one.sliding and one.remaining and one.may_expire for one in self.lots.values())
        if due is not None and wallet.idle_until is None and lapsed:
            self._end_sliding(due)
        if wallet != (self.idle, self.idle_until):
            said = f"{wallet.idle_until} after {wallet.idle}"
            self.offending.append(f"{name} slides until {said}, not {self.idle_until} after {self.idle}")
        for lot in self.lots.values():
            self._compare_lot(lot, stored[lot.id])

    def _compare_lot(self, lot: ReplayedLot, stored: StoredLot) -> None:
        if stored.matured != lot.matured:
            self.offending.append(f"lot {lot.id} has {'' if stored.matured else 'not '}matured")
        if stored.is_over:
            return
        if stored.expires_at is None and not lot.may_expire:
            lot.expires_at = None
        if (stored.sliding, stored.expires_at) != (lot.sliding, lot.expires_at):
            said = "slides" if stored.sliding else f"expires at {stored.expires_at}"
            due = "slide" if lot.sliding else f"expire at {lot.expires_at}"
            self.offending.append(f"lot {lot.id} {said}, and ought to {due}")
