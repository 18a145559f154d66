"""`mitra outbox`: how far the consumers of the outbox have come, and what they could not handle."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from base.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    family = typer.Typer(
        help="The outbox: how far its consumers are, and what they could not handle.", no_args_is_help=True
    )
    family.command()(show)
    family.command()(retry)
    app.add_typer(family, name="outbox")


def show() -> None:
    """Show how far each consumer is behind, and the rows that are parked, with their errors.

    Example: [bold]mitra outbox show[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_show(settings), settings)


def retry() -> None:
    """Hand the parked rows to their consumers again. Exit status 1 where some stay parked.

    Example: [bold]mitra outbox retry[/bold], once the fault is mended
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    if run(_retry(settings), settings):
        raise typer.Exit(1)


async def _show(settings: "Settings") -> None:
    from rich.table import Table

    from base.outbox import depth
    from base.parked import list_parked
    from ops.installation import open_installation
    from ops.terminal import open_console

    async with open_installation(settings):
        consumers, parked = await depth(), await list_parked()
    console = open_console()
    table = Table("consumer")
    for title in ("rows to come", "seconds behind", "parked"):
        table.add_column(title, justify="right")
    for one in consumers:
        table.add_row(one.consumer, f"{one.rows:,}", f"{one.seconds:,.1f}", f"{one.parked:,}")
    console.print(table)
    for row in parked:
        where = f"{row['consumer']}, row {row['xid']}/{row['id']} of program {row['program_id']}"
        console.print(f"{where}, parked {row['parked_at']:%Y-%m-%d %H:%M:%S}Z: {row['error']}", markup=False)


async def _retry(settings: "Settings") -> int:
    """Retry all; how many stay parked."""
    from base.clock import SystemClock
    from base.parked import retry
    from ops.installation import open_installation
    from ops.terminal import open_console
    from ops.worker import consumers

    async with open_installation(settings) as servers:
        retried = await servers.guard(retry(consumers(settings, SystemClock())))
    open_console().print(f"{retried.handled:,} handled, {retried.failed:,} stay parked.")
    return retried.failed
