"""A file of partners, products or balances, chunk by chunk: an `Importer`.

Each chunk is decided, written and accounted for in one transaction, so that a kill anywhere leaves counts, position and
what was written agreeing; and what stands already is not written again.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO, Final

from base.clock import Clock
from base.database import Connection, reading, transaction
from imports.files import RowReader, read_rows
from imports.importer import Tell
from imports.lines import BrokenFile
from imports.masters.balances import read_balance, refuse_balance
from imports.masters.mapping import MasterMapping, parse_master_mapping
from imports.masters.reading import MasterReader, MasterRow
from imports.masters.sorting import Sorted, forget, load_seen, remember, sort_rows
from imports.masters.stating import State, StatePartners, StateProducts
from imports.masters.waiting import take_waiting
from imports.rows import Refused
from imports.sales_rows import Fault
from imports.store import Import, ImportKind, ImportState, Step, end_import, save_step, start_import
from loyalty.ledger.opening import DUPLICATE, RECORDED, OpeningBalance, OpeningOutcome, open_balances
from partners.configuration import LockedProgram, configure

ROWS: Final = 1_000
CHARACTERS: Final = 2_000_000
"""Of a chunk: rows that are long make it shorter."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows, and where the file goes on after them."""

    rows: Sequence[MasterRow | Refused]
    position: int
    bytes_read: int

    @property
    def codes(self) -> list[str]:
        """What they are about."""
        return [row.code for row in self.rows if isinstance(row, MasterRow)]


class Again(Exception):
    """Rows are wrong that seemed right; nothing was written."""

    def __init__(self, faults: Sequence[Refused]) -> None:
        super().__init__()
        self.faults = faults


async def import_masters(one: Import, stream: BinaryIO, clock: Clock, tell: Tell) -> Import:
    """Take a file of partners, products or balances in: an `Importer`.

    Raises `InvalidMapping`, `Invalid` (UNKNOWN_COLUMN, MISSING_COLUMN), `BrokenFile` (what stood before the break is
    taken), and `ImportMoved` where another process works on the same import.
    """
    mapping = parse_master_mapping(one.mapping, one.kind)
    file = await asyncio.to_thread(read_rows, stream, mapping.file, from_line=one.position)
    reader = MasterReader(mapping, file.header)
    one = await start_import(one, header=file.header, now=clock.now())
    state: State = StateProducts(reader)
    if one.kind is ImportKind.PARTNERS:
        state = StatePartners(reader, mapping)
    chunks = split_chunks(file, reader)
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        if one.kind is ImportKind.BALANCES:
            step = await open_chunk(one, chunk, mapping, reader, now=clock.now())
        else:
            step = await state_chunk(one, chunk, state, now=clock.now())
        one = replace(one, position=step.position)
        tell(step)
    if one.kind is ImportKind.PARTNERS:
        await take_waiting(one, reader=reader, state=state, now=clock.now())
    async with transaction() as connection:
        await forget(connection, one)
    return await end_import(one, state=ImportState.DONE, now=clock.now())


def split_chunks(file: RowReader, reader: MasterReader) -> Iterator[Chunk]:
    """The rows of a file, up to 1,000 at a time; those before a break come before it is raised."""
    rows: list[MasterRow | Refused] = []
    size = 0
    broken: BrokenFile | None = None
    try:
        for raw in file:
            rows.append(reader.read(raw))
            size += sum(map(len, raw.cells))
            if len(rows) == ROWS or size >= CHARACTERS:
                yield Chunk(rows, file.next_line, file.bytes_read)
                rows, size = [], 0
    except BrokenFile as error:
        broken = error
    if rows:
        yield Chunk(rows, file.next_line, file.bytes_read)
    if broken is not None:
        raise broken


# ------------------------------------------------------------------------------------------------ partners, products


async def state_chunk(one: Import, chunk: Chunk, state: State, *, now: datetime) -> Step:
    """State partners or products anew, those that are not as the rows say."""

    async def change(connection: Connection, program: LockedProgram) -> Step:
        seen = await load_seen(connection, one, chunk.codes)
        faults: dict[int, Refused] = {}
        while True:
            found = sort_rows(chunk.rows, seen=seen, faults=faults)
            stated = await state(connection, program, found.fresh, now=now)
            if not stated.faults:
                break
            faults.update((refused.raw.line, refused) for refused in stated.faults)
        step = _step(one, chunk, found)
        step.recorded = step.activities = len(stated.changed)
        step.duplicates += len(stated.unchanged)
        step.refused += stated.waiting
        await save_step(connection, one, step, now=now)
        await remember(connection, one, found.fresh.values())
        return step

    return await configure(one.program_id, change)


def _step(one: Import, chunk: Chunk, found: Sorted) -> Step:
    """What is known of a chunk once its rows are sorted."""
    return Step(
        start=one.position,
        position=chunk.position,
        bytes_read=chunk.bytes_read,
        duplicates=found.duplicates_in,
        duplicates_in=found.duplicates_in,
        refused=list(found.refused),
    )


# ---------------------------------------------------------------------------------------------------------- balances


async def open_chunk(
    one: Import, chunk: Chunk, mapping: MasterMapping, reader: MasterReader, *, now: datetime
) -> Step:
    """Open balances, those that were not opened before."""
    async with reading() as connection:
        seen = await load_seen(connection, one, chunk.codes)
    faults: dict[int, Refused] = {}
    while True:
        found = sort_rows(chunk.rows, seen=seen, faults=faults)
        balances, wrong = _read_balances(found.fresh, mapping, reader)
        if not wrong:
            try:
                return await _open(one, chunk, found, balances, reader, now=now)
            except Again as again:
                wrong = again.faults
        faults.update((refused.raw.line, refused) for refused in wrong)


def _read_balances(
    rows: Mapping[str, MasterRow], mapping: MasterMapping, reader: MasterReader
) -> tuple[list[OpeningBalance], Sequence[Refused]]:
    balances: list[OpeningBalance] = []
    wrong: list[Refused] = []
    for row in rows.values():
        try:
            balances.append(read_balance(row, mapping))
        except Fault as fault:
            wrong.append(reader.refuse(row, fault))
    return balances, wrong


async def _open(
    one: Import,
    chunk: Chunk,
    found: Sorted,
    balances: Sequence[OpeningBalance],
    reader: MasterReader,
    *,
    now: datetime,
) -> Step:
    """Post balances with their account. Raises `Again` where the ledger refuses some."""
    step = Step(one.position)

    async def settle(connection: Connection, outcomes: Sequence[OpeningOutcome]) -> None:
        nonlocal step
        step = _step(one, chunk, found)
        wrong: list[Refused] = []
        for outcome in outcomes:
            if outcome.status == RECORDED:
                step.recorded += 1
            elif outcome.status == DUPLICATE:
                step.duplicates += 1
            else:
                wrong.append(refuse_balance(found.fresh[outcome.key], outcome, reader))
        if wrong:
            raise Again(wrong)  # another row of the same key may be right
        step.activities = step.recorded
        await save_step(connection, one, step, now=now)
        await remember(connection, one, found.fresh.values())

    if balances:
        await open_balances(
            program_id=one.program_id, balances=balances, actor=one.created_by, now=now, settle=settle
        )
    else:
        async with transaction() as connection:
            await settle(connection, ())
    return step
