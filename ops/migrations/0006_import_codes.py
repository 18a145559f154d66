"""Which partners, products or balances an import has seen, while it is under way."""

from tortoise import migrations
from tortoise.migrations import operations as ops

CODES = """
CREATE TABLE import_code (
    program_id bigint NOT NULL,
    import_id  bigint NOT NULL,
    code       text   NOT NULL,                  -- of what the row is about
    digest     bytea  NOT NULL,                  -- of what it says of it
    line       bigint NOT NULL,                  -- where it first stands
    PRIMARY KEY (program_id, import_id, code),
    FOREIGN KEY (program_id, import_id) REFERENCES import (program_id, id)
);
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0005_outbox_parked")]

    operations = [ops.RunSQL(CODES)]
