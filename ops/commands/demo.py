"""`mitra demo`: a quarter, or a year, of real sell-out as the program "Harbour Foods"."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from base.settings import Settings

WEEKS = 13


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    app.command()(demo)


def demo(
    full: Annotated[
        bool, typer.Option("--full", help="Load the whole year; only into a program without activities.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Replay loaded baskets as sales of today, through the running API.")
    ] = False,
    pace: Annotated[float, typer.Option(help="Activities a second, with --live.", min=0.1, max=1_000)] = 5.0,
    url: Annotated[
        str | None, typer.Option(help="Where the API is, with --live.", show_default="this installation's")
    ] = None,
    weeks: Annotated[int, typer.Option(hidden=True, min=1, max=52)] = WEEKS,
) -> None:
    """Load the demo: the last 13 weeks of real sell-out, once. A load that was stopped is completed.

    Example: [bold]mitra demo[/bold], then [bold]mitra demo --live --pace 20[/bold] while [bold]mitra serve[/bold] runs
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    if live:
        from ops.demo.live import replay

        run(replay(settings, url=url, pace=pace), settings)
    else:
        run(_load(settings, None if full else weeks), settings)


async def _load(settings: "Settings", weeks: int | None) -> None:
    from base.clock import SystemClock
    from ops.demo.loading import load_demo
    from ops.installation import open_installation
    from ops.terminal import open_console

    async with open_installation(settings, process="demo", sets_up=True) as servers:
        await servers.guard(load_demo(open_console(), weeks=weeks, clock=SystemClock()))


async def ensure_demo(console: "Console") -> None:
    """Load the demo, once, with a progress bar on `console`; the pools are open."""
    from base.clock import SystemClock
    from ops.demo.loading import load_demo

    await load_demo(console, weeks=WEEKS, clock=SystemClock())
