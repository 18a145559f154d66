"""Table of the earning rules."""

from tortoise import fields
from tortoise.models import Model


class EarningRule(Model):
    """How an activity becomes points. A row is one version and never changes; entries name theirs."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    key = fields.TextField()
    version = fields.IntField(default=1, db_default=1)
    name = fields.TextField()
    activity_kind = fields.TextField()
    line_filter = fields.JSONField[dict[str, object]](default=dict, db_default={})
    audience = fields.JSONField[dict[str, object]](default=dict, db_default={})
    basis = fields.TextField()
    """ACTIVITY, QUANTITY or AMOUNT: what `rate` is per."""
    rate = fields.DecimalField(max_digits=24, decimal_places=6)
    starts_at = fields.DatetimeField(null=True)
    ends_at = fields.DatetimeField(null=True)
    terms = fields.JSONField[dict[str, object]](default=dict, db_default={})
    """What it asks beside, and how much it gives at most: `loyalty.earning.terms`."""
    effective_from = fields.DatetimeField(null=True)
    """From when on this version holds; the first one always did."""
    ended_at = fields.DatetimeField(null=True)
    """Set once, on all versions, when the rule is ended."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "earning_rule"
        unique_together = (("program_id", "id"), ("program_id", "key", "version"))
