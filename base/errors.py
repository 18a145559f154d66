"""The errors that a caller can do something about.

    DomainError
    ├── Invalid      an input that cannot be taken: the code says why, `field` where
    ├── NotFound     nothing of that name, or nothing that this caller may see: the two are never told apart
    └── Forbidden    the caller's role does not allow it

A room's own errors derive from one of these and stand beside what raises them. They carry a code and a path, and know
neither HTTP nor GraphQL; `api` turns them into a `UserError`. Assertions are for our own mistakes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class DomainError(Exception):
    """Base of all: `code` is stable and machine-readable, `message` is for a person, `field` the path of the input."""

    code = "ERROR"

    def __init__(self, message: str, *, code: str | None = None, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = tuple(field)


class Invalid(DomainError):
    """An input that cannot be taken as it is."""

    code = "INVALID"


class NotFound(DomainError):
    """Nothing of that name that this caller may see."""

    code = "NOT_FOUND"


class Forbidden(DomainError):
    """The caller's role does not allow this."""

    code = "FORBIDDEN"


@contextmanager
def within(*path: str) -> Iterator[None]:
    """What is refused in here is a part of an input: its path comes before that of the error."""
    try:
        yield
    except DomainError as error:
        error.field = (*path, *error.field)
        raise
