"""How input objects are read: by a function that is made once for each type.

Strawberry works out the types of an input anew for every value, some 20 µs a field: a second for a batch of 1,000
activities with five lines. Here it is worked out when the schema is built, and put where Strawberry looks for it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from typing import Any

from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import (
    StrawberryContainer,
    StrawberryList,
    StrawberryObjectDefinition,
    has_object_definition,
)

Read = Callable[[Any], Any]


def read_by_type(definitions: Iterable[StrawberryObjectDefinition]) -> None:
    """Let the values of these input types be read by functions of their own."""
    for definition in definitions:
        read = _reader(definition)
        definition.from_input = lambda _, value, __, read=read: read(value)


def _reader(definition: StrawberryObjectDefinition) -> Read:
    """Makes an object of the type out of what graphql-core coerced, which is valid."""
    names = NameConverter()
    fields = [(names.from_field(one), one.python_name, _reader_of(one.type)) for one in definition.fields]
    absent = {
        one.python_name: None
        for one in definition.fields
        if one.default_value is MISSING and one.default_factory is MISSING
    }
    make = definition.origin

    def read(value: Mapping[str, Any]) -> Any:
        found: dict[str, Any] = dict(absent)
        for name, python_name, read_part in fields:
            if name in value:
                part = value[name]
                found[python_name] = part if read_part is None or part is None else read_part(part)
        return make(**found)

    return read


def _reader_of(type_: Any) -> Read | None:
    """How a part is read; None where it stays as it is."""
    if isinstance(type_, StrawberryContainer):
        read = _reader_of(type_.of_type)
        if read is not None and isinstance(type_, StrawberryList):
            return lambda items: [read(item) for item in items]
        return read
    return _reader(type_.__strawberry_definition__) if has_object_definition(type_) else None
