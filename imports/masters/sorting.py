"""Which rows of a chunk are new, and which repeat or contradict another row of the same file.

What a file has said of a code is remembered while its import is under way, in the transaction that takes the row. Rows
that are refused are not: another one may say it right.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from base.database import Connection
from imports.masters.reading import MasterRow
from imports.rows import Refused
from imports.store import Import

SEEN: Final = """
SELECT code, digest, line FROM import_code WHERE program_id = $1 AND import_id = $2 AND code = ANY($3::text[])
"""
REMEMBER: Final = """
INSERT INTO import_code (program_id, import_id, code, digest, line)
SELECT $1, $2, r.code, r.digest, r.line FROM unnest($3::text[], $4::bytea[], $5::bigint[]) AS r (code, digest, line)
ON CONFLICT DO NOTHING
"""
FORGET: Final = "DELETE FROM import_code WHERE program_id = $1 AND import_id = $2"


class Said(NamedTuple):
    """What was said of a code, and where."""

    digest: bytes
    line: int


@dataclass(slots=True)
class Sorted:
    """The rows of a chunk: `fresh` are the first of their code in the file."""

    fresh: dict[str, MasterRow] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    duplicates_in: int = 0


def sort_rows(
    rows: Iterable[MasterRow | Refused], *, seen: Mapping[str, Said], faults: Mapping[int, Refused]
) -> Sorted:
    """Sort a chunk; `faults` are the rows, by line, of which more is known by now."""
    found = Sorted()
    for row in rows:
        if isinstance(row, Refused):
            found.refused.append(row)
            continue
        fault = faults.get(row.raw.line)
        if fault is not None:
            found.refused.append(fault)
            continue
        before = seen.get(row.code)
        first = found.fresh.get(row.code)
        if first is not None:
            before = Said(first.digest, first.raw.line)
        if before is None:
            found.fresh[row.code] = row
        elif before.digest == row.digest:
            found.duplicates_in += 1
        else:
            message = f"line {before.line:,} of this file says something else of {row.code}"
            found.refused.append(Refused(row.raw, "CONFLICTING_ROWS", message))
    return found


async def load_seen(connection: Connection, one: Import, codes: Sequence[str]) -> dict[str, Said]:
    """What earlier rows of the file said of these codes."""
    rows = await connection.fetch(SEEN, one.program_id, one.id, codes)
    return {row["code"]: Said(row["digest"], row["line"]) for row in rows}


async def remember(connection: Connection, one: Import, rows: Iterable[MasterRow]) -> None:
    """Remember what these rows say; after `save_step`, which tells whether this process may."""
    told = sorted((row.code, row.digest, row.raw.line) for row in rows)
    if told:
        codes, digests, lines = (list(column) for column in zip(*told, strict=True))
        await connection.execute(REMEMBER, one.program_id, one.id, codes, digests, lines)


async def forget(connection: Connection, one: Import) -> None:
    """The file is at its end."""
    await connection.execute(FORGET, one.program_id, one.id)
