"""Attributes: what a program itself says of its partners and products, and conditions on them. Pure.

A condition asks for one of some values: texts, numbers, true or false. Equal numbers are equal however they are written
(5, 5.0), and "5" is a text; lists and objects may stand in attributes, but no condition is ever met by one. So says
jsonb too (`value @> attribute`, where the attribute is no list), and boards decide in SQL what is decided here.
"""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

from base.errors import Invalid
from base.numbers import plain
from partners.checks import Path, check_attributes, check_code, check_count, check_unique, item_path

Attribute: TypeAlias = tuple[str, str]
"""A name and a value, equal values written alike: texts as `"` and themselves, the others as in JSON."""

AnyOf: TypeAlias = frozenset[Attribute]
"""A condition: the values of one name that meet it."""

MOST_NAMES: Final = 50
MOST_VALUES: Final = 1_000
WIDEST: Final = 2**63
"""Whole numbers beyond it come as floating ones."""
NONE: Final = "{}"


def read_attributes(stored: str, names: Collection[str] | None = None) -> frozenset[Attribute]:
    """What conditions may ask for of attributes as they are stored: all of them, or those of these names."""
    if stored == NONE or names == frozenset():
        return frozenset()
    found = json.loads(stored, parse_int=Decimal, parse_float=Decimal)
    return frozenset(
        (name, written)
        for name, value in found.items()
        if (names is None or name in names) and (written := write_value(value)) is not None
    )


def write_value(value: object) -> str | None:
    """A value as conditions compare it; None where it is none that they may ask for."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}'
        case int() | float() | Decimal():
            return plain(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
        case _:
            return None


def read_value(written: str) -> str | int | float | bool:
    """The value that `write_value` wrote, as JSON has it."""
    if written.startswith('"'):
        return written[1:]
    if written in ("true", "false"):
        return written == "true"
    return int(written) if "." not in written and abs(int(written)) < WIDEST else float(written)


def check_conditions(given: Mapping[str, Any] | None, field: Path) -> dict[str, list[Any]]:
    """Conditions as they are stored: by name, the values that meet each. A single value stands for a list of it.

    INVALID_ATTRIBUTES (a value that is no text, number, true or false, or none at all), INVALID_CODE, DUPLICATE,
    TOO_MANY.
    """
    if not given:
        return {}
    check_count(list(given), field, most=MOST_NAMES)
    check_attributes(given, field)
    stored = {}
    for name, asked in given.items():
        path = [*field, check_code(name, field)]
        values = asked if isinstance(asked, list | tuple) else [asked]
        check_count(values, path, most=MOST_VALUES)
        written = [write_value(value) for value in values]
        for index, one in enumerate(written):
            if one is None:
                message = "must be a text, a number, true or false"
                raise Invalid(message, code="INVALID_ATTRIBUTES", field=item_path(path, index))
        if not values:
            raise Invalid("must name at least one value", code="INVALID_ATTRIBUTES", field=path)
        check_unique((one for one in written if one is not None), path)
        stored[name] = [read_value(one) for one in sorted(one for one in written if one is not None)]
    return dict(sorted(stored.items()))


def read_conditions(stored: Mapping[str, Collection[Any]]) -> tuple[AnyOf, ...]:
    """The conditions that `check_conditions` answered."""
    return tuple(
        frozenset((name, written) for value in values if (written := write_value(value)) is not None)
        for name, values in sorted(stored.items())
    )


def write_conditions(conditions: tuple[AnyOf, ...]) -> dict[str, list[Any]]:
    """Conditions as they are stored."""
    found: dict[str, list[Any]] = {}
    for condition in conditions:
        for name, written in sorted(condition):
            found.setdefault(name, []).append(read_value(written))
    return found


def are_met(conditions: tuple[AnyOf, ...], attributes: frozenset[Attribute]) -> bool:
    """Whether every condition finds one of its values."""
    return not any(condition.isdisjoint(attributes) for condition in conditions)
