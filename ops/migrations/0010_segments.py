"""Segments: saved filters over partners."""

from tortoise import migrations
from tortoise.migrations import operations as ops

SEGMENT = """
CREATE TABLE segment (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    program_id bigint NOT NULL REFERENCES program (id),
    key        text   NOT NULL,
    name       text   NOT NULL,
    filter     jsonb  NOT NULL,                  -- only the conditions that are set; attributes by name, values in lists
    UNIQUE (program_id, key)
);
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0009_ledger")]

    operations = [ops.RunSQL(SEGMENT)]
