"""Tables of the programs, their regions, partners and products.

Every row but the program's own carries `program_id`, and every reference is a composite foreign key
`(program_id, x_id)`, made in the migration, so that the database itself refuses a reference across programs.
"""

from tortoise import fields
from tortoise.models import Model


class Program(Model):
    """One loyalty program of one brand: the tenant."""

    id = fields.BigIntField(primary_key=True)
    key = fields.TextField()
    name = fields.TextField()
    currency = fields.CharField(max_length=3)
    time_zone = fields.TextField()
    locale = fields.TextField()
    activity_kinds = fields.JSONField[list[str]]()
    config_version = fields.BigIntField(default=1, db_default=1)
    """Rises with every change of what decides: rules, metrics, missions, ladders, boards, products, regions."""
    settings = fields.JSONField[dict[str, object]](default=dict, db_default={})
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "program"
        unique_together = (("key",),)


class Region(Model):
    """A node of the program's region tree."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    code = fields.TextField()
    name = fields.TextField()
    parent_id = fields.BigIntField(null=True)

    class Meta:
        table = "region"
        unique_together = (("program_id", "id"), ("program_id", "code"))


class Partner(Model):
    """A business in the channel. Its row is the mutex for all that the program knows of it."""

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    code = fields.TextField()
    name = fields.TextField()
    kind = fields.TextField()
    region_id = fields.BigIntField()
    parent_id = fields.BigIntField(null=True)
    time_zone = fields.TextField(null=True)
    locale = fields.TextField(null=True)
    status = fields.TextField(default="ACTIVE", db_default="ACTIVE")
    attributes = fields.JSONField[dict[str, object]](default=dict, db_default={})
    version = fields.BigIntField(default=1, db_default=1)
    """Rises with every change that an audience or a board's group can see: region, status, tier, segments."""
    activities = fields.BigIntField(default=0, db_default=0)
    """The dense number of the partner's last activity."""
    created_at = fields.DatetimeField(auto_now_add=True)
    joined_on = fields.DateField(null=True)
    """The local day on which it joined the program, where that is another than that of `created_at`."""

    class Meta:
        table = "partner"
        unique_together = (("program_id", "id"), ("program_id", "code"))


class Product(Model):
    """A product as it was when it counted.

    What decides (category, brand, unit, packs, attributes that a filter asks for) never changes in a row: a change
    makes a new row of the same SKU and takes `current` from the old one, so that the journal's lines go on saying what
    was sold.
    """

    id = fields.BigIntField(primary_key=True)
    program_id = fields.BigIntField()
    sku = fields.TextField()
    name = fields.TextField()
    category = fields.TextField(null=True)
    brand = fields.TextField(null=True)
    unit = fields.TextField()
    packs = fields.JSONField[dict[str, str]](default=dict, db_default={})
    """What else it is sold in: by the pack's name, how much of `unit` it holds, an exact decimal as text."""
    attributes = fields.JSONField[dict[str, object]](default=dict, db_default={})
    current = fields.BooleanField(default=True, db_default=True)

    class Meta:
        table = "product"
        unique_together = (("program_id", "id"),)
