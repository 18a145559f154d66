"""No row without its program, and no reference from one program into another: the database itself refuses both."""

from typing import Final

import pytest

from tests.services.programs import rows

pytestmark = pytest.mark.usefixtures("database")

JOBS: Final = frozenset({"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"})
"""PgQueuer's own: a job's payload says whose it is."""
SHARED: Final = frozenset({"program", "outbox_cursor", "tortoise_migrations"}) | JOBS
"""Tables that belong to no program: the programs, the consumers' cursors, the migrations' own, and the jobs."""

TABLES: Final = """
SELECT c.relname AS name,
       coalesce((SELECT a.attnotnull FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attname = 'program_id' AND NOT a.attisdropped), false) AS has_program
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
"""
REFERENCES: Final = """
SELECT k.conname AS name, k.conrelid::regclass::text AS table, k.confrelid::regclass::text AS target,
       (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) AS first,
       (SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1]) AS target_first
FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY 1
"""
# Columns that name a row by its id, of tables that have such a column, and that no foreign key holds.
UNHELD: Final = """
SELECT c.relname || '.' || a.attname AS name
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname LIKE '%\\_id'
  AND NOT EXISTS (SELECT FROM pg_constraint k
                  WHERE k.contype = 'f' AND k.conrelid = c.oid AND a.attnum = ANY (k.conkey))
ORDER BY 1
"""
NAMES_NO_ROW: Final = frozenset(
    {
        "activity.external_id",  # the source's own
        "activity_key.external_id",
        "import_activity.external_id",
        "pgqueuer.queue_manager_id",  # a worker
        "pgqueuer_log.job_id",  # long gone
    }
)


async def test_every_table_belongs_to_a_program() -> None:
    tables = {row["name"]: row["has_program"] for row in await rows(TABLES)}
    assert len(tables) > 25
    assert {name for name, has_program in tables.items() if not has_program} == SHARED


async def test_every_reference_carries_its_program() -> None:
    references = await rows(REFERENCES)
    assert len(references) > 40
    for reference in references:
        assert reference["first"] == "program_id", reference
        assert reference["target_first"] == ("id" if reference["target"] == "program" else "program_id"), (
            reference
        )


async def test_every_id_is_held_by_a_reference() -> None:
    assert {row["name"] for row in await rows(UNHELD)} - NAMES_NO_ROW == set()
