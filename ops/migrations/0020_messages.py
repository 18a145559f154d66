"""A message tells all facts of a sort; or none, where it tells ahead that points expire: once for each day and lead."""

from tortoise import migrations
from tortoise.migrations import operations as ops

MESSAGE = """
ALTER TABLE message
    ALTER COLUMN transaction_id DROP NOT NULL,   -- null where it tells of what is to come
    ALTER COLUMN fact DROP NOT NULL,
    ADD COLUMN facts int[] NOT NULL DEFAULT '{}',
    ADD CHECK ((transaction_id IS NULL) = (fact IS NULL));
UPDATE message SET facts = ARRAY[fact];
COMMENT ON COLUMN message.fact IS 'the place of the first fact that it tells: with its transaction the message''s key';
COMMENT ON COLUMN message.facts IS 'the places of all facts that it tells, in its transaction';

CREATE TABLE expiry_notice (
    program_id bigint      NOT NULL,
    partner_id bigint      NOT NULL,
    unit       text        NOT NULL,
    expires_on date        NOT NULL,             -- the last local day on which the points can be used
    lead_days  int         NOT NULL,
    expires_at timestamptz NOT NULL,
    told       boolean     NOT NULL DEFAULT false,   -- or nothing was left to tell of when its turn came
    PRIMARY KEY (program_id, partner_id, unit, expires_on, lead_days),
    FOREIGN KEY (program_id, partner_id) REFERENCES partner (program_id, id)
);
CREATE INDEX expiry_notice_untold ON expiry_notice (program_id, partner_id) WHERE NOT told;
CREATE INDEX expiry_notice_over ON expiry_notice (program_id, expires_at);

CREATE TABLE expiry_notice_mark (
    program_id bigint      PRIMARY KEY REFERENCES program (id),
    told_until timestamptz NOT NULL              -- what came up to be told by then has been told
);
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0019_joined_on")]

    operations = [ops.RunSQL(MESSAGE)]
