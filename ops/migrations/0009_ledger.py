"""Points that mature and expire: what lots and wallets keep of it."""

from tortoise import migrations
from tortoise.migrations import operations as ops

LEDGER = """
ALTER TABLE wallet
    ADD COLUMN idle       text,                      -- its sliding lots expire after so long without earning: 90d, 12m
    ADD COLUMN idle_until timestamptz,               -- and this is when; there is such a lot where there is a moment
    ADD CHECK (idle_until IS NULL OR idle IS NOT NULL);
CREATE INDEX wallet_idle ON wallet (program_id, idle_until) WHERE idle_until IS NOT NULL;

ALTER TABLE lot
    ADD COLUMN waived  bigint  NOT NULL DEFAULT 0,   -- what returns let go by the program's policy
    ADD COLUMN matured boolean NOT NULL DEFAULT true,
    ADD COLUMN sliding boolean NOT NULL DEFAULT false,
    ADD CHECK (waived BETWEEN 0 AND granted - recalled),
    ADD CHECK (matured OR held + spent + expired + repaid = 0),
    ADD CHECK (NOT sliding OR expires_at IS NULL),
    ADD CHECK (expires_at > matures_at);
DROP INDEX lot_open;
CREATE INDEX lot_open ON lot (program_id, partner_id, unit) WHERE remaining + held > 0;
CREATE INDEX lot_maturing ON lot (program_id, matures_at) WHERE NOT matured AND remaining > 0;
CREATE INDEX lot_expiring ON lot (program_id, expires_at) WHERE expires_at IS NOT NULL AND remaining > 0;

COMMENT ON COLUMN ledger_entry.account IS 'WALLET, or a system account: ISSUED, ADJUSTED, OPENING, EXPIRED, REDEEMED';
COMMENT ON COLUMN lot_movement.kind IS 'held = HELD - RELEASED - CAPTURED, spent = SPENT + CAPTURED, and GRANTED, EXPIRED, '
    'REVERSED, REPAID';
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0008_upload_limits")]

    operations = [ops.RunSQL(LEDGER)]
