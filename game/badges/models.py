"""Table of the badges."""

from tortoise import fields
from tortoise.models import Model


class Badge(Model):
    """A lasting mark: its levels are thresholds on a lifetime meter, or missions award its only one."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    key = fields.TextField()
    name = fields.TextField()
    metric_id = fields.BigIntField(null=True)
    series_id = fields.BigIntField(null=True)
    levels = fields.JSONField[list[str]](default=list, db_default=[])
    """Thresholds, rising, as decimal strings; `["1"]` for a badge without a metric."""
    created_version = fields.BigIntField(default=0, db_default=0)
    """The program's configuration that was the first to know it."""
    hidden = fields.BooleanField(default=False, db_default=False)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "badge"
        unique_together = (("program_id", "id"), ("program_id", "key"))
