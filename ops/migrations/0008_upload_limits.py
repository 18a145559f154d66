"""What keeps an upload within bounds: the workers that were lost to it, and the refused rows that were agreed to."""

from tortoise import migrations
from tortoise.migrations import operations as ops

COLUMNS = """
ALTER TABLE import_upload
    ADD COLUMN takings      integer NOT NULL DEFAULT 0,   -- workers that took it up and did not come back, in a row
    ADD COLUMN taken_at     bigint  NOT NULL DEFAULT 0,   -- how far it had come then
    ADD COLUMN refused_from bigint  NOT NULL DEFAULT 0;   -- refused rows that stood when it was resumed last
"""


class Migration(migrations.Migration):
    dependencies = [("mitra", "0007_import_names")]

    operations = [ops.RunSQL(COLUMNS)]
