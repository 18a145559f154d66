"""Partners whose parent stands further down in the file, or nowhere.

While the file is read they are refused like any row that cannot be taken; at its end they are gone through again, the
last first, until none more finds its parent. What finds it is no refusal any more. Each page is one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from base.database import Connection
from imports.masters.reading import MasterReader, MasterRow
from imports.masters.stating import WAITING, State
from imports.rows import RawRow, Refused
from imports.store import Import, ImportMoved
from partners.configuration import LockedProgram, configure

PAGE: Final = 1_000

# The lock keeps everybody else from this import.
HELD: Final = """
SELECT reasons FROM import WHERE program_id = $1 AND id = $2 AND state = 'RUNNING' FOR NO KEY UPDATE
"""
WAITERS: Final = """
SELECT line, first_line, cells FROM import_refusal
WHERE program_id = $1 AND import_id = $2 AND code = $3 AND line < $4 ORDER BY line DESC LIMIT $5
"""
TAKEN: Final = (
    "DELETE FROM import_refusal WHERE program_id = $1 AND import_id = $2 AND line = ANY($3::bigint[])"
)
REFUSED: Final = """
UPDATE import_refusal r SET code = w.code, message = w.message, column_name = w.column_name
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) AS w (line, code, message, column_name)
WHERE r.program_id = $1 AND r.import_id = $2 AND r.line = w.line
"""
ACCOUNT: Final = """
UPDATE import SET recorded = recorded + $3, activities = activities + $3, duplicates = duplicates + $4,
    refused = refused - $3 - $4, reasons = $5::text::jsonb, moved_at = $6
WHERE program_id = $1 AND id = $2
"""
LAST: Final = 2**62


@dataclass(slots=True)
class Swept:
    """What became of a page of rows that waited."""

    lowest: int = 0
    recorded: int = 0
    duplicates: int = 0
    refused: list[Refused] = field(default_factory=list)
    is_last: bool = False


async def take_waiting(one: Import, *, reader: MasterReader, state: State, now: datetime) -> None:
    """Take the partners whose parent is there by now. Raises `ImportMoved` where another process took the import."""
    found = True
    while found:
        found = False
        below = LAST
        while True:
            swept = await configure(
                one.program_id,
                lambda connection, program: _sweep(connection, program, one, below, reader, state, now),  # noqa: B023
            )
            found = found or swept.recorded + swept.duplicates > 0
            below = swept.lowest
            if swept.is_last:
                break


async def _sweep(
    connection: Connection,
    program: LockedProgram,
    one: Import,
    below: int,
    reader: MasterReader,
    state: State,
    now: datetime,
) -> Swept:
    """One page."""
    stored = await connection.fetchval(HELD, one.program_id, one.id)
    if stored is None:
        raise ImportMoved("another process took this import to its end")
    waiters = await connection.fetch(WAITERS, one.program_id, one.id, WAITING, below, PAGE)
    swept = Swept(is_last=len(waiters) < PAGE)
    if not waiters:
        return swept
    swept.lowest = waiters[-1]["line"]
    rows: dict[str, MasterRow] = {}
    for waiter in waiters:
        row = reader.read(RawRow(waiter["line"], waiter["first_line"], tuple(waiter["cells"])))
        assert isinstance(row, MasterRow), "it was understood when it was first read"
        rows[row.code] = row
    stated = await state(connection, program, rows, now=now)
    while stated.faults:
        swept.refused += stated.faults
        at_fault = {refused.raw.line for refused in stated.faults}
        rows = {code: row for code, row in rows.items() if row.raw.line not in at_fault}
        stated = await state(connection, program, rows, now=now)
    swept.recorded, swept.duplicates = len(stated.changed), len(stated.unchanged)
    taken = [row.raw.line for row in (*stated.changed, *stated.unchanged)]
    await connection.execute(TAKEN, one.program_id, one.id, taken)
    await _refuse(connection, one, swept.refused)
    reasons = _reasons(orjson.loads(stored), taken, swept.refused)
    counts = (swept.recorded, swept.duplicates, orjson.dumps(reasons).decode(), now)
    await connection.execute(ACCOUNT, one.program_id, one.id, *counts)
    return swept


async def _refuse(connection: Connection, one: Import, refused: Sequence[Refused]) -> None:
    """Say another reason than before."""
    columns = (
        [row.raw.line for row in refused],
        [row.code for row in refused],
        [row.message for row in refused],
        [row.column for row in refused],
    )
    await connection.execute(REFUSED, one.program_id, one.id, *columns)


def _reasons(reasons: dict[str, int], taken: Sequence[int], refused: Sequence[Refused]) -> dict[str, int]:
    reasons[WAITING] -= len(taken) + len(refused)
    for row in refused:
        reasons[row.code] = reasons.get(row.code, 0) + 1
    return {code: count for code, count in reasons.items() if count}
