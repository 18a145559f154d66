"""Adjustments: what a person gave or took by hand is in the ledger as it was asked for, once, and nothing else is.

The threshold that an adjustment was asked under is kept with it, as the program may have another by now.
"""

from typing import Final

from loyalty.ledger.approval import NAMELESS
from ops.audit.check import Check, sql_check

NOBODY: Final = ", ".join(f"'{name}'" for name in sorted(NAMELESS))
# An adjustment's first steps say who asked for what and, before it, who approved that.
ADJUSTED: Final = sql_check(
    "adjustments",
    "an adjustment that stands is one transaction, as it was asked for and, above the threshold, approved by another; "
    "no other posted anything",
    rows="SELECT count(*) FROM adjustment WHERE program_id = $1",
    wrong=f"""
    SELECT coalesce('adjustment ' || a.key, 'transaction ' || t.id)
    FROM (SELECT * FROM adjustment WHERE program_id = $1) a
    FULL JOIN (
        SELECT t.id, t.partner_id, t.key, e.wallets, e.amount, coalesce(asked.step, t.because -> 0) AS asked,
               CASE WHEN asked.step IS NOT NULL THEN t.because -> 0 END AS approval
        FROM ledger_transaction t
        LEFT JOIN (SELECT transaction_id, array_agg(partner_id || ' ' || unit) AS wallets, sum(amount) AS amount
                   FROM ledger_entry WHERE program_id = $1 AND kind = 'ADJUST' AND account = 'WALLET'
                   GROUP BY transaction_id) e ON e.transaction_id = t.id
        LEFT JOIN LATERAL (SELECT t.because -> 1 AS step WHERE t.because -> 0 ->> 'step' = 'approval') asked ON true
        WHERE t.program_id = $1 AND (t.key LIKE 'adjust/%' OR e.transaction_id IS NOT NULL)
    ) t ON t.id = a.transaction_id
    WHERE a.id IS NULL OR a.decided_by = a.asked_by
       OR a.state = 'POSTED' AND (
           (t.key, t.partner_id, t.wallets, t.amount)
           IS DISTINCT FROM ('adjust/' || a.key, a.partner_id, ARRAY[a.partner_id || ' ' || a.unit], a.amount)
        OR (t.asked ->> 'step', t.asked ->> 'reason', t.asked ->> 'amount', t.asked ->> 'actor')
           IS DISTINCT FROM ('adjustment', a.reason, a.amount::text, a.asked_by)
        OR t.approval ->> 'approvedBy' IS DISTINCT FROM a.decided_by
        OR CASE WHEN a.decided_by IS NULL THEN abs(a.amount) > a.approval_above
                ELSE t.approval ->> 'askedBy' IS DISTINCT FROM a.asked_by
                  OR ARRAY[a.asked_by, a.decided_by] && ARRAY[{NOBODY}] END)
    """,  # noqa: S608  # put together from constants
)

ADJUSTING: Final[tuple[Check, ...]] = (ADJUSTED,)
