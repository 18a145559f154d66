"""Ladders that are reviewed: how tiers are lost, what a standing carries, and the history of changes."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

STANDINGS = """
ALTER TABLE tier_ladder
    ADD CHECK (downgrade IN ('NEVER', 'ONE_STEP', 'TO_EARNED') AND grace_days >= 0 AND rolling_months > 0);

ALTER TABLE tier_standing ALTER COLUMN since DROP NOT NULL;    -- of one that never moved
ALTER TABLE tier_standing
    ADD COLUMN earned         int         NOT NULL DEFAULT 0,    -- the level without the override
    ADD COLUMN carried        int         NOT NULL DEFAULT 0,    -- what the last review left
    ADD COLUMN open_from      date,                              -- the oldest window that is not reviewed yet
    ADD COLUMN review_at      timestamptz,                       -- when that is over, or the override if sooner
    ADD COLUMN peaks          jsonb       NOT NULL DEFAULT '{}', -- by open window, where returns take no tier
    ADD COLUMN override_level int,
    ADD COLUMN override_until timestamptz,                       -- null for good
    ADD CHECK (earned >= 0 AND carried >= 0 AND override_level >= 0),
    ADD CHECK (override_until IS NULL OR override_level IS NOT NULL);
UPDATE tier_standing SET earned = level;
CREATE INDEX tier_standing_due ON tier_standing (program_id, review_at) WHERE review_at IS NOT NULL;

-- Every change of a partner's tier, by the tiers' keys.
CREATE TABLE tier_change (
    program_id     bigint      NOT NULL REFERENCES program (id),
    id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    partner_id     bigint      NOT NULL,
    from_tier      text        NOT NULL,
    to_tier        text        NOT NULL,
    changed_at     timestamptz NOT NULL,
    cause          text        NOT NULL,
    transaction_id bigint      NOT NULL,         -- where its fact and its reasons stand
    PRIMARY KEY (program_id, id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    FOREIGN KEY (program_id, transaction_id) REFERENCES ledger_transaction (program_id, id)
        DEFERRABLE INITIALLY DEFERRED,           -- the books are written last
    CHECK (cause IN ('COUNTED', 'RETURNED', 'REVIEWED', 'OVERRIDDEN', 'OVERRIDE_ENDED', 'CONFIGURED'))
);
CREATE INDEX tier_change_partner ON tier_change (program_id, partner_id, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tier_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How many partners each transaction reviewed, by the first day after their window.
CREATE TABLE tier_review (
    program_id bigint NOT NULL REFERENCES program (id),
    id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    ends_on    date   NOT NULL,
    partners   int    NOT NULL,
    raised     int    NOT NULL,
    lowered    int    NOT NULL,
    PRIMARY KEY (program_id, ends_on, id),
    CHECK (partners > 0 AND raised >= 0 AND lowered >= 0 AND raised + lowered <= partners)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tier_review
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0010_segments")]

    operations = [
        ops.AddField("TierLadder", "rolling_months", fields.IntField(null=True)),
        ops.AddField("TierLadder", "from_joining", fields.BooleanField(default=False, db_default=False)),
        ops.AddField("TierLadder", "downgrade", fields.TextField(default="NEVER", db_default="NEVER")),
        ops.AddField("TierLadder", "grace_days", fields.IntField(default=0, db_default=0)),
        ops.AddField("TierLadder", "returns_take", fields.BooleanField(default=True, db_default=True)),
        ops.RunSQL(STANDINGS),
    ]
