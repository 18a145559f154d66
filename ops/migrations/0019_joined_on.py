"""The day on which a partner joined the program, where it is another than the one on which it was created here."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("mitra", "0018_adjustments_before")]

    operations = [ops.AddField("Partner", "joined_on", fields.DateField(null=True))]
