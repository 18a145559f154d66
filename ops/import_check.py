"""The face of `mitra import check`: what was seen of a file, and the mapping that it suggests; or a mapping tried."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from base.clock import SystemClock
from imports.rows import Refused
from imports.sniffing.checking import Findings, check_file
from imports.sniffing.columns import Column
from imports.sniffing.proposal import examples, try_proposal, write_proposal
from imports.store import ImportKind
from imports.trial import Trial, sum_up, try_mapping
from imports.wording import count_of, count_rows
from ops.errors import OperatorError
from ops.import_hints import draw_warning
from ops.importing import naming, read_mapping
from ops.terminal import open_console


def check_import(path: Path, *, write: Path | None) -> None:
    """Look at a file; the table goes to stderr, the mapping to stdout or into a file that is not there yet."""
    if not path.is_file():
        raise OperatorError(f"There is no file {path}")
    if write is not None and write.exists():
        raise OperatorError(f"{write} is there already: name another file, or remove it first")
    console = open_console(stderr=True)
    with Progress(
        TextColumn("Reading {task.fields[name]}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=path.stat().st_size, name=path.name)
        findings = check_file(path, tell=lambda count: progress.update(task, completed=count))
    proposal = write_proposal(findings, path)
    _print_findings(console, findings)
    _print_trial(console, findings, proposal)
    if write is None:
        print(proposal, end="", flush=True)  # noqa: T201 the mapping is what this command answers
        return
    with write.open("x", encoding="utf-8") as file:
        file.write(proposal)
    console.print(
        f"The mapping stands in {write}. Look at what it marks with a ? before you import.", markup=False
    )


def try_import(path: Path, mapping: Path | None, *, kind: ImportKind, shown: int) -> Trial:
    """Try a mapping on a file, and tell on stdout what its rows would become."""
    if not path.is_file():
        raise OperatorError(f"There is no file {path}")
    with naming(mapping):
        found = try_mapping(path, read_mapping(mapping), kind, shown=shown, now=SystemClock().now())
    console = open_console()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for line, told in found.shown:
        if isinstance(told, Refused):
            table.add_row(
                f"line {line:,}", Text(f"refused: {told.code}, {_where(told)}{told.message}"), style="yellow"
            )
        else:
            table.add_row(f"line {line:,}", Text(told))
    console.print(table)
    console.print(f"\n{sum_up(found).capitalize()}.", markup=False, style="bold")
    for code, count in found.reasons.most_common():
        first = found.first[code]
        console.print(
            f"  {code}, {count_rows(count)}; the first in line {first.raw.line:,}: {_where(first)}{first.message}",
            markup=False,
            style="yellow",
        )
    if found.broken:
        console.print(f"The file cannot be read on: {found.broken}", markup=False, style="bold red")
    if warning := draw_warning(found.rows, found.reasons, kind=kind, is_mapped=mapping is not None):
        console.print(warning)
    console.print(
        "Nothing was written, and no server asked: what the program has or lacks is seen on import."
    )
    return found


def _where(refused: Refused) -> str:
    return f"{refused.column}: " if refused.column else ""


def _print_findings(console: Console, findings: Findings) -> None:
    fields = {column.place: name for name, column in findings.fields.items()}
    table = Table(box=None, pad_edge=False)
    for name in ("column", "is", "filled", "differ", "examples", "dirt"):
        table.add_column(name, justify="right" if name in ("filled", "differ") else "left", overflow="fold")
    for column in findings.columns:
        filled = 100 * column.filled / column.rows if column.rows else 0
        table.add_row(
            column.name or str(column.place),
            fields.get(column.place, ""),
            f"{filled:.1f} %",
            f"{len(column.values):,}{'+' if column.is_more else ''}",
            " · ".join(examples(column)),
            ", ".join(_dirt(column, fields.get(column.place))),
        )
    console.print(table, markup=False)
    end = "" if findings.is_whole else ", not all of the file"
    console.print(f"\n{count_rows(findings.rows)}{end}", markup=False)
    for code, count in findings.faults.most_common():
        console.print(f"{count_rows(count)} cannot be read: {code}", markup=False)
    for doubt in findings.doubts:
        console.print(f"? {doubt}", markup=False)
    if findings.restarts is not None:
        console.print(f"? {findings.restarts.why}", markup=False)


def _dirt(column: Column, field: str | None) -> list[str]:
    found = []
    if column.has_float_ids and field not in ("price", "amount", "quantity"):
        found.append("ids that read like floats")
    if column.spaced:
        found.append(f"white space around {column.spaced:,}")
    if field in ("partner", "sku") and column.differs_by_case:
        found.append(f"{count_of(column.differs_by_case, 'differs', 'differ')} by case only")
    if column.foul:
        found.append(f"unprintable characters in {column.foul:,}")
    if field in ("quantity", "price", "amount"):
        below = sum(n for text, n in column.values.items() if text[0] in "-(" or text[-1] == "-")
        zero = sum(n for text, n in column.values.items() if not text.strip("0.,"))
        found += [f"{below:,} below 0"] * bool(below) + [count_of(zero, "is 0", "are 0")] * bool(zero)
    return found


def _print_trial(console: Console, findings: Findings, proposal: str) -> None:
    if findings.missing:
        missing = ", ".join(findings.missing)
        console.print(
            f"The mapping is not complete: it was not found which column is {missing}.\n", markup=False
        )
        return
    found = try_proposal(findings, proposal)
    told = [f"{count_of(found.pop('SALE', 0), 'line')} of sales", f"{found.pop('RETURN', 0):,} of returns"]
    told += [f"{count:,} refused as {code}" for code, count in found.most_common()]
    console.print(f"Tried on {len(findings.kept):,} of them: {', '.join(told)}.\n", markup=False)
