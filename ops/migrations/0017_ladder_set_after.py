"""Since when a ladder stands as it does: an audit climbs it again from there."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

SET_AFTER = "UPDATE tier_ladder SET set_after = nextval('hot_id')"


class Migration(migrations.Migration):
    dependencies = [("mitra", "0016_earning")]

    operations = [
        ops.AddField("TierLadder", "set_after", fields.BigIntField(default=0, db_default=0)),
        ops.RunSQL(SET_AFTER),
    ]
