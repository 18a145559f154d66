"""A TOML document that people write, read so that every mistake is told: where it stands, and what may stand there.

Whatever was not asked for in the end is a mistake too. Pure.
"""

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, TypeVar

from base.errors import Invalid

MOST_CHARACTERS: Final = 100_000
MOST_ITEMS: Final = 10_000
MOST_DOTS: Final = 200
Choice = TypeVar("Choice", bound=StrEnum)


class InvalidMapping(Invalid):
    """A mapping that cannot be used: `field` is the path of the key."""

    code = "INVALID_MAPPING"


def parse_document(text: str) -> "Table":
    """The whole document as a table. INVALID_MAPPING where it is no TOML."""
    if len(text) > MOST_CHARACTERS:
        raise InvalidMapping(f"a mapping has {MOST_CHARACTERS:,} characters at most")
    # A key of thousands of dotted parts takes its reader a minute.
    if any(part.count(".") > MOST_DOTS for line in text.splitlines() for part in line.split("=")):
        raise InvalidMapping(f"a line of a mapping has {MOST_DOTS} dots at most: break it into several")
    try:
        return Table(tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidMapping(f"this is no TOML: {error}") from error


def is_text(text: str) -> bool:
    """Whether a database keeps it: no NUL, no half of a character."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """What is allowed instead of `name`: the nearest, where one is near, and all of them."""
    known = tuple(known)
    lowered = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), lowered, n=1)
    hint = f"did you mean {lowered[near[0]]}? " if near else ""
    return f"{hint}allowed: {', '.join(known)}" if known else "nothing is allowed here"


class Table:
    """A table, read key by key. `close` refuses what nothing asked for."""

    def __init__(self, content: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
        self.content = content
        self.path = path
        self.asked: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self.content

    def take(self, name: str) -> Any:
        """The value as it stands; None where there is none (TOML has no null)."""
        self.asked.append(name)
        return self.content.get(name)

    def fault(self, message: str, *names: str) -> InvalidMapping:
        """The error of a key of this table."""
        return InvalidMapping(message, field=(*self.path, *names))

    def table(self, name: str) -> "Table":
        """A table of this one; an empty one where there is none."""
        found = self.take(name)
        if found is None:
            found = {}
        if not isinstance(found, dict):
            raise self.fault(f"must be a table: [{'.'.join((*self.path, name))}]", name)
        return Table(found, (*self.path, name))

    def text(self, name: str, default: str, *, least: int = 0, most: int = 200) -> str:
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found, str) or not least <= len(found) <= most or not is_text(found):
            raise self.fault(f"must be a text of {least} to {most} characters", name)
        return found

    def optional_text(self, name: str, *, most: int = 200) -> str | None:
        return self.text(name, "", least=1, most=most) or None

    def flag(self, name: str, default: bool) -> bool:
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise self.fault("must be true or false", name)
        return found

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
            raise self.fault(f"must be a whole number from {least} to {most}", name)
        return found

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found, list) or not all(
            isinstance(one, str) and len(one) <= 200 and is_text(one) for one in found
        ):
            raise self.fault('must be a list of texts: ["a", "b"]', name)
        if len(found) > MOST_ITEMS:
            raise self.fault(f"must hold at most {MOST_ITEMS:,} texts", name)
        return tuple(found)

    def choice(self, name: str, default: Choice) -> Choice:
        """One of the values of an enumeration, in upper or lower case."""
        found = self.take(name)
        return default if found is None else self.one_of(type(default), found, name)

    def one_of(self, kind: type[Choice], found: Any, *names: str) -> Choice:
        values = {value.lower(): value for value in kind}
        if not isinstance(found, str) or found.lower() not in values:
            raise self.fault(f"{found!r} is none of these; {nearest(str(found), values)}", *names)
        return values[found.lower()]

    def column(self, name: str) -> str | int | None:
        """A header, stripped, or a place that counts from 1."""
        found = self.take(name)
        return None if found is None else self._column(found, name)

    def columns(self, name: str) -> tuple[str | int, ...]:
        """A list of columns."""
        found = self.take(name)
        if found is None:
            return ()
        if not isinstance(found, list) or len(found) > MOST_ITEMS:
            raise self.fault('must be a list of columns: ["a", "b"]', name)
        return tuple(self._column(one, name) for one in found)

    def _column(self, found: object, name: str) -> str | int:
        match found:
            case bool():
                pass
            case str() if found.strip():
                return found.strip()
            case int() if 1 <= found <= MOST_ITEMS:
                return found
            case _:
                pass
        raise self.fault("must be a header, or a place that counts from 1", name)

    def close(self) -> None:
        """Refuse the first key that nothing asked for."""
        for name in self.content:
            if name not in self.asked:
                raise self.fault(f"there is no {name!r} here; {nearest(name, self.asked)}", name)
