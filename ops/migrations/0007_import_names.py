"""Which activities that files made stand under another name than their document."""

from tortoise import migrations
from tortoise.migrations import operations as ops

NAMES = """
CREATE TABLE import_activity (
    program_id  bigint NOT NULL REFERENCES program (id),
    source      text   NOT NULL,
    external_id text   NOT NULL,                 -- the activity's: <document>/<line>
    document    text   NOT NULL,
    PRIMARY KEY (program_id, source, external_id)
);
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0006_import_codes")]

    operations = [ops.RunSQL(NAMES)]
