"""A board as a terminal shows it: places, and how they moved since the last picture."""

from collections.abc import Mapping
from typing import Final

from rich.table import Table
from rich.text import Text

from leaderboards.live import BoardChange

ROWS: Final = 15


def draw_board(change: BoardChange, before: Mapping[str, int]) -> Table:
    """The top of a board; `before` holds the positions by partner code of the picture before it."""
    view = change.view
    caption = f"season {view.season.key}, {view.season.state.value.lower()}"
    if change.provisional:
        caption += ", provisional"
    table = Table(title=Text(view.board.name), caption=caption, min_width=60)
    table.add_column("", width=4)
    table.add_column("rank", justify="right")
    table.add_column("partner")
    table.add_column("region")
    table.add_column("score", justify="right")
    for standing in change.top:
        partner = standing.partner
        moved = movement(before.get(partner.code), standing.position) if before else Text("")
        name = Text(f"{partner.name} ({partner.code})")
        table.add_row(moved, str(standing.rank), name, Text(partner.region), f"{standing.score:,f}")
    return table


def movement(before: int | None, now: int) -> Text:
    """An arrow and by how many places; a star for who was not in the picture."""
    if before is None:
        return Text("★", style="yellow")
    if before == now:
        return Text("")
    return Text(f"▲{before - now}", style="green") if before > now else Text(f"▼{now - before}", style="red")
