"""The log as a machine reads it: the lines of a test, as JSON."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ops.logs import formatter


class Lines:
    """What was logged so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def all(self, event: str | None = None) -> list[dict[str, Any]]:
        """The lines, or those of one event."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if event is None or line["event"] == event]

    def one(self, event: str) -> dict[str, Any]:
        """The only line of an event."""
        (line,) = self.all(event)
        return line


@contextmanager
def captured(level: int = logging.INFO) -> Iterator[Lines]:
    """Log to JSON within the block."""
    lines = Lines()
    stream = logging.StreamHandler(lines.stream)
    stream.setFormatter(formatter(as_text=False))
    stream.addFilter(lambda record: not record.name.startswith("httpx"))  # the test's own client
    root = logging.getLogger()
    before = root.level
    root.addHandler(stream)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(stream)
        root.setLevel(before)
