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

    class Meta:
        table = "tier"
        unique_together = (("program_id", "id"), ("program_id", "key"), ("program_id", "level"))
