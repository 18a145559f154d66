"""The queue of jobs, and how much of an uploaded file is here."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("mitra", "0003_imports")]

    operations = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text())]
