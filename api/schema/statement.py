"""WalletStatement: what was booked on a wallet over some local days, and what it held before and after."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import strawberry
from strawberry import argument

from api.context import Context, Info
from api.ids import read_keys
from api.schema.paging import Connection, connect, page_size
from api.schema.partner import Partner
from api.schema.scalars import BigInt
from api.schema.wallet import EntryKind, LedgerEntry
from api.statements import statement_url
from base.database import reading
from base.errors import Invalid, NotFound
from loyalty.ledger.books import POINT, Bucket
from loyalty.ledger.queries import EntryRow
from loyalty.ledger.statements import Statement, list_posted, load_statement, span_of
from partners.listing import PartnerRow

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


@strawberry.type(
    description="A bucket over the days of a statement: opening + change = closing. All have the sign of entries: DEBT "
    "stands below zero."
)
class BucketStatement:
    bucket: Bucket
    opening: BigInt
    change: BigInt
    closing: BigInt


@strawberry.type(description="What all entries of a kind came to in a bucket.")
class StatementTotal:
    kind: EntryKind
    bucket: Bucket
    amount: BigInt
    entries: BigInt


@strawberry.type(
    description="A wallet over some local days of its partner, both the first and the last among them, by `postedAt`."
)
class WalletStatement:
    row: strawberry.Private[Statement]
    partner_row: strawberry.Private[PartnerRow]
    unit: str
    from_: date = strawberry.field(name="from")
    to: date
    time_zone: str = strawberry.field(description="Whose days they are.")
    starts_at: datetime
    ends_at: datetime = strawberry.field(description="The first moment after the last day.")
    buckets: list[BucketStatement] = strawberry.field(description="All four.")
    totals: list[StatementTotal] = strawberry.field(description="The kinds that were booked, by bucket.")

    @strawberry.field
    def partner(self, info: Info) -> Partner:
        return Partner.of(self.partner_row, info.context)

    @strawberry.field(description="Oldest first, by `postedAt`.")
    async def entries(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[LedgerEntry]:
        context, size = info.context, page_size(first)
        async with reading() as connection:
            rows = await list_posted(
                connection,
                program_id=context.program_id,
                statement=self.row,
                after=_place(after),
                limit=size + 1,
            )
        return connect(rows, size=size, after=after, key=_key, node=lambda row: LedgerEntry.of(row, context))

    @strawberry.field(
        description="Where to GET it as a file, under the API's own address: in the language of `Accept-Language`."
    )
    def csv_url(self, info: Info) -> str:
        span = self.row.span
        return statement_url(
            info.context,
            self.partner_row.code,
            unit=self.unit,
            first_day=span.first_day,
            last_day=span.last_day,
        )

    @classmethod
    def of(cls, row: Statement, partner: PartnerRow) -> WalletStatement:
        span = row.span
        return cls(
            row=row,
            partner_row=partner,
            unit=row.unit,
            from_=span.first_day,
            to=span.last_day,
            time_zone=span.time_zone,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            buckets=[
                BucketStatement(
                    bucket=one.bucket,
                    opening=BigInt(one.opening),
                    change=BigInt(one.change),
                    closing=BigInt(one.closing),
                )
                for one in row.buckets
            ],
            totals=[
                StatementTotal(
                    kind=EntryKind(one.kind),
                    bucket=one.bucket,
                    amount=BigInt(one.amount),
                    entries=BigInt(one.entries),
                )
                for one in row.kinds
            ],
        )


def _key(row: EntryRow) -> tuple[int, int]:
    return (row.posted_at - EPOCH) // MICROSECOND, row.version


def _place(after: str | None) -> tuple[datetime, int] | None:
    keys = read_keys(after, int, int)
    if keys is None:
        return None
    microseconds, version = keys
    try:
        return EPOCH + microseconds * MICROSECOND, version
    except OverflowError as error:
        raise Invalid(
            "this cursor is of no page of this list", code="INVALID_CURSOR", field=("after",)
        ) from error


@strawberry.type
class StatementQuery:
    @strawberry.field(description="Of the caller's own wallet, where no partner is named.")
    async def wallet_statement(
        self,
        info: Info,
        from_: Annotated[date, argument(name="from")],
        to: date,
        partner: str | None = None,
        unit: str = POINT,
    ) -> WalletStatement:
        context = info.context
        row = await _partner(context, partner)
        context.catalog.unit(unit)
        span = span_of(first_day=from_, last_day=to, time_zone=row.time_zone)
        async with reading() as connection:
            statement = await load_statement(
                connection, program_id=context.program_id, partner_id=row.id, unit=unit, span=span
            )
        return WalletStatement.of(statement, row)


async def _partner(context: Context, named: str | None) -> PartnerRow:
    """The partner of that code that the caller may see; its own where none is named."""
    code = named if named is not None else context.caller.partner_code
    if code is None:
        raise Invalid("name a partner: you have no wallet of your own", code="REQUIRED", field=("partner",))
    row = await context.loaders.partners.load(code)
    if row is None:
        raise NotFound("there is no such partner", field=("partner",))
    return row
