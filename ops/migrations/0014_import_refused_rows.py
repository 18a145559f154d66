"""Which rows of documents each import refused: a file that comes again is judged as it was."""

from tortoise import migrations
from tortoise.migrations import operations as ops

REFUSED_ROW = """
CREATE TABLE import_refused_row (
    program_id bigint NOT NULL,
    source     text   NOT NULL,
    document   text   NOT NULL,
    digest     bytea  NOT NULL,                  -- as in import_row
    import_id  bigint NOT NULL,
    PRIMARY KEY (program_id, source, document, digest, import_id),
    FOREIGN KEY (program_id, import_id) REFERENCES import (program_id, id)
);
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0013_adjustments")]

    operations = [ops.RunSQL(REFUSED_ROW)]
