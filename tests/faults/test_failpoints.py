"""Every failpoint there is, and every way in which it can fail: nothing is lost, and nothing counts twice.

The walk takes its points from the registry. One that is added is walked from that day on; where the rounds of
`tests/faults/rounds.py` do not pass it, the walk says so.
"""

import ast
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from pydantic import ValidationError

import base.feed
import base.redis
from base import failpoints
from base.database import RETRIED
from base.failpoints import POINTS, UnknownFailpoint, parse
from base.outbox import depth
from base.settings import Settings
from ops.errors import describe
from tests.faults.rounds import Player, make_town, open_outbox, outcome

pytestmark = pytest.mark.usefixtures("database")

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = (
    "activity",
    "partners",
    "metrics",
    "loyalty",
    "game",
    "leaderboards",
    "push",
    "imports",
    "api",
    "base",
)
ROUNDS: Final = 2
ACTIONS: Final = ("deadlock", "serialization", "disk_full", "disconnect")


@pytest.fixture(scope="module")
async def relayed(database: None, _redis_connected: base.redis.Client, redis_url: str) -> AsyncIterator[None]:
    """Redis and the live feed, connected and empty, and the outbox open."""
    await _redis_connected.execute_command("FLUSHDB")
    await base.feed.connect(redis_url)
    await open_outbox()
    yield
    await base.feed.close()


class Undisturbed:
    """What so many rounds leave where nothing fails."""

    def __init__(self) -> None:
        self._known: dict[int, dict[str, Any]] = {}

    async def after(self, rounds: int) -> dict[str, Any]:
        """What they leave; played when it is first asked for."""
        if rounds not in self._known:
            player = Player((await make_town()).program_id)
            for number in range(rounds):
                await player.play(number)
            await player.finish()
            assert not player.met
            self._known[rounds] = await outcome(player.world)
        return self._known[rounds]


@pytest.fixture(scope="module")
def undisturbed(relayed: None) -> Undisturbed:
    """Worlds in which nothing fails."""
    return Undisturbed()


class Walker:
    """The process of `tests.faults.walker`."""

    def __init__(self, *urls: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.walker", *urls],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def play(self, program_id: int, *, first: int, faults: str = "") -> tuple[int, int]:
        """Play from a round on in a process of its own; how many are done then, and how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{program_id} {first} {ROUNDS} {faults}\n")
        self._process.stdin.flush()
        done = first
        for line in self._process.stdout:
            what, number = line.split()
            if what == "ended":
                return done, int(number)
            done = int(number) + 1
        raise AssertionError("the walker is gone")

    def stop(self) -> None:
        """End it."""
        self._process.communicate()


@pytest.fixture(scope="module")
def walker(relayed: None, database_url: str, redis_url: str) -> Iterator[Walker]:
    """The process that plays; it imports once for all tests."""
    running = Walker(database_url, redis_url)
    yield running
    running.stop()


@pytest.mark.parametrize("point", POINTS)
async def test_killed_there_and_started_again(point: str, walker: Walker, undisturbed: Undisturbed) -> None:
    world = await make_town()
    done, status = walker.play(world.program_id, first=0, faults=f"{point}=kill@2")
    assert status == -signal.SIGKILL, "the rounds do not pass it: tests/faults/rounds.py"
    assert walker.play(world.program_id, first=done) == (ROUNDS, 0)
    assert await outcome(world) == await undisturbed.after(ROUNDS)
    assert {one.rows for one in await depth()} == {0}


@pytest.mark.parametrize("point", POINTS)
async def test_failing_there_and_tried_again(point: str, relayed: None, undisturbed: Undisturbed) -> None:
    """Contention in the pipeline never reaches who records; an outage is told as one, and what is repeated is taken."""
    player = Player((await make_town()).program_id)
    faults = ",".join(f"{point}={action}@{passing}*1" for passing, action in enumerate(ACTIONS, 1))
    played = 0
    with failpoints.armed(faults) as armed:
        while played < ROUNDS or armed[point][0].passings < len(ACTIONS):
            assert played < len(ACTIONS), "the rounds pass it too seldom: tests/faults/rounds.py"
            await player.play(played)
            played += 1
    met = {type(error) for error in player.met}
    assert met & {asyncpg.DiskFullError}
    if point.startswith("pipeline."):
        assert not met & set(RETRIED), player.met
    await player.finish()
    assert await outcome(player.world) == await undisturbed.after(played)


def reached() -> Iterator[str]:
    """Every name that the code passes."""
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(ast.Name("failpoints"), "reach"), args=[ast.Constant(str(name))]
                ):
                    yield name
                case ast.Call(func=ast.Attribute(ast.Name("failpoints"), "reach")):
                    raise AssertionError(f"{path}: a point is named in place")


def test_the_registry_has_every_point_and_no_other() -> None:
    assert sorted(reached()) == sorted(POINTS)


async def test_a_name_that_is_not_in_the_registry_is_an_error() -> None:
    failpoints.reach("no.such")  # nothing is looked up while nothing is armed
    with (
        failpoints.armed("pipeline.loaded=error"),
        pytest.raises(AssertionError, match="not in the registry"),
    ):
        failpoints.reach("no.such")


@pytest.mark.parametrize(
    "text", ["no.such=kill", "pipeline.loaded=melt", "pipeline.loaded", "pipeline.loaded=kill@0", "kill"]
)
def test_a_fault_that_cannot_be_had_is_refused(text: str) -> None:
    with pytest.raises(UnknownFailpoint):
        parse(text)


def test_faults_begin_and_end_where_they_say() -> None:
    with failpoints.armed("relay.read=error@3*2, pipeline.loaded=error*1"):
        failed = []
        for passing in range(1, 7):
            try:
                failpoints.reach("relay.read")
            except failpoints.FailpointError:
                failed.append(passing)
        assert failed == [3, 4]
        with pytest.raises(failpoints.FailpointError):
            failpoints.reach("pipeline.loaded")
        failpoints.reach("pipeline.loaded")
    failpoints.reach("pipeline.loaded")


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"MITRA_ENVIRONMENT": "production"}, "pipeline.loaded=kill"),
        ({}, "pipeline.loaded=melt"),
    ],
)
def test_settings_refuse_what_would_hurt_in_one_line(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], text: str
) -> None:
    for name, value in {**environment, "MITRA_FAILPOINTS": text}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    line = describe(caught.value)
    assert line is not None
    assert line.startswith("MITRA_FAILPOINTS: ")
    assert "\n" not in line
