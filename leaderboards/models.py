"""Tables of the leaderboards and their seasons.

A live board stores no scores: its standings are the meters of `series_id` in the season's window.
"""

from tortoise import fields
from tortoise.models import Model


class Leaderboard(Model):
    """A ranking by a metric, period after period."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    key = fields.TextField()
    name = fields.TextField()
    metric_id = fields.BigIntField()
    series_id = fields.BigIntField()
    period = fields.TextField()
    time_zone = fields.TextField()
    starts_at = fields.DatetimeField(null=True)
    ends_at = fields.DatetimeField(null=True)
    audience = fields.JSONField[dict[str, object]](default=dict, db_default={})
    group_by = fields.TextField(default="NONE", db_default="NONE")
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "leaderboard"
        unique_together = (("program_id", "id"), ("program_id", "key"))


class Season(Model):
    """One period of a board: scheduled → live → grace → finalizing → closed. Final standings: `season_standing`."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    leaderboard_id = fields.BigIntField()
    key = fields.TextField()
    window_start = fields.DateField()
    """With the board's series this names the meters that are the standings."""
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField(null=True)
    state = fields.TextField()
    generation = fields.IntField(default=0, db_default=0)
    """The generation of the Redis projection that readers use; 0 while none is built."""
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "season"
        unique_together = (("program_id", "id"), ("program_id", "leaderboard_id", "window_start"))
