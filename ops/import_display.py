"""How an import looks on a terminal: its progress, its account, and the list of them all."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from base.database import reading
from imports.importer import Tell
from imports.listing import ShownImport, Standing, find_examples
from imports.rows import Refused
from imports.store import Import, ImportState, Step
from imports.wording import count_of, count_rows
from ops.import_hints import draw_trial, draw_warning
from ops.terminal import NARROW

SHORT: Final = 20
"""Characters of a file's name beside a bar that has little room."""
EVERY_SECONDS: Final = 5.0
"""How often a line is written where no terminal can show a bar."""


class Tally:
    """What the steps of a run came to, with those of the runs before it."""

    def __init__(self, one: Import) -> None:
        self.bytes_read = one.bytes_read
        self.read = one.read
        self.recorded = one.recorded
        self.duplicates = one.duplicates
        self.refused = one.refused

    def add(self, step: Step) -> None:
        self.bytes_read = max(self.bytes_read, step.bytes_read)
        self.read += step.read
        self.recorded += step.recorded
        self.duplicates += step.duplicates
        self.refused += len(step.refused)

    @property
    def brief(self) -> str:
        """What fits a narrow terminal."""
        return f"{count_rows(self.read)}, {self.refused:,} refused"

    def __str__(self) -> str:
        duplicates = count_of(self.duplicates, "duplicate")
        return f"{count_rows(self.read)}: {self.recorded:,} recorded, {duplicates}, {self.refused:,} refused"


@contextmanager
def show_progress(console: Console, one: Import) -> Iterator[Tell]:
    """A bar by bytes; without a terminal a line now and then."""
    tally = Tally(one)
    if not console.is_terminal:
        yield _lines(console, one, tally)
        return
    is_wide = console.width >= NARROW
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=40 if is_wide else 10),
        *([DownloadColumn(table_column=Column(no_wrap=True))] if is_wide else []),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[tally]}", markup=False, table_column=Column(no_wrap=True)),
        console=console,
    )
    with bars:
        name = one.file_name if is_wide or len(one.file_name) <= SHORT else f"{one.file_name[: SHORT - 1]}…"
        task = bars.add_task(name, total=one.file_size, completed=tally.bytes_read, tally="")

        def tell(step: Step) -> None:
            tally.add(step)
            told = str(tally) if is_wide else tally.brief
            bars.update(task, completed=tally.bytes_read, tally=told)

        yield tell


def _lines(console: Console, one: Import, tally: Tally) -> Tell:
    said = time.monotonic()

    def tell(step: Step) -> None:
        nonlocal said
        tally.add(step)
        if time.monotonic() - said >= EVERY_SECONDS:
            said = time.monotonic()
            console.print(
                f"{one.file_name}: {percent(tally.bytes_read, one.file_size)}, {tally}", markup=False
            )

    return tell


def percent(part: int, whole: int) -> str:
    return f"{100 * part // whole if whole else 100} %"


async def print_account(
    console: Console, one: Import, *, refused_file: Path | None = None, rate: float | None = None
) -> None:
    """The closing table: every row that was read, and what became of it. `rate`: rows a second of the run that ends."""
    async with reading() as connection:
        examples = await find_examples(connection, program_id=one.program_id, import_id=one.id)
    console.print(draw_account(one, examples))
    if one.state is ImportState.DONE:
        per_second = "" if rate is None else f", {rate:,.0f} rows/s"
        console.print(f"Import {one.id} is done{per_second}.", markup=False)
    if refused_file is not None:
        is_one = one.refused == 1
        rows, them = ("row stands", "it") if is_one else ("rows stand", "them")
        told = f"The refused {rows} in {refused_file}: mend {them} there, and import that file."
        console.print(told, markup=False)
    is_mapped = bool(one.mapping.strip())
    warning = draw_warning(one.read, one.reasons, kind=one.kind, is_mapped=is_mapped)
    if one.state is ImportState.DONE and warning:
        console.print(warning)
        console.print(draw_trial(one.kind, is_mapped=is_mapped), markup=False)


def draw_account(one: Import, examples: Mapping[str, Refused]) -> Table:
    """Rows read = recorded + duplicates + refused, the refused by reason, each with the first row it struck."""
    table = Table(title=escape(one.file_name), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("", ratio=1)
    table.add_row("recorded", f"{one.recorded:,}")
    repeated = count_of(one.duplicates_in, "repeats", "repeat")
    inside = f"{repeated} a row of this file" if one.duplicates_in else ""
    table.add_row("duplicates", f"{one.duplicates:,}", inside)
    table.add_row("refused", f"{one.refused:,}")
    for code, count in sorted(one.reasons.items(), key=lambda reason: (-reason[1], reason[0])):
        first = examples.get(code)
        told = "" if first is None else _told(first)
        table.add_row(f"  {code}", f"{count:,}", Text(told), style="yellow")
    table.add_section()
    table.add_row("read", f"{one.read:,}", style="bold")
    return table


def _told(first: Refused) -> str:
    """What was wrong with the first row that a reason struck, in which column."""
    where = f", {first.column}" if first.column else ""
    return f"line {first.raw.line:,}{where}: {first.message}"


def rows_per_second(one: Import) -> float | None:
    """From its first start to its end, or to when it last moved: a pause in between counts."""
    until = one.finished_at or one.moved_at
    if one.started_at is None or until is None or not one.read:
        return None
    seconds = (until - one.started_at).total_seconds()
    return one.read / seconds if seconds > 0 else None


async def print_import(console: Console, shown: ShownImport, *, now: datetime) -> None:
    """All of one import."""
    one = shown.stored
    console.print(f"Import {one.id}, {one.kind.value} from {one.file_name}", style="bold", markup=False)
    told = {
        "state": f"{standing_of(shown, now)}{_meaning(shown.standing(now))}",
        "error": one.error,
        "read": f"{percent(one.bytes_read, one.file_size)} of {count_of(one.file_size, 'byte')}",
        "begun": f"{_instant(one.created_at)} by {one.created_by}",
        "moved": _instant(one.moved_at),
        "finished": _instant(one.finished_at),
        "rate": None
        if (rate := rows_per_second(one)) is None
        else f"{rate:,.0f} rows/s from its start on, pauses included",
    }
    for name, text in told.items():
        if text:
            console.print(f"{name:<9} {text}", markup=False)
    await print_account(console, one)


def standing_of(shown: ShownImport, now: datetime) -> str:
    """How it stands, and of what is not done how far it is."""
    standing, one = shown.standing(now), shown.stored
    if standing is Standing.DONE:
        return standing.value
    return f"{standing.value}, {percent(one.bytes_read, one.file_size)}"


def _meaning(standing: Standing) -> str:
    match standing:
        case Standing.STOPPED:
            return ": nobody works on it, and the same command goes on with it"
        case Standing.WAITING:
            return ": nobody works on it, and a worker goes on with it"
    return ""


def draw_list(imports: Sequence[ShownImport], *, now: datetime, width: int) -> Table:
    """A table of imports, one line each; where the width is small, without what `show` tells too."""
    is_wide = width >= NARROW
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("import", justify="right", no_wrap=True)
    table.add_column("file")
    if is_wide:
        table.add_column("kind", no_wrap=True)
    table.add_column("state", no_wrap=True)
    counted = ("read", "recorded", "duplicates", "refused") if is_wide else ("read", "recorded", "refused")
    for name in counted:
        table.add_column(name, justify="right", no_wrap=True)
    for shown in imports:
        one = shown.stored
        kind = [one.kind.value] if is_wide else []
        counts = [f"{getattr(one, name):,}" for name in counted]
        file = Text(one.file_name, no_wrap=True, overflow="ellipsis")
        table.add_row(str(one.id), file, *kind, standing_of(shown, now), *counts)
    return table


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S} UTC"
