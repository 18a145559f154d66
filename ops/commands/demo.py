"""`mitra demo`: the demo program."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the family's commands."""


async def ensure_demo(console: "Console") -> None:
    """Load the demo, once, with a progress bar on `console`; the pools are open."""
