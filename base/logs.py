"""What a line of the log says besides its event: the work that it belongs to.

    with saying(consumer="boards"):          # this task's lines, and those of the tasks that it starts
        log.warning("the relay failed")      # … "consumer": "boards"

Rooms log with `logging`; what varies stands in `extra`, so that a line is one event with fields. How lines look is for
whoever runs the process to say (`ops.running`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Final


class Work:
    """A request, an operation on a socket, or a turn of the worker: its `fields` stand on each of its lines.

    `codes` are those of the errors that it answers. Whoever does part of the work may add to both.
    """

    __slots__ = ("codes", "fields")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.codes: list[str] = []


_current: Final[ContextVar[Work | None]] = ContextVar("work", default=None)


def begin(work: Work) -> Token[Work | None]:
    """Make `work` the current one, until `end` with what this returns, in the same task."""
    return _current.set(work)


def end(token: Token[Work | None]) -> None:
    """What was current before `begin` is so again."""
    _current.reset(token)


def current_fields() -> dict[str, Any]:
    """What stands on each line of the current work."""
    work = _current.get()
    return {} if work is None else work.fields


def note(**fields: Any) -> None:
    """Put fields on the lines that the current work has yet to log."""
    work = _current.get()
    if work is not None:
        work.fields.update(fields)


def note_code(code: str) -> None:
    """The current work answers an error of this code."""
    work = _current.get()
    if work is not None:
        work.codes.append(code)


@contextmanager
def saying(**fields: Any) -> Iterator[Work]:
    """A piece of work within the current one: its fields, and these."""
    work = Work(current_fields() | fields)
    token = begin(work)
    try:
        yield work
    finally:
        end(token)
