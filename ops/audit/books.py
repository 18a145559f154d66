"""The books: double entry, wallets that are the sum of their entries, lots that account for every point."""

from typing import Final

from ops.audit.adjusting import ADJUSTING
from ops.audit.check import Check, sql_check
from ops.audit.earning import EARNING

ENTRIES: Final = "SELECT count(*) FROM ledger_entry WHERE program_id = $1"
WALLETS: Final = "SELECT count(*) FROM wallet WHERE program_id = $1"
LOTS: Final = "SELECT count(*) FROM lot WHERE program_id = $1"

BALANCED: Final = sql_check(
    "double entry",
    "the entries of a transaction sum to zero in each unit",
    rows=ENTRIES,
    wrong="""
    SELECT 'transaction ' || transaction_id || ' ' || unit FROM ledger_entry WHERE program_id = $1
    GROUP BY transaction_id, unit HAVING sum(amount) <> 0
    """,
)

ONCE: Final = sql_check(
    "one cause, one transaction",
    "no two transactions have the same key",
    rows="SELECT count(*) FROM ledger_transaction WHERE program_id = $1",
    wrong="SELECT key FROM ledger_transaction WHERE program_id = $1 GROUP BY key HAVING count(*) > 1",
)

OWNED: Final = sql_check(
    "one owner",
    "a transaction posts to wallets and lots of its own partner and program alone",
    rows=ENTRIES,
    wrong="""
    SELECT 'transaction ' || t.id
    FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
    WHERE t.program_id = $1 AND (e.program_id, coalesce(e.partner_id, t.partner_id)) <> (t.program_id, t.partner_id)
    UNION
    SELECT 'transaction ' || t.id
    FROM ledger_transaction t JOIN lot_movement m ON m.transaction_id = t.id JOIN lot l ON l.id = m.lot_id
    WHERE t.program_id = $1 AND (m.program_id, l.program_id, l.partner_id) <> (t.program_id, t.program_id, t.partner_id)
    """,
)

BUCKETS: Final = sql_check(
    "buckets",
    "each bucket of a wallet is the sum of its entries; debt counts below zero",
    rows=WALLETS,
    wrong="""
    SELECT 'partner ' || coalesce(w.partner_id, e.partner_id) || ' ' || coalesce(w.unit, e.unit)
    FROM (SELECT * FROM wallet WHERE program_id = $1) w
    FULL JOIN (SELECT partner_id, unit, coalesce(sum(amount) FILTER (WHERE bucket = 'AVAILABLE'), 0) AS available,
                      coalesce(sum(amount) FILTER (WHERE bucket = 'PENDING'), 0) AS pending,
                      coalesce(sum(amount) FILTER (WHERE bucket = 'HELD'), 0) AS held,
                      coalesce(-sum(amount) FILTER (WHERE bucket = 'DEBT'), 0) AS debt
               FROM ledger_entry WHERE program_id = $1 AND partner_id IS NOT NULL GROUP BY partner_id, unit) e
           ON e.partner_id = w.partner_id AND e.unit = w.unit
    WHERE (coalesce(w.available, 0), coalesce(w.pending, 0), coalesce(w.held, 0), coalesce(w.debt, 0))
       <> (coalesce(e.available, 0), coalesce(e.pending, 0), coalesce(e.held, 0), coalesce(e.debt, 0))
    """,
)

SIGNS: Final = sql_check(
    "no bucket below zero",
    "no bucket is below zero, and debt stands only where nothing is available",
    rows=WALLETS,
    wrong="""
    SELECT 'partner ' || partner_id || ' ' || unit FROM wallet
    WHERE program_id = $1 AND (least(available, pending, held, debt) < 0 OR (debt > 0 AND available > 0))
    """,
)

VERSIONS: Final = sql_check(
    "wallet versions",
    "a wallet's entries are numbered from 1 without a gap, up to its version",
    rows=ENTRIES,
    wrong="""
    SELECT 'partner ' || w.partner_id || ' ' || w.unit
    FROM wallet w
    LEFT JOIN (SELECT partner_id, unit, count(*) AS count, min(version) AS first, max(version) AS last
               FROM ledger_entry WHERE program_id = $1 AND partner_id IS NOT NULL GROUP BY partner_id, unit) e
           ON e.partner_id = w.partner_id AND e.unit = w.unit
    WHERE w.program_id = $1 AND (w.version <> coalesce(e.count, 0) OR w.version <> coalesce(e.last, 0) OR e.first <> 1)
    """,
)

CHAINED: Final = sql_check(
    "balances after",
    "an entry's balance is the one before it in its bucket, and its amount",
    rows=ENTRIES,
    wrong="""
    SELECT 'entry ' || transaction_id || ':' || number
    FROM (SELECT transaction_id, number, balance_after, amount + lag(balance_after, 1, 0::bigint)
                     OVER (PARTITION BY partner_id, unit, bucket ORDER BY version) AS expected
          FROM ledger_entry WHERE program_id = $1 AND partner_id IS NOT NULL) e
    WHERE balance_after <> expected
    """,
)

TOLD: Final = sql_check(
    "told as posted",
    "the points that a partner was told of are those that its wallet was posted",
    rows="SELECT count(*) FROM ledger_transaction WHERE program_id = $1",
    wrong="""
    SELECT 'partner ' || coalesce(e.partner_id, f.partner_id) || ' ' || coalesce(e.unit, f.unit)
    FROM (SELECT partner_id, unit, sum(amount) AS amount FROM ledger_entry
          WHERE program_id = $1 AND partner_id IS NOT NULL GROUP BY partner_id, unit) e
    FULL JOIN (SELECT t.partner_id, f ->> 'unit' AS unit, sum((f ->> 'amount')::bigint) AS amount
               FROM ledger_transaction t CROSS JOIN LATERAL json_array_elements(t.facts) AS f
               WHERE t.program_id = $1 AND f ->> 'type' = 'PointsPosted' GROUP BY t.partner_id, f ->> 'unit') f
           ON f.partner_id = e.partner_id AND f.unit = e.unit
    WHERE coalesce(e.amount, 0) <> coalesce(f.amount, 0)
    """,
)

COVERED: Final = sql_check(
    "wallets and lots",
    "available is what is left of the mature lots, pending of the others, and held what the lots hold",
    rows=WALLETS,
    wrong="""
    SELECT 'partner ' || coalesce(w.partner_id, l.partner_id) || ' ' || coalesce(w.unit, l.unit)
    FROM (SELECT * FROM wallet WHERE program_id = $1) w
    FULL JOIN (SELECT partner_id, unit, coalesce(sum(remaining) FILTER (WHERE matured), 0) AS available,
                      coalesce(sum(remaining) FILTER (WHERE NOT matured), 0) AS pending, sum(held) AS held
               FROM lot WHERE program_id = $1 GROUP BY partner_id, unit) l
           ON l.partner_id = w.partner_id AND l.unit = w.unit
    WHERE (coalesce(w.available, 0), coalesce(w.pending, 0), coalesce(w.held, 0))
       <> (coalesce(l.available, 0), coalesce(l.pending, 0), coalesce(l.held, 0))
    """,
)

# A wallet's open lots are an index's: one look for each, whatever is known of how many sliding lots there are.
SLIDING: Final = sql_check(
    "sliding lots",
    "a wallet that has sliding lots has the moment at which they expire",
    rows=WALLETS,
    wrong="""
    SELECT 'partner ' || w.partner_id || ' ' || w.unit
    FROM wallet w
    CROSS JOIN LATERAL (SELECT FROM lot l WHERE l.program_id = $1 AND l.partner_id = w.partner_id AND l.unit = w.unit
                        AND l.remaining + l.held > 0 AND l.sliding LIMIT 1) l
    WHERE w.program_id = $1 AND w.idle_until IS NULL
    """,
)

ACCOUNTED: Final = sql_check(
    "lots add up",
    "what a lot was granted is remaining, held, spent, expired, reversed or repaid",
    rows=LOTS,
    wrong="""
    SELECT 'lot ' || id FROM lot
    WHERE program_id = $1 AND granted <> remaining + held + spent + expired + reversed + repaid
    """,
)

RECALLED: Final = sql_check(
    "recalls",
    "what returns took for a lot is what they posted, no more than was granted and did not expire or was let go",
    rows=LOTS,
    wrong="""
    SELECT 'lot ' || coalesce(l.id, r.lot_id)
    FROM (SELECT * FROM lot WHERE program_id = $1) l
    FULL JOIN (SELECT lot_id, -sum(amount) AS recalled FROM ledger_entry
               WHERE program_id = $1 AND kind = 'REVERSE' AND account = 'WALLET' GROUP BY lot_id) r ON r.lot_id = l.id
    WHERE l.id IS NULL OR l.recalled <> coalesce(r.recalled, 0)
       OR NOT (l.recalled BETWEEN 0 AND l.granted - l.expired AND l.waived BETWEEN 0 AND l.granted - l.recalled)
    """,
)

MOVED: Final = sql_check(
    "lot movements",
    "a lot's columns are the sums of its movements",
    rows="SELECT count(*) FROM lot_movement WHERE program_id = $1",
    wrong="""
    SELECT 'lot ' || l.id FROM lot l
    LEFT JOIN (SELECT lot_id, coalesce(sum(amount) FILTER (WHERE kind = 'GRANTED'), 0) AS granted,
                      coalesce(sum(CASE kind WHEN 'HELD' THEN amount WHEN 'RELEASED' THEN -amount
                                             WHEN 'CAPTURED' THEN -amount END), 0) AS held,
                      coalesce(sum(amount) FILTER (WHERE kind IN ('SPENT', 'CAPTURED')), 0) AS spent,
                      coalesce(sum(amount) FILTER (WHERE kind = 'EXPIRED'), 0) AS expired,
                      coalesce(sum(amount) FILTER (WHERE kind = 'REVERSED'), 0) AS reversed,
                      coalesce(sum(amount) FILTER (WHERE kind = 'REPAID'), 0) AS repaid,
                      coalesce(sum(amount) FILTER (WHERE kind = 'WAIVED'), 0) AS waived
               FROM lot_movement WHERE program_id = $1 GROUP BY lot_id) m ON m.lot_id = l.id
    WHERE l.program_id = $1 AND (l.granted, l.held, l.spent, l.expired, l.reversed, l.repaid, l.waived)
       IS DISTINCT FROM (m.granted, m.held, m.spent, m.expired, m.reversed, m.repaid, m.waived)
    """,
)

HELD: Final = sql_check(
    "holds",
    "what a lot holds is what the open holds took of it, and a hold is of as much as its lots",
    rows="SELECT count(*) FROM hold WHERE program_id = $1",
    wrong="""
    SELECT 'lot ' || coalesce(l.id, h.lot_id)
    FROM (SELECT id, held FROM lot WHERE program_id = $1 AND held > 0) l
    FULL JOIN (SELECT p.lot_id, sum(p.amount) AS held FROM hold h
               JOIN hold_lot p ON p.program_id = h.program_id AND p.hold_id = h.id
               WHERE h.program_id = $1 AND h.state = 'OPEN' GROUP BY p.lot_id) h ON h.lot_id = l.id
    WHERE coalesce(l.held, 0) <> coalesce(h.held, 0)
    UNION ALL
    SELECT 'hold ' || h.id FROM hold h
    LEFT JOIN (SELECT hold_id, sum(amount) AS amount FROM hold_lot WHERE program_id = $1 GROUP BY hold_id) p
           ON p.hold_id = h.id
    WHERE h.program_id = $1 AND h.amount IS DISTINCT FROM p.amount
    """,
)

ENDED: Final = sql_check(
    "ends of holds",
    "each hold was posted once and ended once at most, and what was posted for it is what it says",
    rows="SELECT count(*) FROM hold WHERE program_id = $1",
    wrong="""
    WITH posted AS (SELECT e.transaction_id, sum(e.amount) FILTER (WHERE e.kind = 'HOLD') AS held,
                           -sum(e.amount) FILTER (WHERE e.kind = 'CAPTURE') AS captured,
                           -sum(e.amount) FILTER (WHERE e.kind = 'RELEASE') AS released
                    FROM ledger_entry e WHERE e.program_id = $1 AND e.bucket = 'HELD' GROUP BY e.transaction_id)
    SELECT 'hold ' || h.id FROM hold h
    LEFT JOIN posted b ON b.transaction_id = h.id
    LEFT JOIN posted e ON e.transaction_id = h.ended_by
    WHERE h.program_id = $1 AND (b.held IS DISTINCT FROM h.amount
       OR (h.ended_by IS NOT NULL AND (coalesce(e.captured, 0) <> h.captured
                                       OR coalesce(e.released, 0) <> h.amount - h.captured)))
    UNION ALL
    SELECT 'transaction ' || p.transaction_id FROM posted p
    LEFT JOIN (SELECT id AS transaction_id FROM hold WHERE program_id = $1
               UNION ALL
               SELECT ended_by FROM hold WHERE program_id = $1 AND ended_by IS NOT NULL) h USING (transaction_id)
    GROUP BY p.transaction_id HAVING count(h.transaction_id) <> 1
    """,
)

BOOKS: Final[tuple[Check, ...]] = (
    BALANCED, ONCE, OWNED, BUCKETS, SIGNS, VERSIONS, CHAINED, TOLD, COVERED, SLIDING, ACCOUNTED, RECALLED, MOVED,
    HELD, ENDED, *ADJUSTING, *EARNING,
)  # fmt: skip
