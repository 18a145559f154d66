"""Sales and returns out of a file, recorded by the way that all activities go.

A batch of rows is decided, recorded and accounted for in one transaction: see `imports.store`. What is decided before
it (what was recorded before, which partners and products there are, what a return takes back) may have changed by then;
so the recording says what did not hold, all of it is undone, and the batch is decided again.
"""

import asyncio
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from activity.journal import load_products
from activity.rules import CLOCK_SKEW, EARLIEST, Product
from base import failpoints
from base.clock import Clock
from base.database import Connection, reading, retrying, transaction
from game.outcome import DUPLICATE, RECORDED, REJECTED, Outcome
from game.pipeline import record
from imports.batches import Batch, split_batches
from imports.blaming import blame_column
from imports.documents import Draft, Drafting, Known, Row, Sorted, sort_rows
from imports.drafting import draft_rows
from imports.files import read_rows
from imports.importer import Tell
from imports.mapping import SalesMapping
from imports.mapping_toml import parse_sales_mapping
from imports.matching import SoldBefore, SoldLines
from imports.memory import recall, remember
from imports.names import load_taken_names
from imports.newcomers import create_newcomers
from imports.rows import Refused, SalesRow
from imports.sales_rows import SalesReader
from imports.sold import load_sold_lines
from imports.store import (
    Import,
    ImportState,
    Step,
    end_import,
    save_step,
    start_import,
)

ATTEMPTS: Final = 20
"""How often a batch is decided again before its answers are taken as they are."""
RACED: Final = frozenset(
    {"MORE_THAN_LEFT", "NOTHING_LEFT", "UNKNOWN_ACTIVITY", "UNKNOWN_LINE", "WRONG_SKU", "RETURN_BEFORE_SALE"}
)
"""Why a matched return is refused where what it was matched with is not so any more."""


class Again(Exception):
    """The batch was decided on what does not hold: rows are wrong that seemed right, or another was faster."""

    def __init__(self, faults: Sequence[Refused] = ()) -> None:
        super().__init__()
        self.faults = faults


async def import_sales(one: Import, stream: BinaryIO, clock: Clock, tell: Tell) -> Import:
    """Take a file of sales in: an `Importer`. A history keeps the program's seasons open until its end.

    Raises `InvalidMapping`, `BrokenFile` (what stood before the break is recorded), and `ImportMoved` where another
    process works on the same import.
    """
    mapping = parse_sales_mapping(one.mapping)
    reader = await asyncio.to_thread(read_rows, stream, mapping.file, from_line=one.position)
    rows = SalesReader(mapping, reader.header)
    one = await start_import(one, header=reader.header, now=clock.now())
    work = _Work(one, mapping, rows, clock, is_further=reader.is_refusals)
    batches = split_batches(reader, rows)
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        tell(await work.take(batch))
    return await end_import(one, state=ImportState.DONE, now=clock.now())


@dataclass(slots=True)
class _Decided:
    """A batch, ready to be recorded."""

    found: Sorted
    known: Known
    drafts: list[Draft] = field(default_factory=list)


class _Work:
    """One run over a file."""

    def __init__(
        self, one: Import, mapping: SalesMapping, reader: SalesReader, clock: Clock, *, is_further: bool
    ) -> None:
        self._one = one
        self._mapping = mapping
        self._reader = reader
        self._clock = clock
        self._is_further = is_further

    async def take(self, batch: Batch) -> Step:
        """Record a batch and account for it, however often it has to be decided."""
        faults: dict[int, Refused] = {}
        attempts = 0
        while True:
            decided = await self._decide(batch.rows, faults)
            failpoints.reach("imports.decided")
            try:
                step = await self._record(batch, decided, is_last=attempts >= ATTEMPTS)
            except Again as again:
                faults.update((refused.raw.line, refused) for refused in again.faults)
                attempts += 1
            else:
                self._one = replace(self._one, position=step.position, posted_through=step.posted_through)
                return step

    # ------------------------------------------------------------------------------------------------ what it is

    async def _decide(self, rows: Sequence[Row], faults: dict[int, Refused]) -> _Decided:
        """Which rows are new, and what activities they make. Adds to `faults` what is wrong with them."""
        program_id = self._one.program_id
        keys = {(row.document, row.digest) for row in rows if isinstance(row, SalesRow)}
        async with reading() as connection:
            known = await self._load_known(connection, keys)
        found = self._sort(rows, known, faults)
        for fault in await create_newcomers(
            program_id=program_id, rows=found.fresh, mapping=self._mapping, now=self._clock.now()
        ):
            faults[fault.raw.line] = fault
        found = self._sort(rows, known, faults)
        products, sold_before = await self._load(found.fresh)
        taken: set[str] = set()
        while True:
            drafting = Drafting(known=known, is_further=self._is_further, taken=taken)
            drafts, wrong = draft_rows(
                found.fresh,
                drafting,
                source=self._mapping.source,
                products=products,
                sold=SoldLines(sold_before),
                latest=self._clock.now() + CLOCK_SKEW,
            )
            if wrong:
                faults.update((refused.raw.line, refused) for refused in wrong)
                found = self._sort(rows, known, faults)
            elif names := await self._load_taken(drafts):
                taken |= names
            else:
                return _Decided(found, known, drafts)

    async def _load_known(self, connection: Connection, rows: Set[tuple[str, bytes]]) -> Known:
        """What is known of these rows, (document, digest) each, and of their documents."""
        return await recall(
            connection, self._one, source=self._mapping.source, rows=rows, is_further=self._is_further
        )

    async def _load_taken(self, drafts: Sequence[Draft]) -> Set[str]:
        """The names of further activities that are not free."""
        names = [draft.external_id for draft in drafts if draft.is_further]
        if not names:
            return frozenset()
        async with reading() as connection:
            return await load_taken_names(
                connection, program_id=self._one.program_id, source=self._mapping.source, names=names
            )

    def _sort(self, rows: Sequence[Row], known: Known, faults: dict[int, Refused]) -> Sorted:
        return sort_rows(
            rows, known=known, faults=faults, import_id=self._one.id, is_further=self._is_further
        )

    async def _load(self, rows: Sequence[SalesRow]) -> tuple[dict[str, Product], SoldBefore]:
        """The products of the rows, and what their returns may take back of what was sold before."""
        goods = {(row.partner, row.sku) for row in rows if row.is_return}
        async with reading() as connection:
            products = await load_products(
                connection, program_id=self._one.program_id, skus=sorted({row.sku for row in rows})
            )
            sold_before = await load_sold_lines(connection, program_id=self._one.program_id, goods=goods)
        return products, sold_before

    # ------------------------------------------------------------------------------------------- how it is taken

    async def _record(self, batch: Batch, decided: _Decided, *, is_last: bool) -> Step:
        """Record the activities with their account. Raises `Again`."""
        source = self._mapping.source
        activities = [draft.finished(source) for draft in decided.drafts]

        step = Step(self._one.position)

        async def settle(connection: Connection, outcomes: Sequence[Outcome]) -> None:
            nonlocal step
            step = await self._account(connection, batch, decided, outcomes, is_last=is_last)
            if not await save_step(connection, self._one, step, source=source, now=self._clock.now()):
                raise Again
            drafts = zip(decided.drafts, outcomes, strict=True)
            await remember(
                connection,
                self._one,
                source=source,
                recorded=[draft for draft, outcome in drafts if outcome.status == RECORDED],
                rows=batch.rows,
                refused=step.refused,
            )
            failpoints.reach("imports.accounted")

        async def only_settle() -> None:
            async with transaction() as connection:
                await settle(connection, [])

        if activities:
            await record(
                program_id=self._one.program_id,
                activities=activities,
                clock=self._clock,
                history=(self._one.posted_through or EARLIEST) if self._one.history else None,
                settle=settle,
            )
        else:
            await retrying(only_settle)
        failpoints.reach("imports.recorded")
        return step

    async def _account(
        self,
        connection: Connection,
        batch: Batch,
        decided: _Decided,
        outcomes: Sequence[Outcome],
        *,
        is_last: bool,
    ) -> Step:
        """What became of the rows. Raises `Again` where it was decided on what does not hold."""
        found = decided.found
        step = Step(self._one.position, batch.position, batch.bytes_read)
        step.duplicates, step.duplicates_in = found.duplicates, found.duplicates_in
        step.refused = list(found.refused)
        faults: list[Refused] = []
        conflicts: list[Refused] = []
        doubted = again = is_taken = False
        for draft, outcome in zip(decided.drafts, outcomes, strict=True):
            if outcome.status == RECORDED:
                step.activities += 1
                step.recorded += len(draft.rows)
                step.rows += [(row.document, row.digest) for row in draft.rows]
            elif outcome.status == DUPLICATE:
                step.duplicates += len(draft.rows)
                doubted = True
                is_taken |= draft.is_further
            else:
                assert outcome.status == REJECTED
                is_raced = draft.first.is_return and outcome.code in RACED and not is_last
                is_taken |= draft.is_further and outcome.code == "IDEMPOTENCY_CONFLICT"
                blamed = [] if is_raced else self._blame(draft, outcome, whole=is_last)
                again = again or len(blamed) < len(draft.rows)
                if outcome.code == "IDEMPOTENCY_CONFLICT":
                    conflicts += blamed
                else:
                    faults += blamed
        if is_taken and not is_last:
            raise Again(faults)  # another was faster to a name that was free
        if (doubted or conflicts) and not is_last and await self._is_moved(connection, decided):
            raise Again(faults)  # what conflicts may be what another import has just brought
        if again:
            raise Again(faults + conflicts)
        refused = step.refused + faults + conflicts
        step.refused = [blame_column(one, self._reader.column_of) for one in refused]
        if self._one.history:
            moments = [draft.occurred_at for draft in decided.drafts]
            step.posted_through = max([*moments, self._one.posted_through or EARLIEST])
        return step

    async def _is_moved(self, connection: Connection, decided: _Decided) -> bool:
        """Whether another import has brought rows of the same documents meanwhile."""
        keys = {(row.document, row.digest) for draft in decided.drafts for row in draft.rows}
        now = await self._load_known(connection, keys)
        documents = {document for document, _ in keys}
        return (
            bool(now.rows)
            or now.further != (decided.known.further & documents)
            or any(now.of(one) != decided.known.of(one) for one in documents)
        )

    def _blame(self, draft: Draft, outcome: Outcome, *, whole: bool) -> list[Refused]:
        """The rows for which an activity was refused: the one that its path names, or all of them."""
        path = outcome.field
        named = not whole and len(path) > 1 and path[0] == "lines" and path[1].isdigit()
        rows = [draft.row_of[int(path[1])]] if named else draft.rows
        found = (Refused(row.raw, outcome.code, outcome.message) for row in rows)
        return [blame_column(one, self._reader.column_of, path) for one in found]
