"""Table of the devices that a message can be pushed to. Messages and deliveries stand in plain SQL tables."""

from tortoise import fields
from tortoise.models import Model


class Device(Model):
    """A phone or browser of a partner's people."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    partner_id = fields.BigIntField()
    token = fields.TextField()
    platform = fields.TextField()
    locale = fields.TextField(null=True)
    registered_at = fields.DatetimeField(auto_now_add=True)
    forgotten_at = fields.DatetimeField(null=True)

    class Meta:
        table = "device"
        unique_together = (("program_id", "id"), ("program_id", "token"))
