"""The order of a run names modules that there are, and every worker begins with long ones."""

import pytest

from tests.order import LONG, TESTS, arrange


class One:
    """What a test is to the order: its path."""

    def __init__(self, name: str) -> None:
        self.path = TESTS / name


def test_the_long_modules_are_there() -> None:
    assert [name for name in LONG if not (TESTS / name).is_file()] == []


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_worker_begins_with_long_ones_and_each_test_runs_once(workers: int) -> None:
    given = [One(f"rules/test_{number // 10}.py") for number in range(100)]
    given += [One(name) for name in LONG for _ in range(2)]
    arranged = arrange(given, workers=workers)  # type: ignore[arg-type]
    assert sorted(map(id, arranged)) == sorted(map(id, given))
    left, start = len(given), 0
    for worker in range(workers):
        assert arranged[start].path == TESTS / LONG[worker]
        size = left // (workers - worker)  # as pytest-xdist deals them
        start, left = start + size, left - size


def test_few_that_are_long_are_all_there() -> None:
    given = [One(LONG[0]) for _ in range(9)] + [One("rules/test_0.py")]
    assert len(arrange(given, workers=4)) == 10  # type: ignore[arg-type]
