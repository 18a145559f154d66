"""Statements: what was booked on a wallet over some local days, and what it held before and after.

Everything is a sum over entries by `posted_at`, so opening + entries = closing holds exactly, bucket by bucket, also
where a load of history booked an entry of a higher version at an earlier time. Entries stand by (posted_at, version).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from base.database import Connection
from base.errors import Invalid
from loyalty.ledger.books import Bucket
from loyalty.ledger.queries import EntryRow, entry_of
from metrics.windows import instant_of

EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(8999, 12, 31)
AT_ONCE: Final = 500

# What was posted before $4, and what from then on until $5: by bucket and kind.
SUMS: Final = """
SELECT e.bucket, e.kind,
       coalesce(sum(e.amount) FILTER (WHERE t.posted_at < $4), 0)::bigint AS before,
       coalesce(sum(e.amount) FILTER (WHERE t.posted_at >= $4), 0)::bigint AS during,
       count(*) FILTER (WHERE t.posted_at >= $4) AS entries
FROM ledger_entry e JOIN ledger_transaction t ON t.program_id = $1 AND t.id = e.transaction_id
WHERE e.program_id = $1 AND e.partner_id = $2 AND e.unit = $3 AND t.posted_at < $5
GROUP BY 1, 2 ORDER BY 1, 2
"""
POSTED: Final = """
SELECT e.partner_id, e.unit, e.transaction_id, e.number, e.kind, e.bucket, e.amount, e.balance_after, e.version,
       e.because AS last_step, t.occurred_at, t.posted_at, t.because
FROM ledger_entry e JOIN ledger_transaction t ON t.program_id = $1 AND t.id = e.transaction_id
WHERE e.program_id = $1 AND e.partner_id = $2 AND e.unit = $3 AND t.posted_at >= $4 AND t.posted_at < $5
"""
ALL: Final = f"{POSTED} ORDER BY t.posted_at, e.version"
# After the one that the page before ended with, at most $8.
PAGE: Final = f"""
{POSTED} AND ($6::timestamptz IS NULL OR (t.posted_at, e.version) > ($6, $7))
ORDER BY t.posted_at, e.version LIMIT $8
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Local days of a zone, both inclusive, and the instants that they come to: [starts_at, ends_at)."""

    first_day: date
    last_day: date
    time_zone: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class BucketSum:
    """A bucket of a statement, signed as its entries are: DEBT stands below zero."""

    bucket: Bucket
    opening: int
    change: int

    @property
    def closing(self) -> int:
        """What it held after the last entry."""
        return self.opening + self.change


@dataclass(frozen=True, slots=True)
class KindSum:
    """What all entries of a kind came to in a bucket."""

    kind: str
    bucket: Bucket
    amount: int
    entries: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A wallet over a span: all four buckets, and the kinds that were booked."""

    partner_id: int
    unit: str
    span: Span
    buckets: tuple[BucketSum, ...]
    kinds: tuple[KindSum, ...]


def span_of(*, first_day: date, last_day: date, time_zone: str) -> Span:
    """The local days from the first to the last. INVALID_DATE, ENDS_BEFORE_START."""
    for name, day in (("from", first_day), ("to", last_day)):
        if not EARLIEST <= day <= LATEST:
            raise Invalid(f"{name} is no day of the books: {day}", code="INVALID_DATE", field=(name,))
    if last_day < first_day:
        raise Invalid("to lies before from", code="ENDS_BEFORE_START", field=("to",))
    return Span(
        first_day,
        last_day,
        time_zone,
        instant_of(first_day, time_zone),
        instant_of(last_day + timedelta(days=1), time_zone),
    )


async def load_statement(
    connection: Connection, *, program_id: int, partner_id: int, unit: str, span: Span
) -> Statement:
    """A wallet's statement. Whether the caller may see the partner is the caller's to check."""
    rows = await connection.fetch(SUMS, program_id, partner_id, unit, span.starts_at, span.ends_at)
    buckets = tuple(
        BucketSum(
            bucket,
            opening=sum(row["before"] for row in rows if row["bucket"] == bucket),
            change=sum(row["during"] for row in rows if row["bucket"] == bucket),
        )
        for bucket in Bucket
    )
    kinds = tuple(
        KindSum(row["kind"], Bucket(row["bucket"]), row["during"], row["entries"])
        for row in rows
        if row["entries"]
    )
    return Statement(partner_id, unit, span, buckets, kinds)


async def list_posted(
    connection: Connection,
    *,
    program_id: int,
    statement: Statement,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[EntryRow]:
    """The entries of a statement, oldest first, after the (posted_at, version) that the page before ended with."""
    posted_at, version = after or (None, None)
    span = statement.span
    rows = await connection.fetch(
        PAGE,
        program_id,
        statement.partner_id,
        statement.unit,
        span.starts_at,
        span.ends_at,
        posted_at,
        version,
        limit,
    )
    return [entry_of(row) for row in rows]


async def stream_posted(
    connection: Connection, *, program_id: int, statement: Statement
) -> AsyncIterator[list[EntryRow]]:
    """All entries of a statement, oldest first, some hundred at a time. In a transaction: `snapshot`."""
    span = statement.span
    cursor = await connection.cursor(
        ALL, program_id, statement.partner_id, statement.unit, span.starts_at, span.ends_at
    )
    while rows := await cursor.fetch(AT_ONCE):
        yield [entry_of(row) for row in rows]
