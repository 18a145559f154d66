"""Real servers broken under load, each in every way of `tests/soak/faults.py`: nothing lost, nothing twice.

The soak meets each fault once, in a process of its own with servers of its own; here stands what it said of each.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.soak.faults import FAULTS

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 600


@pytest.fixture(scope="module")
def said() -> str:
    """What the soak said."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--each"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS if fault.is_alone])
def test_nothing_is_lost_and_nothing_counts_twice(name: str, said: str) -> None:
    told = [line.split(f"MET {name}: ", 1)[1] for line in said.splitlines() if f"MET {name}: " in line]
    assert told == ["nothing lost, nothing twice"], said
