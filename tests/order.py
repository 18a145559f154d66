"""The order of a run: modules that take long come first, and each worker gets some of them.

pytest-xdist gives each worker as many tests in a row, and whoever is done takes from the end of another one's row.
Where a long module stands there, the others wait for it; so rows begin with them. Otherwise tests keep their order.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
LONG: Final = (
    "faults/test_failpoints.py",
    "faults/test_serve.py",
    "faults/test_import_kill.py",
    "scenarios/test_walkthrough.py",
    "faults/test_metrics_endpoint.py",
    "topology/test_separate_processes.py",
    "properties/test_pipeline_sequences.py",
    "properties/test_ledger_machine.py",
    "faults/test_real_faults.py",
    "scenarios/test_online_retail.py",
    "scenarios/test_demo.py",
    "services/ops/test_import_command.py",
    "topology/test_cluster.py",
    "faults/test_demo_kill.py",
    "properties/test_pipeline_machine.py",
    "services/ops/test_program_command.py",
    "services/ops/test_audit.py",
    "faults/test_masters_kill.py",
)
"""The longest first: they are dealt out like cards."""


def arrange(items: Sequence[pytest.Item], *, workers: int) -> list[pytest.Item]:
    """The tests in the order in which so many workers are to get them."""
    long: dict[str, list[pytest.Item]] = {name: [] for name in LONG}
    quick: list[pytest.Item] = []
    for item in items:
        long.get(item.path.relative_to(TESTS).as_posix(), quick).append(item)
    rows: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for place, module in enumerate(filter(None, long.values())):
        rows[place % workers] += module
    left = len(items)
    for place, row in enumerate(rows):
        size = left // (workers - place)
        left -= size
        room = max(0, size - len(row))
        row += quick[:room]
        del quick[:room]
    return [item for row in rows for item in row] + quick
