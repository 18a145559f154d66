"""A program's liability as a file for people: a row for each month, in the reader's language, and of when it is.

GET /liability.csv?unit=POINT
"""

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth import Authenticator
from api.context import Context
from api.files import FileDoor, send_csv, written_file
from api.sheets import Cell, write_sheet
from base.clock import Clock
from base.database import reading
from base.settings import Settings
from loyalty.ledger.books import POINT
from loyalty.ledger.liability import Due, Liability, load_liability
from loyalty.ledger.units import Unit
from loyalty.words.papers import LABELS, Labels
from metrics.windows import zone

PATH: Final = "/liability.csv"


def liability_url(unit: str) -> str:
    """Where the liability in a unit can be had as a file, under the API's own address."""
    return f"{PATH}?{urlencode({'unit': unit})}"


def liability_routes(
    settings: Settings, *, clock: Clock | None = None, authenticator: Authenticator | None = None
) -> list[Route]:
    """The route of liabilities."""
    door = FileDoor(settings, clock=clock, authenticator=authenticator)
    return [Route(PATH, door.opened(_answer, of=("Liability", "csvUrl")), methods=["GET"])]


async def _answer(request: Request, context: Context) -> Response:
    unit = context.catalog.unit(request.query_params.get("unit", POINT))
    time_zone = context.caller.program.time_zone
    async with reading() as connection:
        found = await load_liability(
            connection,
            program_id=context.program_id,
            unit=unit.code,
            time_zone=time_zone,
        )
    now = context.now().astimezone(zone(time_zone))
    labels = LABELS[context.language]
    as_of = f"{labels.as_of} {now.isoformat(sep=' ', timespec='seconds')}, {time_zone}"
    rows = [*_rows(found, unit, labels), (as_of, None, None, None, None, None)]
    async with written_file() as file:
        await run_in_threadpool(write_sheet, file, rows)
    return send_csv(file, f"liability-{now.date()}.csv", language=context.language)


def _rows(found: Liability, unit: Unit, labels: Labels) -> Iterator[Sequence[Cell]]:
    def row(name: str, due: Due) -> Sequence[Cell]:
        amounts = (due.available, due.pending, due.held, due.total)
        return (name, *map(unit.shown, amounts), unit.measure)

    yield labels.liability_columns
    for one in found.months:
        yield row(labels.never if one.month is None else f"{one.month:%Y-%m}", one)
    yield row(labels.total, found.due)
    yield labels.buckets["DEBT"], None, None, None, unit.shown(found.debt), unit.measure
