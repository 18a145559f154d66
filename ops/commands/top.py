"""`mitra top`: what all processes do, live."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from base.settings import Settings

SECONDS = 1.0
WINDOW = 10
"""Seconds that rates and times are taken over."""

PIPE = 160
"""How wide a frame is where there is no terminal."""

ATTEMPTS = 3
"""How often `--once` looks for a second time."""


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    app.command()(top)


def top(
    once: Annotated[bool, typer.Option("--once", help="Print one frame, of one second, and end.")] = False,
    url: Annotated[
        list[str] | None,
        typer.Option(
            help="A metrics page to read; may be repeated.", show_default="those of this installation"
        ),
    ] = None,
) -> None:
    """Show what all processes do: ingest, requests, queues, imports. Ctrl-C ends it.

    Example: [bold]mitra top[/bold] while [bold]make run[/bold] runs
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_top(settings, urls=_checked(url or []), once=once), settings)


def _checked(urls: list[str]) -> list[str]:
    """Each with its scheme and path, where they are left out."""
    from urllib.parse import urlsplit

    from ops.errors import OperatorError

    whole = []
    for given in urls:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise OperatorError(f"{given} is no address of a metrics page (http://host:port/metrics)")
        whole.append(parts._replace(path=parts.path.rstrip("/") or "/metrics").geturl())
    return whole


async def _top(settings: "Settings", *, urls: list[str], once: bool) -> None:
    from ops.embedded import embedded_servers
    from ops.installation import require_installation
    from ops.top.source import Source

    if urls:
        await _watch(Source(urls=urls), once=once)
        return
    require_installation(settings)
    async with embedded_servers(settings) as servers:
        await servers.guard(_watch(Source(database_url=servers.database_url), once=once))


async def _watch(source: "Source", *, once: bool) -> None:  # type: ignore[name-defined]  # noqa: F821
    import asyncio
    from collections import deque
    from datetime import datetime
    from time import monotonic

    from rich.console import RenderableType
    from rich.live import Live

    from ops.terminal import open_console
    from ops.top.frame import make_frame
    from ops.top.screen import draw
    from ops.top.snapshot import Passage, Snapshot

    console = open_console()
    if not console.is_terminal:
        console.width = PIPE  # a frame fills its width
    seen: deque[Snapshot] = deque(maxlen=WINDOW + 1)

    async def look() -> RenderableType:
        snapshot = await source.read()
        if snapshot.values:
            seen.append(snapshot)
        frame = make_frame(Passage.between(seen[0], seen[-1]), source.imports) if len(seen) > 1 else None
        waiting = "" if seen else "nothing to read yet"
        return draw(
            frame,
            now=datetime.now().astimezone(),
            width=console.width,
            problem=source.problem or waiting,
        )

    try:
        shown = await look()
        if once:
            for _ in range(ATTEMPTS):
                await asyncio.sleep(SECONDS)
                shown = await look()
                if len(seen) > 1:
                    break
            console.print(shown)
            return
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                began = monotonic()
                live.update(await look(), refresh=True)
                await asyncio.sleep(max(0.05, SECONDS - (monotonic() - began)))
    finally:
        await source.close()
