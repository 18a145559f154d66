"""Scalars: what travels, and what is refused as malformed, with its path, before anything runs.

    DateTime   RFC 3339 with its offset; answered in UTC
    Date       a day of a calendar: 2026-11-20
    Decimal    exact, as a string; a whole number may come as a JSON number, a fraction may not: it would not be exact
    BigInt     a whole number, |n| < 2^53
    JSON       a JSON object, with numbers of 64 bits, and not too deep

A literal in a document is read by its own text, so that a decimal there stays exact.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final, NewType

from graphql import (
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    StringValueNode,
    ValueNode,
    print_ast,
    value_from_ast_untyped,
)
from strawberry.types.scalar import ScalarDefinition, scalar

from base.numbers import plain

BigInt = NewType("BigInt", int)
JSON = NewType("JSON", dict[str, Any])
LARGEST: Final = 2**53 - 1
DEEPEST: Final = 20
"""Levels of a JSON object."""

DATE_TIME: Final = re.compile(
    r"[0-8]\d{3}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DECIMAL: Final = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)


class Malformed(GraphQLError):
    """A value that is not of its scalar."""

    def __init__(self, message: str, node: ValueNode | None = None) -> None:
        super().__init__(message, nodes=node, extensions={"code": "MALFORMED"})


def parse_date_time(value: object) -> datetime:
    """An instant in UTC."""
    if not isinstance(value, str) or not DATE_TIME.fullmatch(value):
        raise Malformed(
            f"{_shown(value)} is no DateTime: RFC 3339 with its offset, like 2026-11-20T09:30:00+07:00"
        )
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{_shown(value)} is no DateTime: {error}") from error


def parse_date(value: object) -> date:
    """A day of a calendar."""
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise Malformed(f"{_shown(value)} is no Date: a day, like 2026-11-20")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise Malformed(f"{_shown(value)} is no Date: {error}") from error


def parse_decimal(value: object) -> Decimal:
    """An exact number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise Malformed(f'{_shown(value)} is no Decimal: write it as a string, like "12.50"')
    return Decimal(value)


def parse_big_int(value: object) -> int:
    """A whole number that every client's numbers hold exactly."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
        raise Malformed(f"{_shown(value)} is no BigInt: a whole number below 2^53")
    return value


def parse_json(value: object) -> dict[str, Any]:
    """A JSON object that can be kept as it is."""
    if not isinstance(value, dict):
        raise Malformed(f"{_shown(value)} is no JSON object")
    _check_json(value, DEEPEST)
    return value


def _check_json(value: object, levels: int) -> None:
    if levels == 0:
        raise Malformed(f"the JSON object is more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        for key, one in value.items():
            _check_json(key, levels)
            _check_json(one, levels - 1)
    elif isinstance(value, list):
        for one in value:
            _check_json(one, levels - 1)
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise Malformed("a number of the JSON object does not fit into 64 bits")
    elif isinstance(value, float) and not isfinite(value):
        raise Malformed("a number of the JSON object is not finite")
    elif isinstance(value, str) and "\0" in value:
        raise Malformed("a text of the JSON object holds a NUL character")


def _parse_json_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    try:
        return parse_json(value_from_ast_untyped(node, dict(variables) if variables else None))
    except Malformed as error:
        raise Malformed(error.message, node) from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _literal(
    parse: Callable[[object], Any], *nodes: type[ValueNode]
) -> Callable[[ValueNode, Mapping[str, Any] | None], Any]:
    """Parse a literal of the document by its own text, so that a decimal in it stays exact."""

    def parse_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
        if not isinstance(node, nodes):
            raise Malformed(f"{print_ast(node)[:80]} is not what is expected here", node)
        try:
            return parse(node.value)  # type: ignore[attr-defined]
        except Malformed as error:
            raise Malformed(error.message, node) from None

    return parse_literal


def _parse_big_int_literal(value: object) -> int:
    return parse_big_int(int(str(value)) if len(str(value)) <= 20 else None)


SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    datetime: scalar(
        name="DateTime",
        description="An instant: RFC 3339 with its offset.",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
        serialize=datetime.isoformat,
        parse_value=parse_date_time,
        parse_literal=_literal(parse_date_time, StringValueNode),
    ),
    date: scalar(
        name="Date",
        description="A day of a calendar, like 2026-11-20.",
        serialize=date.isoformat,
        parse_value=parse_date,
        parse_literal=_literal(parse_date, StringValueNode),
    ),
    Decimal: scalar(
        name="Decimal",
        description="An exact number, as a string.",
        serialize=plain,
        parse_value=parse_decimal,
        parse_literal=_literal(parse_decimal, StringValueNode, IntValueNode, FloatValueNode),
    ),
    JSON: scalar(
        name="JSON",
        description="A JSON object.",
        serialize=lambda value: value,
        parse_value=parse_json,
        parse_literal=_parse_json_literal,
    ),
    BigInt: scalar(
        name="BigInt",
        description="A whole number, |n| < 2^53: points and ranks.",
        serialize=int,
        parse_value=parse_big_int,
        parse_literal=_literal(_parse_big_int_literal, IntValueNode),
    ),
}
