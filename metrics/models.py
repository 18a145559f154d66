"""Tables of what is counted: the metrics, and the series of meters that something watches.

The meters themselves stand in plain SQL tables (`ops/migrations/hot_tables.sql`): they are read and written in sets.
"""

from tortoise import fields
from tortoise.models import Model


class Metric(Model):
    """What to count. Immutable: another way of counting is another metric."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    key = fields.TextField()
    name = fields.TextField()
    activity_kinds = fields.JSONField[list[str]]()
    """Empty for a metric over points that counts every kind."""
    measure = fields.TextField()
    line_filter = fields.JSONField[dict[str, object]](default=dict, db_default={})
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "metric"
        unique_together = (("program_id", "id"), ("program_id", "key"))


class MeterSeries(Model):
    """A metric over one kind of window in one calendar: the meters that some watcher wants kept.

    `time_zone` is null for the partner's own calendar. A FIXED series has one window, `[starts_at, ends_at)`.
    Until `filled_at` is set, activities from before the series may still be missing from its meters. While
    `reviewed_through` is set, the partners' past is gone through again, by id, and it has come as far as that one.
    """

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    metric_id = fields.BigIntField()
    period = fields.TextField()
    time_zone = fields.TextField(null=True)
    starts_at = fields.DatetimeField(null=True)
    ends_at = fields.DatetimeField(null=True)
    reviewed_through = fields.BigIntField(null=True)
    filled_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "meter_series"
        unique_together = (("program_id", "id"),)
