"""Adjustments that were posted before they were kept: a key that was used then still answers what it did."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# Of those that needed a second person the first step is the approval, and they are kept already.
KEEP_POSTED = """
INSERT INTO adjustment (program_id, partner_id, key, unit, amount, reason, state, asked_by, asked_at, transaction_id)
SELECT t.program_id, t.partner_id, substr(t.key, length('adjust/') + 1), coalesce(t.step ->> 'unit', 'POINT'),
       (t.step ->> 'amount')::bigint, t.step ->> 'reason', 'POSTED', t.step ->> 'actor', t.posted_at, t.id
FROM (SELECT *, because -> 0 AS step FROM ledger_transaction WHERE key LIKE 'adjust/%') t
WHERE t.step ->> 'step' = 'adjustment'
ORDER BY t.program_id, t.id
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0017_ladder_set_after")]

    operations = [ops.RunSQL(KEEP_POSTED)]
