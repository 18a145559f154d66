"""All checks, in the order in which they are made: what others rest on comes first."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from ops.audit.boards import BOARDS
from ops.audit.books import BOOKS
from ops.audit.check import Check, Finding
from ops.audit.counting import COUNTING
from ops.audit.journal import JOURNAL
from ops.audit.outbox import OUTBOX
from ops.audit.watchers import WATCHERS

CHECKS: Final[tuple[Check, ...]] = (*JOURNAL, *BOOKS, *COUNTING, *WATCHERS, *OUTBOX, *BOARDS)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check that was made, and how long it took."""

    check: Check
    finding: Finding
    seconds: float


async def audit_program(program_id: int) -> AsyncIterator[Checked]:
    """Make every check, one after the other."""
    for check in CHECKS:
        started = time.monotonic()
        finding = await check.look(program_id)
        yield Checked(check, finding, time.monotonic() - started)
