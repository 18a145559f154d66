"""The invariants of the books, by SQL of their own: none of it is shared with the code that keeps them.

And what `mitra audit` says of the same: it must find nothing where nothing is wrong.
"""

from collections.abc import Sequence
from typing import Final

from base.database import reading
from ops.audit.boards import BOARDS
from ops.audit.check import Check
from ops.audit.checks import CHECKS

BROKEN: Final = {
    "entries sum to zero per transaction and unit": """
        SELECT transaction_id, unit, sum(amount) FROM ledger_entry WHERE program_id = $1
        GROUP BY transaction_id, unit HAVING sum(amount) <> 0
    """,
    "each bucket is the sum of its entries": """
        SELECT w.partner_id, w.unit, b.bucket, b.balance, coalesce(sum(e.amount), 0)
        FROM wallet w CROSS JOIN LATERAL (VALUES ('AVAILABLE', w.available), ('PENDING', w.pending), ('HELD', w.held),
                                                 ('DEBT', -w.debt)) AS b (bucket, balance)
        LEFT JOIN ledger_entry e ON e.program_id = w.program_id AND e.partner_id = w.partner_id AND e.unit = w.unit
                                AND e.bucket = b.bucket
        WHERE w.program_id = $1 GROUP BY 1, 2, 3, 4 HAVING b.balance <> coalesce(sum(e.amount), 0)
    """,
    "a wallet's entries are numbered from 1 without a gap, up to its version": """
        SELECT w.partner_id, w.unit FROM wallet w
        LEFT JOIN ledger_entry e ON e.program_id = w.program_id AND e.partner_id = w.partner_id AND e.unit = w.unit
        WHERE w.program_id = $1 GROUP BY w.partner_id, w.unit, w.version
        HAVING w.version <> count(e.version) OR w.version <> coalesce(max(e.version), 0)
            OR (w.version > 0 AND min(e.version) <> 1)
    """,
    "each entry's balance is the one before it and its amount": """
        SELECT * FROM (
            SELECT partner_id, unit, version, balance_after,
                   sum(amount) OVER (PARTITION BY partner_id, unit, bucket ORDER BY version) AS balance
            FROM ledger_entry WHERE program_id = $1 AND partner_id IS NOT NULL
        ) e WHERE balance_after <> balance
    """,
    "available is what is left of mature lots, pending of the others, held what lots hold": """
        SELECT w.partner_id, w.unit FROM wallet w
        LEFT JOIN lot l ON l.program_id = w.program_id AND l.partner_id = w.partner_id AND l.unit = w.unit
        WHERE w.program_id = $1 GROUP BY w.partner_id, w.unit, w.available, w.pending, w.held
        HAVING w.available <> coalesce(sum(l.remaining) FILTER (WHERE l.matured), 0)
            OR w.pending <> coalesce(sum(l.remaining) FILTER (WHERE NOT l.matured), 0)
            OR w.held <> coalesce(sum(l.held), 0)
    """,
    "a lot's columns are the sums of its movements": """
        SELECT l.id FROM lot l LEFT JOIN lot_movement m ON m.program_id = l.program_id AND m.lot_id = l.id
        WHERE l.program_id = $1 GROUP BY l.id, l.granted, l.held, l.spent, l.expired, l.reversed, l.repaid
        HAVING l.granted <> coalesce(sum(m.amount) FILTER (WHERE m.kind = 'GRANTED'), 0)
            OR l.held <> coalesce(sum(m.amount) FILTER (WHERE m.kind = 'HELD'), 0)
                       - coalesce(sum(m.amount) FILTER (WHERE m.kind IN ('RELEASED', 'CAPTURED')), 0)
            OR l.spent <> coalesce(sum(m.amount) FILTER (WHERE m.kind IN ('SPENT', 'CAPTURED')), 0)
            OR l.expired <> coalesce(sum(m.amount) FILTER (WHERE m.kind = 'EXPIRED'), 0)
            OR l.reversed <> coalesce(sum(m.amount) FILTER (WHERE m.kind = 'REVERSED'), 0)
            OR l.repaid <> coalesce(sum(m.amount) FILTER (WHERE m.kind = 'REPAID'), 0)
    """,
    "what wallets and lots hold is what open holds hold": """
        SELECT w.partner_id, w.unit FROM wallet w
        WHERE w.program_id = $1 AND w.held <> (
            SELECT coalesce(sum(h.amount), 0) FROM hold h WHERE h.program_id = w.program_id
            AND h.partner_id = w.partner_id AND h.unit = w.unit AND h.state = 'OPEN')
    """,
    "nobody is held more of a lot than open holds took of it": """
        SELECT l.id FROM lot l LEFT JOIN LATERAL (
            SELECT sum(p.amount) AS held FROM hold_lot p
            JOIN hold h ON h.program_id = p.program_id AND h.id = p.hold_id AND h.state = 'OPEN'
            WHERE p.program_id = l.program_id AND p.lot_id = l.id) o ON true
        WHERE l.program_id = $1 AND l.held <> coalesce(o.held, 0)
    """,
    "sliding lots stand only where their wallet says when they expire": """
        SELECT l.id FROM lot l JOIN wallet w
          ON w.program_id = l.program_id AND w.partner_id = l.partner_id AND w.unit = l.unit
        WHERE l.program_id = $1 AND l.sliding AND l.remaining + l.held > 0 AND w.idle_until IS NULL
    """,
    "debt stands only where nothing is available": """
        SELECT partner_id FROM wallet WHERE program_id = $1 AND debt > 0 AND available > 0
    """,
    "a partner's activities are numbered from 1 without a gap": """
        SELECT p.id FROM partner p LEFT JOIN activity a ON a.program_id = p.program_id AND a.partner_id = p.id
        WHERE p.program_id = $1 GROUP BY p.id, p.activities
        HAVING p.activities <> count(a.id) OR p.activities <> coalesce(max(a.number), 0)
    """,
    "every activity has its key, and every key its activity": """
        SELECT * FROM activity_key k
        FULL JOIN activity a ON a.program_id = k.program_id AND a.id = k.activity_id
         AND a.source = k.source AND a.external_id = k.external_id
        WHERE coalesce(k.program_id, a.program_id) = $1 AND (k.activity_id IS NULL OR a.id IS NULL)
    """,
    "no more of a line comes back than was sold": """
        SELECT s.activity_id, s.line FROM activity_line s
        JOIN activity_line r ON r.program_id = s.program_id AND r.reverses_id = s.activity_id
         AND r.reverses_line = s.line
        WHERE s.program_id = $1 GROUP BY s.activity_id, s.line, s.quantity, s.amount
        HAVING sum(r.quantity) > s.quantity OR sum(r.amount) > s.amount
    """,
    "a distinct count is the number of its parts above zero": """
        SELECT t.series_id, t.window_start, t.partner_id FROM meter t
        JOIN meter_series s ON s.program_id = t.program_id AND s.id = t.series_id
        JOIN metric m ON m.program_id = t.program_id AND m.id = s.metric_id AND m.measure LIKE 'DISTINCT%'
        LEFT JOIN meter_part p ON p.program_id = t.program_id AND p.series_id = t.series_id
         AND p.window_start = t.window_start AND p.partner_id = t.partner_id
        WHERE t.program_id = $1 GROUP BY t.series_id, t.window_start, t.partner_id, t.value
        HAVING t.value <> count(*) FILTER (WHERE p.count > 0)
    """,
    "no meter is below zero": "SELECT * FROM meter WHERE program_id = $1 AND value < 0",
}


async def check_invariants(program_id: int) -> None:
    """Fail with the first rows that break an invariant of this program."""
    async with reading() as connection:
        for name, query in BROKEN.items():
            rows = await connection.fetch(f"{query} LIMIT 5", program_id)
            assert not rows, f"not so: {name}: {[tuple(row) for row in rows]}"


async def check_audit(program_id: int, checks: Sequence[Check] = CHECKS) -> None:
    """Fail with the first thing that the audit finds in this program; its boards are not looked at."""
    for check in checks:
        if check not in BOARDS:
            finding = await check.look(program_id)
            assert not finding.violations, f"{check.name}: {finding.offending}"
