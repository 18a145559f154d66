"""A frame on a terminal: two columns where there is room for them, one below the other where not."""

from collections.abc import Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.top.frame import Frame, Queue, Timing

WIDE = 110
SLOW_SECONDS = 10.0
"""From where on a queue's age is worth a look."""
LATE_SECONDS = 60.0
"""And from where on it is worth getting up."""


def draw(frame: Frame | None, *, now: datetime, width: int, problem: str = "") -> RenderableType:
    """The screen. Without a frame it says why there is none."""
    head = Text.assemble(("mitra top", "bold"), f"  {now:%H:%M:%S}", overflow="fold")
    if problem:
        head.append(f"  {problem}", "yellow")
    if frame is None:
        return head
    head.append(f"  the last {frame.seconds:.0f} s")
    if frame.is_database_up is False:
        head.append("  the database does not answer", "bold red")
    imports = [_imports(frame, width)] if frame.imports or frame.imports_running else []
    if width < WIDE:
        upper = _side_by_side([_stages(frame.stages)], [_queues(frame)])
        return Group(head, _ingest(frame, width), upper, _requests(frame), *imports, _processes(frame))
    upper = _side_by_side([_stages(frame.stages), _processes(frame)], [_queues(frame), _requests(frame)])
    return Group(head, _ingest(frame, width), upper, *imports)


def _side_by_side(left: Sequence[RenderableType], right: Sequence[RenderableType]) -> Table:
    both = Table.grid(padding=(0, 1), expand=True)
    both.add_column(ratio=1)
    both.add_column(ratio=1)
    both.add_row(Group(*left), Group(*right))
    return both


def _table(title: str, *columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, expand=True)
    table.add_column(title, ratio=1, no_wrap=True, overflow="ellipsis", header_style="bold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True, header_style="dim")
    return table


def _under(table: Table) -> RenderableType:
    return Padding(table, (0, 0, 1, 0))


def _ingest(frame: Frame, width: int) -> RenderableType:
    """Figures side by side, in as many lines as they take."""
    lines = [Text()]
    for name, value, is_bad in (
        ("activities", frame.activities["recorded"], False),
        ("lines", frame.lines, False),
        ("duplicates", frame.activities["duplicate"], False),
        ("rejected", frame.activities["rejected"], True),
        ("begun anew", frame.retries, False),
    ):
        figure = rate(value, bad=is_bad).append(f" {name}/s", "default")
        if lines[-1] and lines[-1].cell_len + 3 + figure.cell_len > width:
            lines.append(Text())
        lines[-1].append("   " if lines[-1] else "").append_text(figure)
    return Padding(Group(*lines), (0, 0, 1, 0))


def _stages(stages: Sequence[Timing]) -> RenderableType:
    table = _table("batch", "/s", "p50", "p99")
    for one in stages:
        style = "bold" if one.name == "total" else ""
        table.add_row(one.name, rate(one.rate), duration(one.p50), duration(one.p99), style=style)
    return _under(table)


def _requests(frame: Frame) -> RenderableType:
    table = _table("requests", "/s", "p50", "p99", "errors/s")
    for one in (*frame.operations, frame.requests):
        all_of_them = one is frame.requests
        table.add_row(
            "all" if all_of_them else one.name,
            rate(one.rate),
            duration(one.p50),
            duration(one.p99),
            rate(one.errors, bad=True),
            style="bold" if all_of_them else "",
        )
    for code, errors in frame.codes[:4]:
        table.add_row(f"  {code}", "", "", "", rate(errors, bad=True))
    table.add_row("sockets", number(frame.sockets), "", "", "")
    table.add_row("subscriptions", number(frame.subscriptions), "", "", "")
    return _under(table)


def _queues(frame: Frame) -> RenderableType:
    table = _table("queues", "/s", "waiting", "oldest")
    for one in frame.consumers:
        _add_queue(table, f"to {one.name}", one)
        if one.set_aside:
            table.add_row(Text(f"  {one.set_aside:,.0f} parked", "bold red"), "", "", "")
    table.add_row("outbox", "", number(frame.outbox), "")
    table.add_row("boards behind", "", "", age(frame.staleness))
    _add_queue(table, "deliveries", frame.deliveries)
    for one in frame.jobs:
        table.add_row(f"job {one.name}", "", number(one.waiting), age(one.seconds))
        if one.set_aside:
            table.add_row(f"  {one.set_aside:,.0f} running", "", "", "")
    return _under(table)


def _add_queue(table: Table, name: str, one: Queue) -> None:
    table.add_row(name, rate(one.rate), number(one.waiting), age(one.seconds))


def _imports(frame: Frame, width: int) -> RenderableType:
    """What tells two imports apart comes first, a long name last; and below the figures where these need room."""
    table = _table("imports", "of file", "rows", "/s", "refused", "unmoved")
    for one in frame.imports:
        state = "" if one.state == "RUNNING" else f", {one.state.lower()}"
        name, where = f"{one.id} {one.kind.lower()}{state}", f"{one.program}: {one.file}"
        is_wide = width >= WIDE
        table.add_row(
            Text(f"{name}, {where}" if is_wide else name),
            f"{one.share:.0%}",
            number(one.read),
            rate(one.rate),
            number(one.refused),
            age(one.unmoved_seconds),
        )
        if not is_wide:
            table.add_row(Text(f"  {where}", "dim"))
    if not frame.imports:
        table.add_row(f"{frame.imports_running:,.0f} running", "", "", "", "", "")
    return _under(table)


def _processes(frame: Frame) -> RenderableType:
    table = _table("processes", "CPU", "memory", "database")
    for one in frame.processes:
        name = Text(one.name)
        if one.is_leader:
            name.append(" schedule", "green")
        used = f"{one.connections:.0f}/{one.connections_most:.0f}" if one.connections_most else ""
        table.add_row(name, f"{one.cpu:.0%}", f"{one.memory / 2**20:,.0f} MiB", used)
    return _under(table)


def number(value: float | None) -> str:
    """A count."""
    return "–" if value is None else f"{value:,.0f}"


def rate(value: float, *, bad: bool = False) -> Text:
    """How often in a second; red where it should be 0 and is not."""
    text = f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.1f}" if value >= 0.05 else "<0.1"
    return Text(text, "red" if bad and value > 0 else "")


def duration(seconds: float | None) -> str:
    """A time that is measured in milliseconds."""
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def age(seconds: float | None) -> Text:
    """A time that is measured in seconds, and the longer the worse."""
    if seconds is None:
        return Text("–")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    text = f"{seconds:.1f} s" if seconds < 60 else f"{minutes} min {rest:02} s"
    if hours:
        text = f"{hours:,} h {minutes_left:02} min"
    style = "bold red" if seconds >= LATE_SECONDS else "yellow" if seconds >= SLOW_SECONDS else ""
    return Text(text, style)
