"""Reads of imports: the last ones, and what they refused."""

from typing import Final

from base.database import Connection
from imports.rows import RawRow, Refused
from imports.store import Import, import_of

LAST: Final = "SELECT * FROM import WHERE program_id = $1 ORDER BY id DESC LIMIT $2"
# Of each reason the row that stands first in the file.
EXAMPLES: Final = """
SELECT DISTINCT ON (code) line, first_line, code, message, column_name, cells FROM import_refusal
WHERE program_id = $1 AND import_id = $2 ORDER BY code, line
"""


async def list_imports(connection: Connection, *, program_id: int, first: int) -> list[Import]:
    """The last imports of a program, the newest first."""
    return [import_of(row) for row in await connection.fetch(LAST, program_id, first)]


async def find_examples(connection: Connection, *, program_id: int, import_id: int) -> dict[str, Refused]:
    """Of each reason for which an import refused rows, the first such row of the file, by code."""
    rows = await connection.fetch(EXAMPLES, program_id, import_id)
    return {
        row["code"]: Refused(
            RawRow(row["line"], row["first_line"], tuple(row["cells"])),
            row["code"],
            row["message"],
            row["column_name"],
        )
        for row in rows
    }
