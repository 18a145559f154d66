"""`mitra token`: local tokens."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from base.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the family's commands."""


async def role_tokens(settings: "Settings") -> list[tuple[str, str]]:
    """A token for each role of the demo program: (role, token); the pools are open."""
    return []
