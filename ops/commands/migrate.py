"""`mitra migrate`: bring the database up to date."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from base.settings import Settings


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only tell what is missing; exit status 1 where something is.")
    ] = False,
) -> None:
    """Apply the migrations that the database lacks. Safe to run anywhere and twice: one process at a time migrates.

    Example: [bold]MITRA_DATABASE_URL=postgresql://… mitra migrate[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_migrate(settings, check=check), settings)


async def _migrate(settings: "Settings", *, check: bool) -> None:
    from ops.embedded import embedded_servers
    from ops.migrate import migrate as apply
    from ops.migrate import pending
    from ops.terminal import open_console

    console = open_console()
    async with embedded_servers(settings) as servers:
        if check:
            missing = await pending(servers.database_url)
            console.print("\n".join(missing) if missing else "The database is up to date.")
            if missing:
                raise typer.Exit(1)
            return
        done = await servers.guard(
            apply(
                servers.database_url,
                role=settings.role,
                progress=lambda name: console.print(f"Applying {name} …"),
            )
        )
    console.print(f"Applied {len(done)} migrations." if done else "The database is up to date.")
