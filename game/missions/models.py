"""Tables of the missions and their objectives."""

from tortoise import fields
from tortoise.models import Model


class Mission(Model):
    """Objectives over metrics, for an audience, with rewards."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    key = fields.TextField()
    version = fields.IntField(default=1, db_default=1)
    title = fields.TextField()
    description = fields.TextField(default="", db_default="")
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField(null=True)
    published_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    """With `published_at` and the dates, this gives the state: it is derived, never stored."""
    published_version = fields.BigIntField(null=True)
    ended_version = fields.BigIntField(null=True)
    """The program's configuration that was the first to know of it: an audit decides again by these."""
    audience = fields.JSONField[dict[str, object]](default=dict, db_default={})
    rewards = fields.JSONField[list[dict[str, object]]](default=list, db_default=[])
    """`[{"points": 500}, {"badge": 7}]`: a badge by its id."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "mission"
        unique_together = (("program_id", "id"), ("program_id", "key"))


class Objective(Model):
    """A fixed target on a metric's meter in the mission's window."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    mission_id = fields.BigIntField()
    position = fields.IntField()
    key = fields.TextField()
    label = fields.TextField()
    metric_id = fields.BigIntField()
    series_id = fields.BigIntField()
    target = fields.DecimalField(max_digits=24, decimal_places=6)

    class Meta:
        table = "objective"
        unique_together = (("program_id", "id"), ("program_id", "mission_id", "key"))
