"""What all mutations share: the one argument `input`, and what they answer where it cannot be taken."""

from typing import Annotated, Any, TypeAlias, TypeVar

import strawberry
from strawberry.schema import ExceptionHandler
from strawberry.types.field import StrawberryField

from base.errors import DomainError
from base.logs import note_code

T = TypeVar("T")

Given: TypeAlias = Annotated[T, strawberry.argument(name="input")]
"""A mutation's input."""


def stated(value: T | None) -> T | None:
    """A field of a one-of input: None where another one is stated."""
    return None if value is strawberry.UNSET else value


@strawberry.type(
    description="Why an input was not taken: a stable code, a message for a person, the path of the field."
)
class UserError:
    code: str
    message: str
    field: list[str] | None


def user_error(error: DomainError) -> UserError:
    """The answer that an error becomes."""
    note_code(error.code)
    return UserError(code=error.code, message=error.message, field=list(error.field) or None)


class DomainErrors(ExceptionHandler[DomainError, UserError]):
    """Turns the errors of the rooms into the `UserError` of a mutation's union."""

    def handle(self, exception: DomainError, *, field: StrawberryField, info: Any) -> UserError:
        return user_error(exception)
