"""`mitra boards`, as its users run it, and the picture of a board."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

import base.redis
from leaderboards.live import BoardChange, changes
from leaderboards.rebuild import heal
from ops.board_table import draw_board, movement
from tests.command import Mitra
from tests.services.leaderboards.scenes import make_scene, relay


def picture(change: BoardChange, before: dict[str, int]) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(draw_board(change, before))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


async def test_a_picture_shows_places_and_how_they_moved(boards: base.redis.Client) -> None:
    scene = await make_scene("a", "b", "c")
    view = await scene.add_board()
    await heal()
    await scene.count(view, {"a": 5000, "b": 3, "c": 3})
    await relay(scene)
    stream = changes(program_id=scene.program_id, key="board")
    change = await anext(stream)
    await stream.aclose()
    first = picture(change, {})
    assert "5,000" in first
    assert "season 2026-11, live" in first
    assert "▲" not in first
    moved = picture(replace(change, provisional=True), {"b": 1, "a": 2})
    assert "provisional" in moved
    lines = {code: next(line for line in moved.splitlines() if f"({code})" in line) for code in "abc"}
    assert "▲1" in lines["a"]
    assert "▼1" in lines["b"]
    assert "★" in lines["c"]


@pytest.mark.parametrize(("before", "now", "shown"), [(None, 3, "★"), (3, 3, ""), (5, 2, "▲3"), (2, 5, "▼3")])
def test_movement_is_an_arrow_and_a_number(before: int | None, now: int, shown: str) -> None:
    assert movement(before, now).plain == shown


def test_boards_are_rebuilt_from_the_command_line(mitra: Mitra) -> None:
    assert mitra.run("program", "create", "harbour", "--name", "Harbour Foods").returncode == 0
    done = mitra.run("boards", "rebuild", "--program", "harbour")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Rebuilt 0 seasons, 0 standings" in done.stdout
    unknown = mitra.run("boards", "rebuild", "--program", "nothing")
    assert unknown.returncode == 1
    assert "there is no program nothing" in unknown.stderr
    board = mitra.run("boards", "watch", "nothing")
    assert board.returncode == 1
    assert "there is no leaderboard 'nothing'" in board.stderr
