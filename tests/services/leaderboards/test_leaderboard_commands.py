"""`mitra boards`, as its users run it, and the picture of a board."""

import asyncio
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
from tests.services.programs import rows


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


async def test_boards_are_rebuilt_from_the_command_line(
    boards: base.redis.Client, mitra: Mitra, database_url: str, redis_url: str
) -> None:
    scene = await make_scene("a", "b")
    view = await scene.add_board()
    await scene.count(view, {"a": 5, "b": 3})
    (program,) = await rows("SELECT key FROM program WHERE id = $1", scene.program_id)

    async def run(*arguments: str) -> tuple[int, str]:
        servers = {"MITRA_DATABASE_URL": database_url, "MITRA_REDIS_URL": redis_url}
        done = await asyncio.to_thread(mitra.run, "boards", *arguments, **servers)
        return done.returncode, done.stdout + done.stderr

    status, output = await run("rebuild", "--program", program["key"])
    assert status == 0, output
    assert "Rebuilt 2 standings" in output
    assert (await scene.view()).season.generation == 1

    status, output = await run("rebuild", "--program", "nothing")
    assert (status, "there is no program nothing" in output) == (1, True)
    status, output = await run("watch", "nothing", "--program", program["key"])
    assert (status, "there is no leaderboard 'nothing'" in output) == (1, True)
