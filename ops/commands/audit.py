"""`mitra audit`: whether every invariant holds."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from base.settings import Settings
    from ops.audit.check import Check
    from ops.audit.checks import Checked
    from partners.queries import ProgramRow


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
) -> None:
    """Prove the books: check every invariant. It only reads, and may run beside the service.

    Exit status 1 where one is broken; the table names the first offenders. --replay takes as long as the past is.

    Example: [bold]mitra audit --program harbour-foods --replay[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    if not run(_audit(settings, program, replay=replay), settings):
        raise typer.Exit(1)


async def _audit(settings: "Settings", key: str | None, *, replay: bool) -> bool:
    """Audit the programs; whether all is well."""
    from base.database import reading
    from ops.audit.checks import CHECKS, STANDING
    from ops.installation import open_installation
    from ops.terminal import open_console
    from partners.queries import find_program

    console = open_console()
    async with open_installation(settings) as servers:
        async with reading() as connection:
            keys = (
                [row["key"] for row in await connection.fetch("SELECT key FROM program ORDER BY key")]
                if key is None
                else [key]
            )
            programs = [await find_program(connection, one) for one in keys]
        broken = [
            await servers.guard(_report(console, program, CHECKS if replay else STANDING))
            for program in programs
        ]
    if not broken:
        console.print("There is no program to audit.")
    return not sum(broken)


async def _report(console: "Console", program: "ProgramRow", checks: "Sequence[Check]") -> int:
    """Print one program's table; how many invariants are broken."""
    from contextlib import nullcontext

    from rich.live import Live

    from ops.audit.checks import audit_program

    table = _open_table(program.key)
    seen: list[Checked] = []
    shown = Live(table, console=console, refresh_per_second=4) if console.is_terminal else nullcontext()
    with shown:
        async for checked in audit_program(program.id, checks):
            seen.append(checked)
            _add_row(table, checked)
    if not console.is_terminal:
        console.print(table)  # live, it would not end its last line
    broken = sum(checked.finding.violations > 0 for checked in seen)
    seconds = sum(checked.seconds for checked in seen)
    told = f"{broken} of {len(seen)} invariants are broken" if broken else f"All {len(seen)} invariants hold"
    console.print(f"{told} ({seconds:.1f} s).", style="bold red" if broken else "bold green")
    return broken


def _open_table(key: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=f"Audit of {key}", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("invariant", ratio=1)
    for title in ("rows", "violations", "seconds"):
        table.add_column(title, justify="right")
    return table


def _add_row(table: "Table", checked: "Checked") -> None:
    from rich.text import Text

    finding = checked.finding
    told = Text(checked.check.sentence)
    if finding.note:
        told.append(f"\n{finding.note}", style="yellow")
    for offender in finding.offending:
        told.append(f"\n  {offender}", style="red")
    if finding.violations > len(finding.offending):
        told.append("\n  …", style="red")
    table.add_row(
        told,
        f"{finding.looked:,}",
        f"{finding.violations:,}",
        f"{checked.seconds:.2f}",
        style="red" if finding.violations else None,
    )
