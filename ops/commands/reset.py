"""`mitra reset`: forget the local data."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(reset)


def reset(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Stop the embedded servers and remove their data. Configured servers are never touched.

    Example: [bold]mitra reset --yes[/bold]
    """
    from base.settings import Settings
    from ops.embedded.holding import remove_local_data

    settings = Settings()
    if not yes:
        typer.confirm(f"Remove all local data in {settings.data_dir}?", abort=True)
    remove_local_data(settings.data_dir)
