"""`mitra program`: the programs of an installation."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from base.settings import Settings
    from partners.inputs import ProgramInput


def register(app: typer.Typer) -> None:
    programs = typer.Typer(help="The programs of this installation.", no_args_is_help=True)
    programs.command()(create)
    programs.command("list")(list_all)
    app.add_typer(programs, name="program")


def create(
    key: Annotated[str, typer.Argument(help="The program's key: short, and never to change.")],
    name: Annotated[str, typer.Option(help="Its name, for people.")],
    currency: Annotated[str, typer.Option(help="ISO 4217 code of its amounts.")] = "USD",
    time_zone: Annotated[
        str, typer.Option(help="IANA zone of partners that have none of their own.")
    ] = "UTC",
    locale: Annotated[str, typer.Option(help="Language of partners that have none of their own.")] = "en",
) -> None:
    """Create a program. The same again changes nothing.

    Example: [bold]mitra program create harbour --name "Harbour Foods" --currency IDR --time-zone Asia/Jakarta[/bold]
    """
    from base.settings import Settings
    from ops.running import run
    from partners.inputs import ProgramInput

    settings = Settings()
    program = ProgramInput(key=key, name=name, currency=currency, time_zone=time_zone, locale=locale)
    run(_create(settings, program), settings)


async def _create(settings: "Settings", program: "ProgramInput") -> None:
    from base.clock import SystemClock
    from ops.installation import open_installation
    from ops.terminal import open_console
    from partners.service import create_program

    async with open_installation(settings, sets_up=True):
        made = await create_program(program=program, now=SystemClock().now())
    open_console().print(
        f"The program {made.key} ({made.name}) is there: {made.currency}, {made.time_zone}, {made.locale}.",
        markup=False,
    )


def list_all() -> None:
    """List the programs: key, name, currency, time zone, and how many partners each has.

    Example: [bold]mitra program list[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_list(settings), settings)


async def _list(settings: "Settings") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from base.database import reading
    from ops.installation import open_installation
    from ops.terminal import open_console
    from partners.queries import list_programs

    async with open_installation(settings), reading() as connection:
        found = await list_programs(connection)
    console = open_console()
    if not found:
        console.print("There is no program yet: `mitra program create` makes one.", markup=False)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("program", overflow="fold")
    table.add_column("name")
    for title in ("currency", "time zone"):
        table.add_column(title, no_wrap=True)
    table.add_column("partners", justify="right", no_wrap=True)
    for one in found:
        program = one.program
        name = Text(program.name, no_wrap=True, overflow="ellipsis")
        table.add_row(Text(program.key), name, program.currency, program.time_zone, f"{one.partners:,}")
    console.print(table)
