"""`mitra boards`: rebuild the leaderboards' projections, and watch a board live."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from base.settings import Settings

Program = Annotated[
    str | None, typer.Option(help="The program's key; may be left out where there is one program.")
]


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    family = typer.Typer(help="Leaderboards: rebuild them in Redis, watch one live.", no_args_is_help=True)
    family.command()(rebuild)
    family.command()(watch)
    app.add_typer(family, name="boards")


def rebuild(
    program: Annotated[
        str | None, typer.Option(help="Only the boards of this program.", show_default="all programs")
    ] = None,
) -> None:
    """Build the boards of all open seasons anew in Redis, from PostgreSQL; readers keep the old ones meanwhile.

    Example: [bold]mitra boards rebuild[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_rebuild(settings, program), settings)


def watch(
    key: Annotated[str, typer.Argument(help="The board's key.")],
    program: Program = None,
    group: Annotated[
        str,
        typer.Option(help="Only this group: a region's code, a tier's key.", show_default="the whole board"),
    ] = "",
) -> None:
    """Show the top 15 of a board as it moves. Ctrl-C ends it.

    Example: [bold]mitra boards watch monthly-points[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_watch(settings, key, program, group), settings)


async def _rebuild(settings: "Settings", program: str | None) -> None:
    from rich.table import Table

    from base.database import reading
    from leaderboards.rebuild import rebuild_all
    from ops.installation import open_installation
    from ops.terminal import open_console
    from partners.queries import find_program

    async with open_installation(settings) as servers:
        program_id = None
        if program is not None:
            async with reading() as connection:
                program_id = (await find_program(connection, program)).id
        done = await servers.guard(rebuild_all(program_id))
    table = Table("board", "season")
    for title in ("standings", "seconds"):
        table.add_column(title, justify="right")
    for one in done:
        table.add_row(one.board, one.season, f"{one.standings:,}", f"{one.seconds:.2f}")
    console = open_console()
    if done:
        console.print(table)
    total = sum(one.standings for one in done)
    console.print(
        f"Rebuilt {total:,} standings of {len(done)} seasons in {sum(one.seconds for one in done):.2f} s."
    )


async def _watch(settings: "Settings", key: str, program: str | None, group: str) -> None:
    from ops.installation import open_installation

    async with open_installation(settings) as servers:
        await servers.guard(_show(key, program, group))


async def _show(key: str, program: str | None, group: str) -> None:
    from contextlib import aclosing

    from rich.live import Live

    from base.database import reading
    from base.errors import NotFound
    from leaderboards.live import changes
    from leaderboards.queries import find_leaderboard, list_groups
    from ops.board_table import ROWS, draw_board
    from ops.terminal import open_console
    from partners.queries import find_program

    async with reading() as connection:
        program_id = (await find_program(connection, program)).id
        view = await find_leaderboard(connection, program_id=program_id, key=key)
        if group and view is not None and group not in (known := await list_groups(connection, view.board)):
            named = ", ".join(sorted(known)) or "none"
            raise NotFound(f"the leaderboard has no group {group!r} (it has {named})")
    before: dict[str, int] = {}
    feed = changes(program_id=program_id, key=key, first=ROWS, group=group)
    async with aclosing(feed) as stream:
        with Live(console=open_console(), auto_refresh=False) as live:
            async for change in stream:
                live.update(draw_board(change, before), refresh=True)
                before = {standing.partner.code: standing.position for standing in change.top}
