"""Tables of the tier ladder: one ladder a program, replaced as a whole."""

from tortoise import fields
from tortoise.models import Model


class TierLadder(Model):
    """Which metric earns a tier, over which period of the partner's own calendar."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    metric_id = fields.BigIntField()
    period = fields.TextField()
    series_id = fields.BigIntField()
    rolling_months = fields.IntField(null=True)
    """So many months up to the present one, where set; then the period is MONTHLY."""
    from_joining = fields.BooleanField(default=False, db_default=False)
    """Years from the day of joining; then the period is YEARLY."""
    downgrade = fields.TextField(default="NEVER", db_default="NEVER")
    grace_days = fields.IntField(default=0, db_default=0)
    returns_take = fields.BooleanField(default=True, db_default=True)
    set_after = fields.BigIntField(default=0, db_default=0)
    """Activities with a greater id were decided by the ladder as it stands."""

    class Meta:
        table = "tier_ladder"
        unique_together = (("program_id", "id"), ("program_id",))


class Tier(Model):
    """A step of the ladder. `level` counts from 0, the step that everyone starts on."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    ladder_id = fields.BigIntField()
    key = fields.TextField()
    name = fields.TextField()
    level = fields.IntField()
    threshold = fields.DecimalField(max_digits=24, decimal_places=6)
    multiplier = fields.DecimalField(max_digits=12, decimal_places=6)
    expiry = fields.JSONField[dict[str, object]](null=True)
    access = fields.JSONField[list[str]](default=list, db_default=[])

    class Meta:
        table = "tier"
        unique_together = (("program_id", "id"), ("program_id", "key"), ("program_id", "level"))
