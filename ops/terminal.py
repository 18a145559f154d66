"""Where commands tell of themselves: as wide as the terminal; without one as wide as what is said."""

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
    """The console of a command. A terminal or COLUMNS says how wide it is; a pipe has no width."""
    console = QuietConsole(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    return console
