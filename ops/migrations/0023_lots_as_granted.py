"""What a lot was granted under and what an adjustment was asked under, so that the audit can reckon both again."""

from tortoise import migrations
from tortoise.migrations import operations as ops

AS_GRANTED = """
ALTER TABLE lot
    ADD COLUMN expiry     jsonb,                     -- the policy that it was granted under; null: it never expires
    ADD COLUMN time_zone  text,                      -- whose days its own are, and those that it adds for sliding lots
    ADD COLUMN idle_until timestamptz;               -- the wallet's, as it was when this was granted
COMMENT ON COLUMN lot_movement.kind IS 'held = HELD - RELEASED - CAPTURED, spent = SPENT + CAPTURED, and GRANTED, EXPIRED, '
    'REVERSED, REPAID, WAIVED';

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what a % was granted as is set once', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER set_once BEFORE UPDATE OF program_id, id, partner_id, unit, transaction_id, activity_id, rule_id, basis,
                                         granted_at, matures_at, granted, expiry, time_zone, idle_until ON lot
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
"""
# Who asked before has no threshold here; whether there was one is not known.
AS_ASKED = """
ALTER TABLE adjustment
    ADD COLUMN approval_above bigint,                -- the program's threshold when it was asked for; null: none
    ADD CHECK (state <> 'POSTED' OR decided_by IS NOT NULL OR NOT abs(amount) > approval_above);
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0022_replay")]

    operations = [ops.RunSQL(AS_GRANTED), ops.RunSQL(AS_ASKED)]
