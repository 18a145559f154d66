"""That the command line answers at once, explains itself, and keeps its mistakes to one line."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import ops.cli
from ops.cli import build_app
from ops.errors import OperatorError

ROOT = Path(__file__).parents[2]
HEAVY = [
    "apscheduler",
    "asyncpg",
    "firebase_admin",
    "pyarrow",
    "pydantic",
    "redis",
    "strawberry",
    "tortoise",
    "uvicorn",
]


def commands() -> Iterator[list[str]]:
    """Every command as the words that call it."""

    def walk(command: object, words: list[str]) -> Iterator[list[str]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield words
            return
        for name, part in inner.items():
            yield from walk(part, [*words, name])

    yield from walk(get_command(build_app()), [])


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: list[str]) -> None:
    told = CliRunner().invoke(build_app(), [*words, "--help"])
    assert told.exit_code == 0
    assert "Example" in told.output


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys; from ops.cli import build_app; build_app(); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (OperatorError("Mend it."), 1, "mitra: Mend it.\n"),
        (
            ZeroDivisionError("by\nzero"),
            70,
            "mitra: Unexpected ZeroDivisionError: by zero (MITRA_LOG_LEVEL=debug",
        ),
    ],
    ids=["known", "unexpected"],
)
def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
    line: str,
) -> None:
    def fail() -> None:
        raise error

    def app() -> typer.Typer:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(fail)
        return app

    monkeypatch.delenv("MITRA_LOG_LEVEL", raising=False)
    monkeypatch.setattr(sys, "argv", ["mitra"])
    monkeypatch.setattr(ops.cli, "build_app", app)
    with pytest.raises(SystemExit) as ended:
        ops.cli.main()
    assert ended.value.code == status
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1
