"""How this process collects garbage.

A batch makes hundreds of thousands of objects, next to none of them in cycles, and drops them all at its end. At its
defaults CPython's collector walks through them again and again: about 30 % of the CPU time of a batch of 1,000, seen
with `make bench`, and 8 % where it comes around every 50,000 objects. Rarer collections find the same cycles later;
what stands at the start is never looked at again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

THRESHOLDS: Final = (50_000, 20, 50)
BATCH: Final = (300_000, 20, 50)
"""While a batch is in hand: 1,000 sales hold 200,000 to 250,000 objects at once."""

_in_hand: Final[list[None]] = []
"""One for each batch."""


def relax_collector() -> None:
    """Once a process, when all that lasts has been imported."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def batch_in_hand() -> Iterator[None]:
    """For the length of the block, beside others or alone, a batch is let grow before anything is looked for in it."""
    _in_hand.append(None)
    gc.set_threshold(*BATCH)
    try:
        yield
    finally:
        _in_hand.pop()
        if not _in_hand:
            gc.set_threshold(*THRESHOLDS)
