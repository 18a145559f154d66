"""Where commands tell of themselves: as wide as the terminal; without one as COLUMNS, else as what is said."""

import os
from typing import Final

from rich.console import Console

WIDE: Final = 10_000
"""Characters of a line that goes to a file or a pipe: as good as none, so that nothing is broken or cut."""
NARROW: Final = 100
"""Below so many characters a table leaves out what matters less."""


class QuietConsole(Console):
    """A console that falls silent where nobody reads on, as after `| head`: what it tells of goes on."""

    def on_broken_pipe(self) -> None:
        """Drop what is still to be said."""
        self.quiet = True
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, self.file.fileno())
        os.close(sink)


def open_console(*, stderr: bool = False) -> Console:
    """The console of a command. COLUMNS says how wide it is, else the terminal; a pipe has no width of its own."""
    console = QuietConsole(stderr=stderr, highlight=False)
    if not console.is_terminal:
        columns = os.environ.get("COLUMNS", "")
        console.width = (int(columns) if columns.isdecimal() else 0) or WIDE
    return console
