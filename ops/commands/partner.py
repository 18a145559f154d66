"""`mitra partner`: one partner, as it stands."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from base.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    family = typer.Typer(help="Partners: how one stands.", no_args_is_help=True)
    family.command()(show)
    app.add_typer(family, name="partner")


def show(
    code: Annotated[str, typer.Argument(help="The partner's code.")],
    program: Annotated[
        str | None, typer.Option(help="The program's key; may be left out where there is one program.")
    ] = None,
    entries: Annotated[int, typer.Option(help="How many of the last entries.", min=0, max=100)] = 5,
) -> None:
    """Show a partner's balance, tier, missions, badges, and its last entries with their reasons.

    Example: [bold]mitra partner show S00367[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_show(settings, code, program, entries), settings)


async def _show(settings: "Settings", code: str, program: str | None, entries: int) -> None:
    from base.clock import SystemClock
    from base.database import reading
    from ops.installation import open_installation
    from ops.partner_card import draw_card, load_card
    from ops.terminal import open_console
    from partners.queries import find_program

    async with open_installation(settings):
        async with reading() as connection:
            found = await find_program(connection, program)
        now = SystemClock().now()
        card = await load_card(found, code, entries=entries, now=now)
    open_console().print(draw_card(card, now=now))
