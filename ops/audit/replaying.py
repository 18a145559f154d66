"""The wallets, replayed from their entries and movements: the earliest expiry was spent first, and nothing too late.

Page by page of partners, each page a snapshot. What is taken from a lot, to be held or spent, is taken from one that
has matured and has not expired, and none is passed over that expires earlier, or is older where neither expires. Lots
that slide, or slid, with their wallet's activity are left out of that order: what it was then is not kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from base.database import transaction
from ops.audit.check import SHOWN, Check, Finding
from ops.audit.paging import SNAPSHOT, next_partners

LOTS: Final = """
SELECT l.id, l.partner_id, l.unit, l.granted_at, l.matures_at, l.expires_at, l.matures_at > t.posted_at AS was_pending,
       l.sliding OR (l.expires_at IS NULL AND l.recalled > 0) OR t.because::text LIKE '%"sliding":true%' AS is_unsure,
       l.remaining
FROM lot l JOIN ledger_transaction t ON t.program_id = $1 AND t.id = l.transaction_id
WHERE l.program_id = $1 AND l.partner_id = ANY($2::bigint[])
"""
# What happened to lots, in the order of their wallets: movements, and the turns in which what was pending matured.
EVENTS: Final = """
WITH posted AS (
    SELECT e.partner_id, e.unit, e.transaction_id, min(e.version) AS version, bool_or(e.kind = 'MATURE') AS matures
    FROM ledger_entry e WHERE e.program_id = $1 AND e.partner_id = ANY($2::bigint[])
    GROUP BY e.partner_id, e.unit, e.transaction_id
)
SELECT p.partner_id, p.unit, p.version, t.posted_at, t.occurred_at, p.matures, m.lot_id, m.kind, m.amount
FROM posted p JOIN ledger_transaction t ON t.program_id = $1 AND t.id = p.transaction_id
LEFT JOIN (SELECT m.*, l.unit FROM lot_movement m JOIN lot l ON l.program_id = $1 AND l.id = m.lot_id
           WHERE m.program_id = $1 AND l.partner_id = ANY($2::bigint[])) m
       ON m.transaction_id = p.transaction_id AND m.unit = p.unit
ORDER BY p.partner_id, p.unit, p.version, m.number
"""

Order: TypeAlias = tuple[bool, datetime, datetime, int]
TAKES: Final = frozenset({"HELD", "SPENT"})
ADDS: Final = frozenset({"GRANTED", "RELEASED"})
MOVES_HELD: Final = frozenset({"CAPTURED"})


class Event(NamedTuple):
    """What a transaction did to a lot; or, without one, that what was due at `occurred_at` matured."""

    posted_at: datetime
    occurred_at: datetime
    matures: bool
    lot_id: int | None = None
    kind: str = ""
    amount: int = 0


@dataclass(slots=True)
class ReplayedLot:
    """A lot as it stood at a moment. `is_unsure` where its place in the order of spending is not known."""

    id: int
    granted_at: datetime
    matures_at: datetime
    expires_at: datetime | None
    is_unsure: bool
    matured: bool
    remaining: int = 0

    @property
    def order(self) -> Order:
        """The earliest expiry first, then the oldest."""
        return self.expires_at is None, self.expires_at or self.granted_at, self.granted_at, self.id


@dataclass(slots=True)
class Replay:
    """A wallet, event by event."""

    lots: dict[int, ReplayedLot]
    offending: list[str] = field(default_factory=list)
    _open: list[tuple[Order, ReplayedLot]] = field(default_factory=list)
    _pending: dict[datetime, list[ReplayedLot]] = field(default_factory=dict)

    def take(self, events: Iterable[Event]) -> list[str]:
        """Go through the events; what was not as it should be."""
        for event in events:
            if event.matures:
                for lot in self._pending.pop(event.occurred_at, ()):
                    lot.matured = True
                    self._offer(lot)
            if event.lot_id is not None:
                self._move(event, self.lots[event.lot_id])
        return self.offending

    def _move(self, event: Event, lot: ReplayedLot) -> None:
        if event.kind in TAKES:
            self._check(event, lot)
        if event.kind in ADDS:
            lot.remaining += event.amount
            if lot.matured:
                self._offer(lot)
            elif event.kind == "GRANTED":
                self._pending.setdefault(lot.matures_at, []).append(lot)
        elif event.kind not in MOVES_HELD:
            lot.remaining -= event.amount

    def _check(self, event: Event, lot: ReplayedLot) -> None:
        if not lot.matured:
            self.offending.append(f"lot {lot.id} was taken from before it had matured")
        if lot.expires_at is not None and lot.expires_at <= event.posted_at:
            self.offending.append(f"lot {lot.id} was taken from after it had expired")
        if lot.is_unsure:
            return
        while self._open and not self._open[0][1].remaining:
            heappop(self._open)
        if self._open and self._open[0][0] < lot.order:
            self.offending.append(f"lot {lot.id} was taken from before lot {self._open[0][1].id}")

    def _offer(self, lot: ReplayedLot) -> None:
        if not lot.is_unsure:
            heappush(self._open, (lot.order, lot))


async def look_at_wallets(program_id: int) -> Finding:
    """Replay every wallet."""
    looked, wrong, unsure = 0, 0, 0
    first: list[str] = []
    after: int | None = 0
    while after is not None:
        after, seen, left_out, offending = await _look_at_page(program_id, after)
        looked, wrong, unsure = looked + seen, wrong + len(offending), unsure + left_out
        first += offending[: SHOWN - len(first)]
    note = f"the order leaves out {unsure:,} lots that slide with their wallet's activity" if unsure else ""
    return Finding(looked, wrong, tuple(first), note)


async def _look_at_page(program_id: int, after: int) -> tuple[int | None, int, int, list[str]]:
    """The last partner of the next page (None where there is none), events seen, lots without an order, offenders."""
    async with transaction() as connection:
        await connection.execute(SNAPSHOT)
        partner_ids = await next_partners(connection, program_id, after)
        if not partner_ids:
            return None, 0, 0, []
        stored = await connection.fetch(LOTS, program_id, partner_ids)
        rows = await connection.fetch(EVENTS, program_id, partner_ids)
    wallets: dict[tuple[int, str], Replay] = {}
    left = {}
    for (
        id_,
        partner_id,
        unit,
        granted_at,
        matures_at,
        expires_at,
        was_pending,
        is_unsure,
        remaining,
    ) in stored:
        lot = ReplayedLot(id_, granted_at, matures_at, expires_at, is_unsure, matured=not was_pending)
        wallets.setdefault((partner_id, unit), Replay({})).lots[id_] = lot
        left[id_] = remaining
    events: dict[tuple[int, str], list[Event]] = {}
    for partner_id, unit, _, *event in rows:
        events.setdefault((partner_id, unit), []).append(Event(*event))
    offending = []
    for key, found in events.items():
        replay = wallets.setdefault(key, Replay({}))
        offending += replay.take(found)
        offending += _left(replay.lots.values(), left)
    unsure = sum(one.is_unsure for replay in wallets.values() for one in replay.lots.values())
    return partner_ids[-1], len(rows), unsure, offending


def _left(lots: Iterable[ReplayedLot], left: dict[int, int]) -> Sequence[str]:
    return [
        f"lot {one.id} has {left[one.id]} left, not {one.remaining}"
        for one in lots
        if left[one.id] != one.remaining
    ]


WALLETS: Final = Check(
    "spending order",
    "replayed, no wallet held or spent what had not matured or had expired, nor a later lot before an earlier one",
    look_at_wallets,
)
