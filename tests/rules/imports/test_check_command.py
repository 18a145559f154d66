"""`mitra import check` proposes a mapping without any server, and overwrites nothing."""

from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner, Result

from imports.mapping_toml import parse_sales_mapping
from ops.cli import build_app
from ops.errors import OperatorError

DIRT: Final = Path(__file__).parents[2] / "services" / "imports" / "dirt.csv"


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITRA_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")


def check(*words: str) -> Result:
    return CliRunner().invoke(build_app(), ["import", "check", *words])


def test_the_mapping_goes_to_stdout_and_what_was_seen_to_stderr() -> None:
    told = check(str(DIRT))
    assert told.exit_code == 0
    assert parse_sales_mapping(told.stdout).source == "dirt"
    assert "lines of sales" in told.stderr
    assert "2 rows cannot be read: WRONG_QUOTES" in told.stderr


def test_the_mapping_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    told = check(str(DIRT), "--write", str(path))
    assert (told.exit_code, told.stdout) == (0, "")
    assert parse_sales_mapping(path.read_text()).source == "dirt"
    path.write_text("mine")
    assert isinstance(check(str(DIRT), "--write", str(path)).exception, OperatorError)
    assert path.read_text() == "mine"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert isinstance(check(str(tmp_path / "none.csv")).exception, OperatorError)
