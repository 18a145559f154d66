"""Bytes that were no text, written back as the bytes that they were: the other half of what `imports.lines` keeps.

A reader keeps each such byte as a character of a private plane. A Unicode encoding could write that character, so it is
turned into half of a surrogate first, which none can, and the error handler writes the byte itself. Pure.
"""

import codecs
import re
from collections.abc import Callable
from typing import Final

from imports.lines import FIRST_KEPT, KEPT

RESTORE_BYTES: Final = "mitra-restore-bytes"
"""The error handler to write with what `restoring` made."""
FIRST_RESTORED: Final = 0xDC00
"""Where Python's own surrogateescape begins; that one leaves out bytes below 128, which are kept here too."""
_ANY: Final = KEPT.pattern
_SURROGATE: Final = f"[{chr(FIRST_KEPT + 0xD8)}-{chr(FIRST_KEPT + 0xDF)}]"
UNITS: Final = {
    "utf-16": re.compile(f"{_ANY}{_SURROGATE}|{_SURROGATE}{_ANY}"),
    "utf-32": re.compile(_ANY * 4),
}
"""What is no text in encodings of several bytes a character. Of fewer bytes than a character has, at the end of a file
that was cut off, the rest of the file would not be text either: they stay what they were kept as."""
MOVED: Final = {FIRST_KEPT + byte: FIRST_RESTORED + byte for byte in range(256)}
NUL: Final = chr(FIRST_KEPT)


def restoring(encoding: str) -> Callable[[str], str]:
    """What makes a text ready to be written in an encoding with `RESTORE_BYTES`."""
    wide = next((UNITS[name] for name in UNITS if codecs.lookup(encoding).name.startswith(name)), None)

    def restore(text: str) -> str:
        if text.isascii() or KEPT.search(text) is None:
            return text
        if wide is None:
            return text.translate(MOVED)
        return wide.sub(lambda found: found[0].translate(MOVED), text).replace(NUL, "\0")

    return restore


def _restore_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """The bytes behind restored characters; a question mark for what the encoding has no letter for."""
    assert isinstance(error, UnicodeEncodeError)
    end = error.start
    found = bytearray()
    while end < len(error.object) and 0 <= (byte := ord(error.object[end]) - FIRST_RESTORED) < 256:
        found.append(byte)
        end += 1
    return (bytes(found), end) if found else ("?" * (error.end - error.start), error.end)


codecs.register_error(RESTORE_BYTES, _restore_bytes)
