"""Loading the demo: the configuration first, then the baskets in the order in which they were bought.

Everything is idempotent, and how far it came is remembered after each batch: whatever stops it, a second start
completes it, and what the stopped batch had recorded already answers as a duplicate. The activities go through the
very pipeline that the API uses, each booked at the time at which it occurred.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from activity.rules import EARLIEST, MAX_ACTIVITIES
from base.clock import Clock
from game.outcome import REJECTED
from game.pipeline import record
from leaderboards.seasons import advance_program
from ops.demo.catalog import describe_program
from ops.demo.configuring import configure_demo, opening_of
from ops.demo.progress import Progress, begin, choose, find_demo, save_progress
from ops.demo.source import Reading, activities, read_baskets, whole_weeks_until
from ops.demo.summary import print_loaded, print_summary
from partners.history import begin_history, end_history
from partners.service import create_program


async def load_demo(console: Console, *, weeks: int | None, clock: Clock) -> None:
    """Load the last `weeks` weeks, or the year; goes on where it was stopped, and does nothing where it is done.

    Raises `DataMissing` and `NotEmpty`.
    """
    found = await find_demo()
    known = choose(found, weeks=weeks)
    if found is not None and known is not None and known.is_loaded:
        await print_loaded(console, found.program_id)
        return
    started = time.monotonic()
    with _bars(console) as bars:
        task = bars.add_task("Reading the sell-out", total=None)
        data = await asyncio.to_thread(read_baskets, weeks if known is None else known.weeks)
        if known is None:
            known = Progress(whole_weeks_until(data.last, clock.now()), weeks)
        program = await create_program(program=describe_program(), now=opening_of(data) + known.shift)
        progress = await begin(program.id, known)
        await begin_history(program.id)
        if not progress.is_configured:
            bars.update(task, description="Setting up Harbour Foods")
            await configure_demo(program.id, data, progress.shift)
            progress = replace(progress, is_configured=True)
            await save_progress(program.id, progress)
        first = progress.sent
        bars.update(task, description="Loading baskets", total=data.baskets, completed=first)
        progress = await send(program.id, data, progress, clock, partial(_show, bars, task))
        await end_history(program.id)
        bars.update(task, description="Closing the seasons that are over")
        await advance_program(program.id, clock.now())
        progress = replace(progress, loaded_at=clock.now().isoformat())
        await save_progress(program.id, progress)
    seconds = time.monotonic() - started
    await print_summary(console, program.id, data, progress, sent=progress.sent - first, seconds=seconds)


def _show(bars: Bars, task: TaskID, sent: int) -> None:
    bars.update(task, completed=sent)


def _bars(console: Console) -> Bars:
    return Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


async def send(
    program_id: int, data: Reading, progress: Progress, clock: Clock, tell: Callable[[int], None]
) -> Progress:
    """Record what has not been sent, batch by batch, and remember each."""
    left = activities(data, shift=progress.shift, skip=progress.sent)
    while batch := list(islice(left, MAX_ACTIVITIES)):
        outcomes = await record(program_id=program_id, activities=batch, clock=clock, history=EARLIEST)
        refused = Counter(progress.refused)
        for given, outcome in zip(batch, outcomes, strict=True):
            if outcome.status == REJECTED:
                refused[outcome.code] += len(given.lines)
        progress = replace(progress, sent=progress.sent + len(batch), refused=dict(refused))
        await save_progress(program_id, progress)
        tell(progress.sent)
    return progress
