"""All checks, in the order in which they are made: what others rest on comes first.

Those of the rows as they stand are one statement each. The replays work through the journal and the ledger again, by
the very code that did it live, and take as much longer.
"""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from ops.audit.boards import BOARDS
from ops.audit.books import BOOKS
from ops.audit.check import Check, Finding
from ops.audit.climbing import CLIMBED
from ops.audit.counting import METERS, PARTS
from ops.audit.journal import JOURNAL
from ops.audit.outbox import OUTBOX
from ops.audit.progress import PROGRESS
from ops.audit.replaying import WALLETS
from ops.audit.watchers import WATCHERS

STANDING: Final[tuple[Check, ...]] = (*JOURNAL, *BOOKS, PARTS, *WATCHERS, *OUTBOX, *BOARDS)
REPLAYS: Final[tuple[Check, ...]] = (METERS, WALLETS, CLIMBED, PROGRESS)
CHECKS: Final[tuple[Check, ...]] = (*STANDING, *REPLAYS)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check that was made, and how long it took."""

    check: Check
    finding: Finding
    seconds: float


async def audit_program(program_id: int, checks: Sequence[Check] = CHECKS) -> AsyncIterator[Checked]:
    """Make the checks, one after the other."""
    for check in checks:
        started = time.monotonic()
        finding = await check.look(program_id)
        yield Checked(check, finding, time.monotonic() - started)
