"""Killed in the middle of recording, and started again with the same: as if nothing had happened."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.recorder import BATCHES, SHOPS, make_batches
from tests.invariants import check_invariants
from tests.properties.making import add_partners, make_setting
from tests.world import World

pytestmark = pytest.mark.usefixtures("database")

ROOT = Path(__file__).parent.parent.parent
SECONDS = 60


async def make_shops() -> World:
    world = await make_setting()
    await add_partners(world, dict.fromkeys(SHOPS, "Asia/Jakarta"))
    return world


def start(url: str, world: World) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.recorder", url, str(world.program_id)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def read(process: "subprocess.Popen[str]", lines: int) -> list[str]:
    """The next lines that it writes; a batch follows upon the last one at once."""
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]


async def test_a_killed_recorder_that_is_started_again_loses_and_doubles_nothing(database_url: str) -> None:
    killed, undisturbed = await make_shops(), await make_shops()
    for batch in make_batches():
        await undisturbed.accept(*batch)

    done = 0
    for wanted in (2, 9):
        with start(database_url, killed) as process:
            statuses = read(process, wanted)
            process.send_signal(signal.SIGKILL)
            assert process.wait(SECONDS) == -signal.SIGKILL
        done = assert_went_on(statuses, done)
        await check_invariants(killed.program_id)

    with start(database_url, killed) as process:
        statuses = read(process, BATCHES)
        assert process.wait(SECONDS) == 0
    assert assert_went_on(statuses, done) == BATCHES
    assert await killed.everything() == await undisturbed.everything()
    await check_invariants(killed.program_id)


def assert_went_on(statuses: list[str], done: int) -> int:
    """It repeats what was recorded, perhaps one batch more than was said, and goes on from there; how far it came."""
    repeated = statuses.count("DUPLICATE")
    assert statuses == ["DUPLICATE"] * repeated + ["RECORDED"] * (len(statuses) - repeated)
    assert repeated in (min(done, len(statuses)), min(done + 1, len(statuses)))
    return max(done, len(statuses))
