"""`mitra audit`: whether every invariant holds, told check by check as they are made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from base.settings import Settings
    from ops.audit.check import Check
    from ops.audit.checks import Checked
    from partners.queries import ProgramRow

Tell: TypeAlias = Callable[[str], None]
"""Told what is being done now."""
BENEATH: Final = " " * 4
"""What is told of a check stands beneath its row, so far to the right."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(audit)


def audit(
    program: Annotated[
        str | None, typer.Option(help="Only the program of this key.", show_default="all programs")
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Go through the past again, too (meters, wallets, tiers, missions, badges), and compare.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say in a sentence what each invariant is, also where it holds.")
    ] = False,
) -> None:
    """Prove the books: check every invariant. It only reads, and may run beside the service.

    Each check has a row as soon as it is made. A broken one says what should hold and names the first offenders,
    and the exit status is 1. --replay takes as long as the past is.

    Example: [bold]mitra audit --program harbour-foods --replay[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    if not run(_audit(settings, program, replay=replay, verbose=verbose), settings):
        raise typer.Exit(1)


async def _audit(settings: "Settings", key: str | None, *, replay: bool, verbose: bool) -> bool:
    """Audit the programs; whether all is well."""
    from base.database import reading
    from ops.audit.checks import CHECKS, STANDING
    from ops.installation import open_installation
    from ops.terminal import open_console
    from partners.queries import find_program

    console = open_console()
    checks = CHECKS if replay else STANDING
    async with open_installation(settings) as servers:
        async with reading() as connection:
            keys = (
                [row["key"] for row in await connection.fetch("SELECT key FROM program ORDER BY key")]
                if key is None
                else [key]
            )
            programs = [await find_program(connection, one) for one in keys]
        broken = [
            await servers.guard(_report(console, program, checks, verbose=verbose)) for program in programs
        ]
    if not broken:
        console.print("There is no program to audit.")
    return not sum(broken)


async def _report(
    console: "Console", program: "ProgramRow", checks: "Sequence[Check]", *, verbose: bool
) -> int:
    """Print a row of each check of a program when it is made; how many invariants are broken."""
    from ops.audit.checks import audit_program

    names = [check.name for check in checks]
    width = max(map(len, names))
    console.print(f"\nAudit of {program.key}\n", style="bold", markup=False)
    console.print(f"{'invariant':{width}} {'rows':>12} {'seconds':>8}", style="bold")
    seen: list[Checked] = []
    with _show_current(console) as tell:
        tell(f"check 1 of {len(names)}: {names[0]} …")
        async for checked in audit_program(program.id, checks):
            seen.append(checked)
            _print_row(console, checked, width=width, verbose=verbose)
            if len(seen) < len(names):
                tell(f"check {len(seen) + 1} of {len(names)}: {names[len(seen)]} …")
    broken = sum(checked.finding.violations > 0 for checked in seen)
    seconds = sum(checked.seconds for checked in seen)
    told = f"{broken} of {len(seen)} invariants are broken" if broken else f"All {len(seen)} invariants hold"
    console.print(f"\n{told} ({seconds:.1f} s).", style="bold red" if broken else "bold green")
    return broken


@contextmanager
def _show_current(console: "Console") -> Iterator[Tell]:
    """One line at the end of a terminal that says what is being done, and for how long; elsewhere nothing."""
    if not console.is_terminal:
        yield lambda _: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("")

        def tell(doing: str) -> None:
            bars.reset(task, description=doing)

        yield tell


def _print_row(console: "Console", checked: "Checked", *, width: int, verbose: bool) -> None:
    """A check's row; beneath it, where there is something to say, its sentence, its note and its first offenders."""
    check, finding = checked.check, checked.finding
    row = f"{check.name:{width}} {finding.looked:>12,} {checked.seconds:>8.2f}"
    if finding.violations:
        console.print(f"{row}  broken: {finding.violations:,}", style="bold red", markup=False)
    else:
        console.print(f"{row}  [green]ok[/green]")
    if finding.violations or verbose:
        _print_beneath(console, check.sentence)
    if finding.note:
        _print_beneath(console, finding.note, style="yellow")
    for offender in finding.offending:
        _print_beneath(console, f"- {offender}", style="red")
    if finding.violations > len(finding.offending):
        _print_beneath(console, "- …", style="red")


def _print_beneath(console: "Console", told: str, *, style: str = "dim") -> None:
    """Print it indented on lines of the console's width, words and identifiers whole."""
    from textwrap import fill

    lines = fill(
        told,
        width=console.width,
        initial_indent=BENEATH,
        subsequent_indent=BENEATH + "  " * told.startswith("- "),
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(lines, style=style, markup=False, soft_wrap=True)
