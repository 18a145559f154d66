"""That `make help` and the locks are what CONTRIBUTING and the README say they are."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def test_help_lists_every_task_on_one_line() -> None:
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    assert {words[1] for words in lines} == tasks
    assert all(len(words) == 3 for words in lines)


def test_every_task_that_is_no_file_says_so() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
    assert phony == set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_hashes_and_no_address(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|@ ", text)
    pinned = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert pinned
    assert all("--hash=sha256:" in entry for entry in pinned)


def test_a_deployment_installs_what_the_tests_ran_with() -> None:
    pins = [dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE)) for path in LOCKS]
    run, dev = (pins[[path.name for path in LOCKS].index(name)] for name in ("run.txt", "dev.txt"))
    assert run.items() <= dev.items()


def test_the_demo_brings_no_pandas() -> None:
    assert not any(re.search(r"^pandas==", path.read_text(), re.MULTILINE) for path in LOCKS)
