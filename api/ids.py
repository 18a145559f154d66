"""Global ids and cursors: opaque to clients, and no secret.

An id holds the type, the program's key and what identifies the thing there, so that ids of two programs never meet. A
cursor holds the keys of the row that a page ended with.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import orjson

from base.errors import Invalid

Key = TypeVar("Key", int, str)

LONGEST: Final = 2_048
LARGEST: Final = 2**63 - 1
"""The largest number that the database has."""


def global_id(type_name: str, program: str, *parts: str | int) -> str:
    """The id of a thing, the same for ever."""
    return encode((type_name, program, *parts))


def encode(parts: Sequence[str | int]) -> str:
    """Parts as one opaque word."""
    return urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode(word: str) -> list[Any] | None:
    """The parts that `encode` was given; None for a word that it never wrote."""
    if len(word) > LONGEST:
        return None
    try:
        parts = orjson.loads(urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except ValueError:
        return None
    # Base64 reads on over what is none of it: words that mean the same thing are not the same word.
    return parts if isinstance(parts, list) and encode(parts) == word else None


def decode_id(word: str, program: str) -> tuple[str, list[Any]] | None:
    """Type and parts of an id of this program; None for another program's, and for what is none."""
    match decode(word):
        case [str(type_name), str(owner), *parts] if (
            owner == program and parts and all(map(_is_storable, parts))
        ):
            return type_name, parts
    return None


def read_cursor(after: str | None, kind: type[Key]) -> Key | None:
    """The key that a cursor holds; None without a cursor. INVALID_CURSOR."""
    keys = read_keys(after, kind)
    return None if keys is None else keys[0]


def read_keys(after: str | None, *kinds: type[Key]) -> tuple[Key, ...] | None:
    """The keys that a cursor of several holds, each of its kind; None without a cursor. INVALID_CURSOR."""
    if after is None:
        return None
    keys = decode(after) or []
    if [type(key) for key in keys] == list(kinds) and all(map(_is_storable, keys)):
        return tuple(keys)
    raise Invalid("this cursor is of no page of this list", code="INVALID_CURSOR", field=("after",))


def _is_storable(part: object) -> bool:
    """Whether the database can look for this part: text without NUL, or a number that it has."""
    if isinstance(part, str):
        return "\0" not in part
    return type(part) is int and -LARGEST <= part <= LARGEST
