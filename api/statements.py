"""A partner's statement as a file for people.

    GET /partners/{id}/statement.csv?unit=POINT&from=2026-11-01&to=2026-11-30

In the language that is asked for (`Accept-Language`), with local times of the partner; whose it is, its opening rows
say. It is written in one snapshot, so that its opening and entries come to its closing, and a few hundred entries at a
time, however many there are. What the last rows hold of days that are not over, they hold so far.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import BinaryIO, Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth import Authenticator
from api.context import Context
from api.files import FileDoor, plain_name, send_csv, written_file
from api.ids import decode_id, global_id
from api.sheets import Cell, Sheet
from base.clock import Clock
from base.database import snapshot
from base.errors import Invalid, NotFound
from base.settings import Settings
from loyalty.ledger.books import POINT, Bucket
from loyalty.ledger.queries import EntryRow
from loyalty.ledger.statements import Span, Statement, load_statement, span_of, stream_posted
from loyalty.ledger.units import Unit
from loyalty.words import Reader, explain
from loyalty.words.papers import LABELS, Labels
from metrics.windows import zone
from partners.listing import PartnerRow

PATH: Final = "/partners/{id}/statement.csv"


def statement_url(context: Context, partner: str, *, unit: str, first_day: date, last_day: date) -> str:
    """Where the statement of a partner can be had as a file, under the API's own address."""
    word = global_id("Partner", context.caller.program.key, partner)
    return f"{PATH.format(id=word)}?{urlencode({'unit': unit, 'from': first_day, 'to': last_day})}"


def statement_routes(
    settings: Settings, *, clock: Clock | None = None, authenticator: Authenticator | None = None
) -> list[Route]:
    """The route of statements."""
    door = FileDoor(settings, clock=clock, authenticator=authenticator)
    return [Route(PATH, door.opened(_answer, of=("WalletStatement", "csvUrl")), methods=["GET"])]


async def _answer(request: Request, context: Context) -> Response:
    partner = await _partner(request, context)
    unit = context.catalog.unit(request.query_params.get("unit", POINT))
    first_day, last_day = (_day(request, name) for name in ("from", "to"))
    span = span_of(first_day=first_day, last_day=last_day, time_zone=partner.time_zone)
    async with written_file() as file:
        await _write(file, context, partner, unit, span)
    parts = ("statement", plain_name(partner.code), str(first_day), str(last_day))
    name = "-".join(part for part in parts if part)
    return send_csv(file, f"{name}.csv", language=context.language)


async def _partner(request: Request, context: Context) -> PartnerRow:
    """The partner that the address names, where the caller may see it."""
    match decode_id(request.path_params["id"], context.caller.program.key):
        case "Partner", [str(code)]:
            row = await context.loaders.partners.load(code)
            if row is not None:
                return row
    raise NotFound("there is no such partner")


def _day(request: Request, name: str) -> date:
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError as error:
        raise Invalid(f"{name} must be a day, like 2026-11-01", code="INVALID_DATE", field=(name,)) from error


async def _write(file: BinaryIO, context: Context, partner: PartnerRow, unit: Unit, span: Span) -> None:
    async with snapshot() as connection:
        statement = await load_statement(
            connection, program_id=context.program_id, partner_id=partner.id, unit=unit.code, span=span
        )
        page = _Page(statement, unit, context.reader, LABELS[context.language], partner.code, context.now())
        sheet = Sheet(file)
        sheet.write([page.labels.columns, *page.opening()])
        async for rows in stream_posted(connection, program_id=context.program_id, statement=statement):
            # What is put into words takes time, and other requests go on meanwhile.
            await run_in_threadpool(_append, sheet, page, rows)
        sheet.write(page.closing())
        sheet.end()


def _append(sheet: Sheet, page: "_Page", rows: Sequence[EntryRow]) -> None:
    sheet.write(page.lines(rows))


@dataclass(slots=True)
class _Page:
    """A statement's rows; each entry's with the balance of its bucket after it, in the order of the statement."""

    statement: Statement
    unit: Unit
    reader: Reader
    labels: Labels
    partner: str
    now: datetime
    balances: defaultdict[Bucket, int] = field(init=False)

    def __post_init__(self) -> None:
        self.balances = defaultdict(int, {one.bucket: one.opening for one in self.statement.buckets})

    def opening(self) -> Iterator[Sequence[Cell]]:
        """A row for each bucket: what it held before."""
        for one in self.statement.buckets:
            row = self._held(self.labels.opening, self.statement.span.starts_at, one.bucket, one.opening)
            yield (*row, f"{self.labels.partner} {self.partner}")

    def closing(self) -> Iterator[Sequence[Cell]]:
        """A row for each bucket: what it held after; what it holds now, where the days are not over."""
        ends_at = self.statement.span.ends_at
        label = self.labels.so_far if self.now < ends_at else self.labels.closing
        for one in self.statement.buckets:
            assert self.balances[one.bucket] == one.closing, "all of one snapshot"
            yield (*self._held(label, min(self.now, ends_at), one.bucket, one.closing), None)

    def lines(self, rows: Sequence[EntryRow]) -> Iterator[Sequence[Cell]]:
        """A row for each entry."""
        for row in rows:
            bucket = Bucket(row.bucket)
            self.balances[bucket] += row.amount
            yield (
                self._local(row.posted_at),
                self._local(row.occurred_at),
                self.labels.kinds[row.kind],
                self.labels.buckets[bucket],
                self.unit.shown(row.amount),
                self.unit.shown(self.balances[bucket]),
                self.unit.measure,
                "; ".join(one.detail for one in explain(row.because, self.reader)),
            )

    def _held(self, label: str, moment: datetime, bucket: Bucket, amount: int) -> Sequence[Cell]:
        held = self.unit.shown(amount)
        return (
            self._local(moment),
            None,
            label,
            self.labels.buckets[bucket],
            None,
            held,
            self.unit.measure,
        )

    def _local(self, moment: datetime) -> str:
        there = moment.astimezone(zone(self.statement.span.time_zone))
        return there.isoformat(sep=" ", timespec="seconds")
