"""Points that are held until they are captured or released, and the units that a program keeps wallets in."""

from tortoise import migrations
from tortoise.migrations import operations as ops

HOLDS = """
-- What else than points a program keeps wallets in. Points have no row: every program has them.
CREATE TABLE unit (
    program_id bigint NOT NULL REFERENCES program (id),
    code       text   NOT NULL,
    name       text   NOT NULL,
    currency   text,                                 -- money, in its minor units
    digits     int    NOT NULL DEFAULT 0,            -- how many of its digits are behind the point
    PRIMARY KEY (program_id, code),
    CHECK (code <> 'POINT'),
    CHECK (digits >= 0)
);

-- Points reserved for something under way. Its id is that of the transaction that reserved them.
CREATE TABLE hold (
    program_id bigint      NOT NULL,
    id         bigint      NOT NULL,
    partner_id bigint      NOT NULL,
    unit       text        NOT NULL,
    amount     bigint      NOT NULL,
    purpose    text        NOT NULL,
    actor      text        NOT NULL,
    held_at    timestamptz NOT NULL,
    state      text        NOT NULL DEFAULT 'OPEN',
    captured   bigint      NOT NULL DEFAULT 0,       -- how much was spent: the rest came back
    ended_by   bigint,                               -- the transaction that captured or released it
    ended_at   timestamptz,
    PRIMARY KEY (program_id, id),
    FOREIGN KEY (program_id, id) REFERENCES ledger_transaction (program_id, id),
    FOREIGN KEY (program_id, ended_by) REFERENCES ledger_transaction (program_id, id),
    FOREIGN KEY (program_id, partner_id, unit) REFERENCES wallet (program_id, partner_id, unit),
    CHECK (amount > 0),
    CHECK (CASE state WHEN 'OPEN' THEN captured = 0 AND ended_by IS NULL AND ended_at IS NULL
                      WHEN 'CAPTURED' THEN captured BETWEEN 1 AND amount AND ended_by IS NOT NULL AND ended_at IS NOT NULL
                      WHEN 'RELEASED' THEN captured = 0 AND ended_by IS NOT NULL AND ended_at IS NOT NULL
                      ELSE false END)
);
CREATE INDEX hold_open ON hold (program_id, partner_id) WHERE state = 'OPEN';

-- Of which lots a hold took how much, in the order in which it took them.
CREATE TABLE hold_lot (
    program_id bigint NOT NULL,
    hold_id    bigint NOT NULL,
    number     int    NOT NULL,                      -- counts from 1
    lot_id     bigint NOT NULL,
    amount     bigint NOT NULL,
    PRIMARY KEY (program_id, hold_id, number),
    UNIQUE (program_id, hold_id, lot_id),
    FOREIGN KEY (program_id, hold_id) REFERENCES hold (program_id, id),
    FOREIGN KEY (program_id, lot_id) REFERENCES lot (program_id, id),
    CHECK (amount > 0)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hold_lot
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0011_tiers")]

    operations = [ops.RunSQL(HOLDS)]
