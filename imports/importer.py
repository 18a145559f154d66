"""What takes a file in, whatever it holds: from where its import stands to the end of the file."""

from collections.abc import Awaitable, Callable
from typing import BinaryIO, TypeAlias

from base.clock import Clock
from imports.store import Import, Step

Tell: TypeAlias = Callable[[Step], None]
"""Hears of each step once it is committed; `bytes_read` is of the whole file, the counts are of the step."""

Importer: TypeAlias = Callable[[Import, BinaryIO, Clock, Tell], Awaitable[Import]]
"""Takes in the file whose bytes the stream holds, as they were sent, from the beginning.

It starts the import, saves each step with what the step recorded, marks the import DONE, and answers it as it stands
then. Whatever stops it leaves an import that can be taken up again: what it raises before the end ends nothing.
"""
