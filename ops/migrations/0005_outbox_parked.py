"""Rows of the outbox that a consumer could not handle, put aside so that the rows after them go on."""

from tortoise import migrations
from tortoise.migrations import operations as ops

PARKED = """
CREATE TABLE outbox_parked (
    consumer        text        NOT NULL,
    xid             xid8        NOT NULL,        -- with id: which row of the outbox it was
    id              bigint      NOT NULL,
    program_id      bigint      NOT NULL REFERENCES program (id),
    partner_ids     bigint[]    NOT NULL,
    transaction_ids bigint[]    NOT NULL,
    error           text        NOT NULL,        -- of the last attempt
    parked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, xid, id)
);
CREATE INDEX outbox_parked_program ON outbox_parked (program_id);
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0004_jobs_and_uploads")]

    operations = [ops.RunSQL(PARKED)]
