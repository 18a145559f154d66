"""Imports: their progress, what they refused, the rows that were recorded, and files while they are uploaded."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("mitra", "0002_journal_and_books")]

    operations = [ops.RunSQL(Path(__file__).with_suffix(".sql").read_text())]
