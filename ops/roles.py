"""The role that the service runs as: it reads and writes, changes nothing that is append-only, and no table's shape.

What is append-only says its trigger (`append_only`, in the migrations), so there is one list of it. Rights are settled
after every `migrate`, whatever the role is called and whenever it was made; where nothing differs nothing is written.
"""

from typing import Final

import asyncpg

from ops.errors import OperatorError, one_line

# Tables of ours on which the role may not what it should, or more: (name, what it should). The owner is left alone:
# references are checked with its rights.
WRONG_TABLES: Final = """
SELECT t.name, t.rights FROM (
    SELECT c.oid, c.relowner, c.oid::regclass::text AS name,
           CASE WHEN c.relname = 'tortoise_migrations' THEN ARRAY['SELECT']
                WHEN EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = 'append_only')
                THEN ARRAY['SELECT', 'INSERT']
                ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END AS rights
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
) t
WHERE pg_has_role(t.relowner, 'USAGE') AND NOT pg_has_role($1, t.relowner, 'USAGE')
  AND EXISTS (SELECT FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (name)
              WHERE has_table_privilege($1, t.oid, p.name) <> (p.name = ANY (t.rights)))
ORDER BY t.name
"""
# The CASE keeps the question from what is no sequence, whatever the planner asks first.
WRONG_SEQUENCES: Final = """
SELECT c.oid::regclass::text AS name FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND pg_has_role(c.relowner, 'USAGE')
  AND CASE c.relkind WHEN 'S' THEN NOT has_sequence_privilege($1, c.oid, 'USAGE') ELSE FALSE END ORDER BY 1
"""


async def prepare_role(connection: asyncpg.Connection, role: str) -> None:
    """Make the role, let this user take it on, and open to it what will be created."""
    quoted = _quoted(role)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f"CREATE ROLE {quoted} NOLOGIN")
        if not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'SET')", role):
            await connection.execute(f"GRANT {quoted} TO CURRENT_USER WITH SET TRUE")
        await connection.execute(
            f"GRANT USAGE ON SCHEMA public TO {quoted};"
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {quoted};"
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {quoted};"
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {quoted}"
        )
    except asyncpg.DuplicateObjectError:
        await prepare_role(connection, role)
    except asyncpg.InsufficientPrivilegeError as error:
        raise OperatorError(
            f"This user may not make the service's role: have an administrator run `CREATE ROLE {quoted}; "
            f"GRANT {quoted} TO <this user>`, or set MITRA_DATABASE_ROLE=none ({one_line(error)})"
        ) from error


async def settle_rights(connection: asyncpg.Connection, role: str) -> None:
    """Give the role what it should have on the tables and sequences of this user, and take what is more."""
    quoted = _quoted(role)
    async with connection.transaction():
        for table in await connection.fetch(WRONG_TABLES, role):
            await connection.execute(
                f"REVOKE ALL ON {table['name']} FROM {quoted};"
                f"GRANT {', '.join(table['rights'])} ON {table['name']} TO {quoted}"
            )
        for sequence in await connection.fetch(WRONG_SEQUENCES, role):
            await connection.execute(f"GRANT USAGE, SELECT ON SEQUENCE {sequence['name']} TO {quoted}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
