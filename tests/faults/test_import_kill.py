"""Killed in the middle of a file, and started again: every row is accounted for once, as if nothing had happened."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imports.store import ImportState
from tests.faults.recorder import SHOPS
from tests.faults.test_pipeline_kill import ROOT, SECONDS, make_shops, read
from tests.invariants import check_audit, check_invariants
from tests.services.imports.taking import account, begin, rows, take
from tests.world import World

pytestmark = pytest.mark.usefixtures("database")

DOCUMENTS = 3_000


def make_file() -> str:
    """Sales, returns of some, exact repeats and faults; the same every time."""
    dice = random.Random(11)
    made = []
    for n in range(DOCUMENTS):
        shop, hour = dice.choice(SHOPS), f"2026-{9 + n // 2_000:02}-{1 + n % 28:02} {n % 24:02}:00"
        if n % 7 == 6:
            made.append(f"C{n},{shop},2026-11-01 {n % 24:02}:00,tea,{dice.randint(1, 9)},10")
        else:
            made.append(f"{n},{shop},{hour},tea,{dice.randint(1, 4)},{dice.randint(1, 60)}")
        if n % 11 == 0:
            made.append(made[-1])
        if n % 13 == 0:
            made.append(f"{n},{shop},{hour},gold,1,1")
    return rows(*made)


def start(url: str, world: World, file: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.importer", url, str(world.program_id), str(file)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_a_killed_import_that_is_started_again_accounts_for_each_row_once(
    database_url: str, tmp_path: Path
) -> None:
    killed, undisturbed = await make_shops(), await make_shops()
    text = make_file()
    file = tmp_path / "sales.csv"
    file.write_text(text)
    expected = await account(await take(undisturbed, text))
    assert expected.recorded > 2_000
    assert expected.duplicates > 200
    assert {"UNKNOWN_SKU", "MORE_THAN_LEFT"} <= set(expected.refused.values())

    for steps in (1, 1):
        with start(database_url, killed, file) as process:
            read(process, steps)
            process.send_signal(signal.SIGKILL)
            assert process.wait(SECONDS) == -signal.SIGKILL
        await check_invariants(killed.program_id)
        unfinished = await account(await begin(killed, text.encode()))
        assert 0 < unfinished.read < expected.read
    with start(database_url, killed, file) as process:
        process.communicate(timeout=SECONDS)
        assert process.returncode == 0

    imports = await killed.rows("SELECT id, state FROM import WHERE program_id = $1")
    assert [row["state"] for row in imports] == [ImportState.DONE]
    query = (
        "SELECT read, recorded, duplicates, refused, reasons, activities FROM import WHERE program_id = $1"
    )
    assert await killed.rows(query) == await undisturbed.rows(query)
    assert await killed.everything() == await undisturbed.everything()
    await check_audit(killed.program_id)
