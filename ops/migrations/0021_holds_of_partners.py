"""Holds are listed by partner, the newest first."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("mitra", "0020_messages")]

    operations = [ops.RunSQL("CREATE INDEX hold_of_partner ON hold (program_id, partner_id, id)")]
