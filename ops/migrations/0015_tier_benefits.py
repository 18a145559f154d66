"""What a tier brings beside its multiplier."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("mitra", "0014_import_refused_rows")]

    operations = [
        ops.AddField("Tier", "expiry", fields.JSONField(null=True)),
        ops.AddField("Tier", "access", fields.JSONField(default=list, db_default=[])),
    ]
