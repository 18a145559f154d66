"""Adjustments by hand, and what became of those that a second person had to approve."""

from tortoise import migrations
from tortoise.migrations import operations as ops

ADJUSTMENTS = """
CREATE TABLE adjustment (
    program_id     bigint      NOT NULL,
    id             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    partner_id     bigint      NOT NULL,
    key            text        NOT NULL,         -- the asker's: the same again is the same adjustment
    unit           text        NOT NULL,
    amount         bigint      NOT NULL,
    reason         text        NOT NULL,
    state          text        NOT NULL,
    asked_by       text        NOT NULL,         -- the subject of a token
    asked_at       timestamptz NOT NULL,
    decided_by     text,                         -- of those alone that awaited approval
    decided_at     timestamptz,
    rejection      text,                         -- why not
    transaction_id bigint,
    PRIMARY KEY (program_id, id),
    UNIQUE (program_id, key),
    UNIQUE (program_id, transaction_id),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id),
    FOREIGN KEY (program_id, transaction_id) REFERENCES ledger_transaction (program_id, id),
    CHECK (amount <> 0),
    CHECK (state IN ('AWAITING_APPROVAL', 'POSTED', 'REJECTED')),
    CHECK ((state = 'POSTED') = (transaction_id IS NOT NULL)),
    CHECK ((state = 'REJECTED') = (rejection IS NOT NULL)),
    CHECK (state <> 'REJECTED' OR decided_by IS NOT NULL),
    CHECK (state <> 'AWAITING_APPROVAL' OR decided_by IS NULL),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL) AND decided_by <> asked_by)
);
CREATE INDEX adjustment_awaiting ON adjustment (program_id, id) WHERE state = 'AWAITING_APPROVAL';
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0012_holds_and_units")]

    operations = [ops.RunSQL(ADJUSTMENTS)]
