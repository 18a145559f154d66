"""The wallets, replayed from their entries and movements: page by page of partners, each page a snapshot.

What SQL proves of the rows as they stand (`books`) is not proved here again: that a wallet's buckets are the sums of
its entries, that these are chained, that a lot's columns are the sums of its movements, and that both agree. Here it is
proved entry by entry that its lots moved as it says, and could at that moment, and of what time does to lots and
wallets that it is stored as it comes out (`wallets`).
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from base.database import Connection
from loyalty.ledger.books import LotMovement
from loyalty.ledger.expiry import Expiry
from ops.audit.check import Check, Finding
from ops.audit.paging import read_pages
from ops.audit.wallets import Entry, Replay, ReplayedLot, StoredLot, StoredWallet

WALLETS_OF: Final = """
SELECT partner_id, unit, idle, idle_until FROM wallet WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""
LOTS: Final = """
SELECT partner_id, unit, id, granted_at, matures_at, expiry, time_zone, idle_until,
       matured, sliding, expires_at, remaining + held = 0 AS is_over
FROM lot WHERE program_id = $1 AND partner_id = ANY($2::bigint[])
"""
# In the order in which each wallet was posted to.
ENTRIES: Final = """
SELECT e.partner_id, e.unit, e.transaction_id, t.posted_at, t.occurred_at, e.kind, e.bucket, e.amount, e.lot_id
FROM ledger_entry e JOIN ledger_transaction t ON t.program_id = $1 AND t.id = e.transaction_id
WHERE e.program_id = $1 AND e.partner_id = ANY($2::bigint[])
ORDER BY e.partner_id, e.unit, e.version
"""
# All that an entry goes with: what is let go stays where it is.
MOVEMENTS: Final = """
SELECT l.partner_id, l.unit, m.transaction_id, m.lot_id, m.kind, m.amount
FROM lot_movement m JOIN lot l ON l.program_id = $1 AND l.id = m.lot_id AND l.partner_id = ANY($2::bigint[])
WHERE m.program_id = $1 AND m.transaction_id = ANY($3::bigint[]) AND m.kind <> 'WAIVED'
ORDER BY m.transaction_id, m.number
"""

Key: TypeAlias = tuple[int, str]


class Page(NamedTuple):
    """What was read of some partners."""

    wallets: Sequence[Any]
    lots: Sequence[Any]
    entries: Sequence[Any]
    movements: Sequence[Any]


async def look_at_wallets(program_id: int) -> Finding:
    """Replay every wallet."""

    async def read(connection: Connection, partner_ids: list[int]) -> Page:
        return await _read(connection, program_id, partner_ids)

    found = Finding(0, 0)
    async for page in read_pages(program_id, read):
        found = found.add(len(page.entries), replay_page(page))
    return found


async def _read(connection: Connection, program_id: int, partner_ids: list[int]) -> Page:
    entries = await connection.fetch(ENTRIES, program_id, partner_ids)
    transaction_ids = list({row["transaction_id"] for row in entries})
    return Page(
        await connection.fetch(WALLETS_OF, program_id, partner_ids),
        await connection.fetch(LOTS, program_id, partner_ids),
        entries,
        await connection.fetch(MOVEMENTS, program_id, partner_ids, transaction_ids),
    )


def replay_page(page: Page) -> list[str]:
    """What does not come out as it is stored, of all wallets of a page."""
    lots: defaultdict[Key, dict[int, ReplayedLot]] = defaultdict(dict)
    stored: dict[int, StoredLot] = {}
    entries: defaultdict[Key, list[Entry]] = defaultdict(list)
    movements: defaultdict[Key, defaultdict[int, deque[LotMovement]]]
    movements = defaultdict(lambda: defaultdict(deque))
    for partner_id, unit, id_, granted_at, matures_at, expiry, time_zone, found_until, *time in page.lots:
        policy = Expiry.from_text(expiry)
        lot = ReplayedLot(id_, granted_at, matures_at, policy, time_zone, found_until)
        lots[partner_id, unit][id_] = lot
        stored[id_] = StoredLot(*time)
    for partner_id, unit, *entry in page.entries:
        entries[partner_id, unit].append(Entry(*entry))
    for partner_id, unit, transaction_id, *movement in page.movements:
        movements[partner_id, unit][transaction_id].append(LotMovement(*movement))
    offending = []
    for partner_id, unit, *time in page.wallets:
        key = (partner_id, unit)
        replay = Replay(lots[key])
        replay.take(entries[key], movements[key])
        replay.compare(f"the wallet of partner {partner_id} in {unit}", StoredWallet(*time), stored)
        offending += replay.offending
    return offending


WALLETS: Final = Check(
    "wallets replayed",
    "replayed, a wallet spent the earliest expiry first and nothing too early or late, and time left it as it stands",
    look_at_wallets,
)
