"""Import: a file from another system, taken in by a job. The file itself travels beside GraphQL: see `api.uploads`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import strawberry

from api.context import Context, Info
from api.ids import decode_id, global_id, read_cursor
from api.schema.faults import Given, UserError
from api.schema.paging import Connection, connect, page_size
from api.schema.scalars import BigInt
from api.uploads import FILE, REFUSED
from base.database import reading
from base.errors import NotFound
from imports.announcing import Announced, create_upload
from imports.job import resume_import
from imports.listing import ShownImport, Standing, list_refused, list_shown, show_import
from imports.rows import Refused
from imports.store import ImportKind, ImportState

TYPE: Final = "Import"

strawberry.enum(ImportKind, description="What a file holds.")
strawberry.enum(
    Standing,
    name="ImportStanding",
    description="How an import stands: WAITING goes on once there is a worker, STOPPED with the same command.",
)
strawberry.enum(
    ImportState,
    description="UPLOADING until the file is here; QUEUED until a worker takes it; FAILED can be resumed.",
)


@strawberry.type(description="How many rows were refused for one reason.")
class RefusedReason:
    code: str
    count: BigInt


@strawberry.type(description="A row that was refused, as it stood in the file.")
class ImportRefusal:
    line: BigInt = strawberry.field(description="On which it begins, counted from 1.")
    first_line: BigInt = strawberry.field(
        description="Where it stood when it was first refused; else the same."
    )
    code: str
    message: str
    column: str | None = strawberry.field(description="The header of the cell that is to blame.")
    cells: list[str]

    @classmethod
    def of(cls, row: Refused) -> ImportRefusal:
        return cls(
            line=BigInt(row.raw.line),
            first_line=BigInt(row.raw.first_line),
            code=row.code,
            message=row.message,
            column=row.column,
            cells=list(row.raw.cells),
        )


@strawberry.type(
    description="A file that is taken in: of the rows read, each is recorded, a duplicate, or refused."
)
class Import:
    shown: strawberry.Private[ShownImport]
    id: strawberry.ID
    kind: ImportKind
    state: ImportState
    standing: Standing = strawberry.field(
        description="The state, or what has become of one that is said to be RUNNING and does not move."
    )
    file_name: str
    size: BigInt = strawberry.field(description="Of the file, in bytes.")
    received: BigInt = strawberry.field(description="Bytes of the file that are here.")
    progress: float = strawberry.field(description="From 0 to 1: how much of the file was read.")
    rows_read: BigInt
    rows_recorded: BigInt
    rows_duplicate: BigInt = strawberry.field(description="Recorded before, or repeated in the file.")
    rows_refused: BigInt
    refused_by_reason: list[RefusedReason] = strawberry.field(description="The most frequent first.")
    activities: BigInt = strawberry.field(description="Or whatever the kind is of, that were recorded.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None = strawberry.field(description="Why it FAILED: a code, and words.")
    upload_url: str | None = strawberry.field(
        description="Where to PUT the file, under the API's own address. Null once it is here."
    )
    refused_url: str | None = strawberry.field(
        description="Where to GET the refused rows as a file, under the API's own address. Null without any."
    )

    @strawberry.field(description="In the order of the file.")
    async def refusals(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[ImportRefusal]:
        size, line = page_size(first), read_cursor(after, int)
        one = self.shown.stored
        async with reading() as connection:
            rows = await list_refused(
                connection, program_id=one.program_id, import_id=one.id, after=line, first=size + 1
            )
        return connect(rows, size=size, after=after, key=lambda row: row.raw.line, node=ImportRefusal.of)

    @classmethod
    def of(cls, shown: ShownImport, context: Context) -> Import:
        one = shown.stored
        word = global_id(TYPE, context.caller.program.key, one.id)
        reasons = sorted(one.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
        return cls(
            shown=shown,
            id=strawberry.ID(word),
            kind=one.kind,
            state=one.state,
            standing=shown.standing(context.now()),
            file_name=one.file_name,
            size=BigInt(one.file_size),
            received=BigInt(shown.received),
            progress=shown.progress,
            rows_read=BigInt(one.read),
            rows_recorded=BigInt(one.recorded),
            rows_duplicate=BigInt(one.duplicates),
            rows_refused=BigInt(one.refused),
            refused_by_reason=[RefusedReason(code=code, count=BigInt(count)) for code, count in reasons],
            activities=BigInt(one.activities),
            created_at=one.created_at,
            started_at=one.started_at,
            finished_at=one.finished_at,
            error=one.error,
            upload_url=FILE.format(id=word) if one.state is ImportState.UPLOADING else None,
            refused_url=REFUSED.format(id=word) if one.refused else None,
        )


def _number_of(word: str, context: Context) -> int | None:
    """The import's own number, of an id of this program."""
    match decode_id(word, context.caller.program.key):
        case "Import", [int(number)]:
            return number
    return None


async def _find(context: Context, number: int) -> Import:
    async with reading() as connection:
        shown = await show_import(connection, program_id=context.program_id, import_id=number)
    assert shown is not None, "imports are never deleted"
    return Import.of(shown, context)


@strawberry.input
class ImportCreateInput:
    kind: ImportKind
    file_name: str
    size: BigInt = strawberry.field(description="Of the file, in bytes.")
    mapping: str = strawberry.field(
        default="",
        description="How its columns are to be read: TOML. Master data may have them by their names.",
    )
    digest: str | None = strawberry.field(
        default=None,
        description="Its SHA-256 in hexadecimal digits. With it the same file with the same mapping goes on "
        "where it was broken off, and a file that came broken is refused.",
    )
    history: bool = strawberry.field(
        default=False, description="Book what it holds at the time at which it occurred."
    )


@strawberry.type
class ImportCreatePayload:
    import_: Import = strawberry.field(name="import")


ImportCreateResult: TypeAlias = Annotated[
    ImportCreatePayload | UserError, strawberry.union("ImportCreateResult")
]


@strawberry.input
class ImportResumeInput:
    id: strawberry.ID


@strawberry.type
class ImportResumePayload:
    import_: Import = strawberry.field(name="import")


ImportResumeResult: TypeAlias = Annotated[
    ImportResumePayload | UserError, strawberry.union("ImportResumeResult")
]


@strawberry.type
class ImportMutation:
    @strawberry.field(description="Announce a file; then send it to `uploadUrl`.")
    async def import_create(self, info: Info, given: Given[ImportCreateInput]) -> ImportCreateResult:
        context = info.context
        announced = Announced(
            kind=given.kind,
            file_name=given.file_name,
            size=given.size,
            mapping=given.mapping,
            history=given.history,
            digest=given.digest,
        )
        one = await create_upload(
            program_id=context.program_id,
            given=announced,
            limits=context.session.upload_limits,
            created_by=context.caller.subject,
            now=context.now(),
        )
        return ImportCreatePayload(import_=await _find(context, one.id))

    @strawberry.field(description="Go on with one that FAILED, from where it stopped.")
    async def import_resume(self, info: Info, given: Given[ImportResumeInput]) -> ImportResumeResult:
        context = info.context
        number = _number_of(given.id, context)
        if number is None:
            raise NotFound("there is no such import", field=["id"])
        await resume_import(program_id=context.program_id, import_id=number, now=context.now())
        return ImportResumePayload(import_=await _find(context, number))


@strawberry.type
class ImportQuery:
    @strawberry.field(name="import", description="Null where there is none in the program.")
    async def import_(self, info: Info, id: strawberry.ID) -> Import | None:  # noqa: A002 (the argument's name)
        context = info.context
        number = _number_of(id, context)
        if number is None:
            return None
        async with reading() as connection:
            shown = await show_import(connection, program_id=context.program_id, import_id=number)
        return None if shown is None else Import.of(shown, context)

    @strawberry.field(description="The newest first.")
    async def imports(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        states: list[ImportState] | None = None,
    ) -> Connection[Import]:
        context, size, below = info.context, page_size(first), read_cursor(after, int)
        async with reading() as connection:
            rows = await list_shown(
                connection, program_id=context.program_id, states=states, below=below, first=size + 1
            )
        return connect(
            rows,
            size=size,
            after=after,
            key=lambda row: row.stored.id,
            node=lambda row: Import.of(row, context),
        )
