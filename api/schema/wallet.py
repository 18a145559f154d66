"""Wallet: a partner's account in one unit, and its entries, each of which says why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import strawberry

from api.context import Context, Info
from api.ids import global_id, read_cursor
from api.schema.because import Because, told
from api.schema.hold import Hold
from api.schema.node import Node
from api.schema.paging import Connection, connect, page_size
from api.schema.scalars import BigInt
from base.errors import Invalid
from loyalty.ledger.books import Bucket
from loyalty.ledger.queries import EntryRow, WalletRow

MOST_DAYS: Final = 3_660

strawberry.enum(Bucket, description="Where points stand in a wallet.")


@strawberry.enum(description="What an entry was for.")
class EntryKind(StrEnum):
    EARN = "EARN"
    MATURE = "MATURE"
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    EXPIRE = "EXPIRE"
    REVERSE = "REVERSE"
    ADJUST = "ADJUST"
    TRANSFER = "TRANSFER"
    REWARD = "REWARD"
    REPAY = "REPAY"
    OPENING = "OPENING"


@strawberry.type(description="One movement of a bucket of a wallet.")
class LedgerEntry(Node):
    row: strawberry.Private[EntryRow]
    kind: EntryKind
    bucket: Bucket
    amount: BigInt = strawberry.field(description="Signed, as the partner sees it.")
    balance_after: BigInt = strawberry.field(description="Of that bucket; of DEBT below zero: what is owed.")
    occurred_at: datetime
    posted_at: datetime

    @strawberry.field(description="Why, step by step: from the activity to this amount.")
    def because(self, info: Info) -> list[Because]:
        return told(self.row.because, info)

    @classmethod
    def of(cls, row: EntryRow, context: Context) -> LedgerEntry:
        program = context.caller.program.key
        return cls(
            row=row,
            id=strawberry.ID(global_id("LedgerEntry", program, row.transaction_id, row.number)),
            kind=EntryKind(row.kind),
            bucket=Bucket(row.bucket),
            amount=BigInt(row.amount),
            balance_after=BigInt(row.balance_after),
            occurred_at=row.occurred_at,
            posted_at=row.posted_at,
        )


@strawberry.type(description="Points that expire together.")
class ExpiringPoints:
    amount: BigInt
    expires_at: datetime = strawberry.field(description="The first moment after their last local day.")


@strawberry.type(description="A partner's account in one unit.")
class Wallet:
    row: strawberry.Private[WalletRow]
    unit: str
    available: BigInt
    pending: BigInt = strawberry.field(description="Earned, not yet mature.")
    held: BigInt = strawberry.field(description="Reserved by open redemptions.")
    debt: BigInt = strawberry.field(description="Owed after a return of points that were already spent.")

    @strawberry.field(
        description="What of `available` expires within so many days of 24 hours, 1 to 3,660; the soonest first."
    )
    async def expiring(self, info: Info, within_days: int = 30) -> list[ExpiringPoints]:
        if not 1 <= within_days <= MOST_DAYS:
            message = f"withinDays must be 1 to {MOST_DAYS:,}"
            raise Invalid(message, code="INVALID_COUNT", field=("withinDays",))
        rows = await info.context.loaders.expiring.load((self.row.partner_id, self.unit, within_days))
        return [ExpiringPoints(amount=BigInt(row.amount), expires_at=row.expires_at) for row in rows]

    @strawberry.field(description="Newest first.")
    async def entries(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[LedgerEntry]:
        context, size, below = info.context, page_size(first), read_cursor(after, int)
        rows = await context.loaders.entries.load((self.row.partner_id, self.unit, below, size + 1))
        return connect(
            rows,
            size=size,
            after=after,
            key=lambda row: row.version,
            node=lambda row: LedgerEntry.of(row, context),
        )

    @strawberry.field(description="What was reserved of it, and what became of that. Newest first.")
    async def holds(self, info: Info, first: int | None = None, after: str | None = None) -> Connection[Hold]:
        context, size, below = info.context, page_size(first), read_cursor(after, int)
        rows = await context.loaders.holds.load((self.row.partner_id, self.unit, below, size + 1))
        return connect(
            rows, size=size, after=after, key=lambda row: row.id, node=lambda row: Hold.of(row, context)
        )

    @classmethod
    def of(cls, row: WalletRow) -> Wallet:
        return cls(
            row=row,
            unit=row.unit,
            available=BigInt(row.available),
            pending=BigInt(row.pending),
            held=BigInt(row.held),
            debt=BigInt(row.debt),
        )
