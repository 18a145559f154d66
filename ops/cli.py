"""The `mitra` command: a thin face over the use cases in `ops`.

Each module of `ops.commands` is one family of commands; its `register(app)` adds them. Those modules import what is
heavy inside their commands, so that `mitra --help` and a mistyped option answer at once (a test watches this).
Whatever an operator can mend is said in one line; a traceback is shown only with MITRA_LOG_LEVEL=debug.
"""

import os
import sys
import traceback
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

import typer

import ops.commands

UNEXPECTED: Final = 70
"""Exit status of a fault of ours: EX_SOFTWARE of sysexits.h."""

INTERRUPTED: Final = 130


def build_app() -> typer.Typer:
    """The command with all its families."""
    app = typer.Typer(
        name="mitra",
        help="Mitra, the engine of a channel loyalty program.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for _, name, _ in iter_modules(ops.commands.__path__):
        import_module(f"ops.commands.{name}").register(app)
    return app


def main() -> None:
    """Run the command, and say what went wrong as an operator needs it."""
    try:
        build_app()()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        sys.exit(_report(error))


def _report(error: Exception) -> int:
    """Write one line on stderr and answer the exit status."""
    from ops.errors import describe, one_line

    if os.environ.get("MITRA_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)
    line = describe(error)
    if line is not None:
        sys.stderr.write(f"mitra: {line}\n")
        return 1
    sys.stderr.write(
        f"mitra: Unexpected {type(error).__name__}: {one_line(error)} (MITRA_LOG_LEVEL=debug shows where)\n"
    )
    return UNEXPECTED
