"""Named places at which a process can be made to fail on purpose, to see that nothing is lost and nothing counts twice.

    MITRA_FAILPOINTS='pipeline.loaded=kill@3, relay.handled=deadlock*2'     # in the environment of a process
    with failpoints.armed("relay.handled=error"): …                         # in a test

A point is passed by `reach(name)`, which does nothing while none is armed. Each fault is `point=action`, then `@n` to
begin at the n-th passing and `*n` to act at so many passings (else at each). A point may have several:

    kill            the process kills itself: SIGKILL
    disconnect      the open transaction's connection is cut; without a transaction, the connection is said to be lost
    deadlock        PostgreSQL's error that another transaction was in the way
    serialization   PostgreSQL's error that the transactions cannot be put into an order
    disk_full       PostgreSQL's error that its disk is full
    error           a fault of ours: `FailpointError`

tests/faults walks all points of the registry, so that one which is added is tried from the day on.
"""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from tortoise import Tortoise

POINTS: Final = {
    "pipeline.claimed": "idempotency keys are claimed, partners not locked",
    "pipeline.locked": "partners are locked, nothing is loaded",
    "pipeline.loaded": "all state is loaded, nothing decided",
    "pipeline.folded": "all is decided, nothing written",
    "pipeline.journaled": "the journal is written, meters and the outbox are not",
    "pipeline.counted": "journal, meters and outbox are written, the books are not",
    "pipeline.written": "all is written, nothing committed",
    "pipeline.committed": "all is committed, nobody has been told",
    "relay.read": "rows of the outbox are read, not handled",
    "relay.handled": "rows of the outbox are handled, the cursor not moved",
    "projector.loaded": "standings are read, Redis does not know them",
    "projector.written": "standings are in Redis, the consumer is not done",
    "notifier.written": "messages are written, their deliveries are not",
    "expiring.noted": "it is noted which points are about to expire, nobody is told",
    "expiring.written": "a page of partners is told that points are about to expire, not committed",
    "deliveries.claimed": "deliveries are claimed, nothing is sent",
    "deliveries.sent": "deliveries are sent, which is not written down",
    "seasons.moved": "seasons are in their new states, not committed",
    "seasons.frozen": "final standings are written, the season is not closed",
    "seasons.closed": "the season is closed, its projection still there",
    "review.loaded": "a page of the past is loaded, nothing corrected",
    "review.saved": "a page of the past is corrected, not committed",
    "lots.loaded": "what is due of some partners' points is loaded, nothing matured or expired",
    "lots.saved": "their points are matured and expired, not committed",
    "holds.posted": "points are set aside in the books, the hold is not written",
    "holds.ended": "what was held is spent or given back in the books, the hold is still open",
    "tiers.loaded": "a page of standings is loaded, none reviewed",
    "tiers.saved": "a page of standings is reviewed, not committed",
    "uploads.stored": "a piece of a file is stored, not committed",
    "uploads.queued": "a file is whole and its job is added, not committed",
    "imports.decided": "a batch of rows is decided, nothing recorded",
    "imports.accounted": "a batch is recorded and accounted for, not committed",
    "imports.recorded": "a batch is committed with its account, nobody has been told",
    "jobs.taken": "a job is held, its work not begun",
    "jobs.done": "a job's work is done, which is not written down",
    "rebuild.begun": "a board's new generation is begun, and empty",
    "rebuild.filled": "the new generation is full, readers have the old one",
    "rebuild.swapped": "readers have the new generation, the old one is still there",
}
"""Every point there is, and what is so when it is passed."""

FAULT: Final = re.compile(r"([a-z_.]+)=([a-z_]+)(?:@([1-9][0-9]*))?(?:\*([1-9][0-9]*))?")


class FailpointError(Exception):
    """A fault of ours, on purpose."""


class UnknownFailpoint(ValueError):
    """A fault that cannot be had: no such point, no such action, or written otherwise."""


@dataclass(slots=True)
class Fault:
    """What happens at a point: `action` from the passing numbered `first`, `times` times or, where None, ever after."""

    point: str
    action: str
    first: int = 1
    times: int | None = None
    passings: int = 0

    def is_due(self) -> bool:
        """Count a passing; whether it is one of those at which to act."""
        self.passings += 1
        beyond = self.passings - self.first
        return beyond >= 0 and (self.times is None or beyond < self.times)


_armed: dict[str, list[Fault]] = {}


def reach(name: str) -> None:
    """Pass the point `name`. Raises what is armed there; a name that is not in the registry is our own mistake."""
    if _armed:
        _pass(name)


def arm(text: str) -> None:
    """Arm what `text` says, in place of all that was. Raises `UnknownFailpoint`."""
    faults = parse(text)
    _armed.clear()
    _armed.update(faults)


@contextmanager
def armed(text: str) -> Iterator[dict[str, list[Fault]]]:
    """Armed for the length of the block; the faults by their points, each of which counts its passings."""
    before = dict(_armed)
    arm(text)
    try:
        yield dict(_armed)
    finally:
        _armed.clear()
        _armed.update(before)


def parse(text: str) -> dict[str, list[Fault]]:
    """The faults by their points. Raises `UnknownFailpoint`."""
    faults: dict[str, list[Fault]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = FAULT.fullmatch(part)
        if match is None:
            raise UnknownFailpoint(f"{part!r} is not point=action, point=action@n or point=action*n")
        point, action, first, times = match.groups()
        if point not in POINTS:
            raise UnknownFailpoint(f"there is no failpoint {point!r}")
        if action not in ACTIONS:
            raise UnknownFailpoint(f"a failpoint cannot {action!r}: it can {', '.join(ACTIONS)}")
        fault = Fault(point, action, int(first or 1), int(times) if times else None)
        faults.setdefault(point, []).append(fault)
    return faults


def _pass(name: str) -> None:
    assert name in POINTS, f"{name} is not in the registry of failpoints"
    due = [fault for fault in _armed.get(name, ()) if fault.is_due()]  # each counts, whichever acts
    if due:
        ACTIONS[due[0].action](f"the failpoint {name}")


def _kill(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _disconnect(where: str) -> None:
    """Cut the socket under the transaction's connection: both ends find out by themselves."""
    held: Any = getattr(Tortoise.get_connection("default"), "_connection", None)
    if held is None:
        raise asyncpg.ConnectionDoesNotExistError(f"the connection was lost at {where}")
    transport = held._transport
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _deadlock(where: str) -> None:
    raise asyncpg.DeadlockDetectedError(f"deadlock detected at {where}")


def _serialization(where: str) -> None:
    raise asyncpg.SerializationError(f"could not serialize access at {where}")


def _disk_full(where: str) -> None:
    raise asyncpg.DiskFullError(f"could not extend file at {where}: No space left on device")


def _error(where: str) -> None:
    raise FailpointError(f"a fault on purpose at {where}")


ACTIONS: Final = {
    "kill": _kill,
    "disconnect": _disconnect,
    "deadlock": _deadlock,
    "serialization": _serialization,
    "disk_full": _disk_full,
    "error": _error,
}
