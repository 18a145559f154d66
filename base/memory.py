"""How this process collects garbage.

A batch makes hundreds of thousands of objects, next to none of them in cycles, and drops them all at its end. At its
defaults CPython's collector walks through them again and again: about 30 % of the CPU time of a batch of 1,000, seen
with `make bench`; at 50,000 objects still 7 to 10 %. One of 1,000 sales holds 200,000 to 250,000 at once. Rarer collections
find the same cycles later; what stands at the start is never looked at again.
"""

import gc
from typing import Final

THRESHOLDS: Final = (300_000, 20, 50)


def relax_collector() -> None:
    """Once a process, when all that lasts has been imported."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
