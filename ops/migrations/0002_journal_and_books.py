"""The journal, the meters, the books, the outbox, and the references that hold all tables to their program."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("mitra", "0001_configuration")]

    operations = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text())]
