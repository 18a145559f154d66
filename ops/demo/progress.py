"""What the program remembers of its demo: how far the data is shifted, which part of it, and how far the load has come.

It stands in `program.settings`, so that a second start goes on where the first was stopped, with the same instants.
"""

from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Final

import orjson

from base.database import reading, retrying, transaction
from ops.demo.catalog import PROGRAM
from ops.errors import OperatorError
from partners.configuration import lock_program

FIND: Final = """
SELECT id, settings -> 'demo' AS demo, EXISTS (SELECT FROM activity a WHERE a.program_id = g.id) AS has_activities
FROM program g WHERE key = $1
"""
STORED: Final = "SELECT settings -> 'demo' FROM program WHERE id = $1"
SAVE: Final = "UPDATE program SET settings = jsonb_set(settings, '{demo}', $2::text::jsonb) WHERE id = $1"


class NotEmpty(OperatorError):
    """The demo, or all of it, loads into a program without activities only."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the load has come. `weeks` is None for the whole year; `refused` counts lines by code."""

    shift_weeks: int
    weeks: int | None
    is_configured: bool = False
    sent: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    loaded_at: str | None = None

    @property
    def shift(self) -> timedelta:
        """What is added to each instant of the data."""
        return timedelta(weeks=self.shift_weeks)

    @property
    def is_loaded(self) -> bool:
        """Whether nothing is left to do."""
        return self.loaded_at is not None


@dataclass(frozen=True, slots=True)
class Found:
    """The demo's program as it stands."""

    program_id: int
    progress: Progress | None
    has_activities: bool


async def find_demo() -> Found | None:
    """The demo's program, where there is one."""
    async with reading() as connection:
        row = await connection.fetchrow(FIND, PROGRAM)
    return None if row is None else Found(row["id"], _progress(row["demo"]), row["has_activities"])


def _progress(stored: str | None) -> Progress | None:
    return None if stored is None else Progress(**orjson.loads(stored))


async def save_progress(program_id: int, progress: Progress) -> None:
    """Remember how far the load has come."""
    async with reading() as connection:
        await connection.execute(SAVE, program_id, orjson.dumps(asdict(progress)).decode())


async def begin(program_id: int, wanted: Progress) -> Progress:
    """The progress to go on from: `wanted`, or what another process began with. Its shift holds from now on."""

    async def work() -> Progress:
        async with transaction() as connection:
            await lock_program(connection, program_id)
            stored = _progress(await connection.fetchval(STORED, program_id))
            if stored is not None and stored.weeks == wanted.weeks:
                return stored
            await connection.execute(SAVE, program_id, orjson.dumps(asdict(wanted)).decode())
            return wanted

    return await retrying(work)


def choose(found: Found | None, *, weeks: int | None) -> Progress | None:
    """What of an earlier load goes on where `weeks` are asked for; None where a new one begins. Raises `NotEmpty`."""
    if found is None:
        return None
    known = found.progress
    if known is not None and (known.weeks == weeks or weeks is not None):
        return known
    if not found.has_activities:
        return None
    if known is None:
        raise NotEmpty(
            f"The program {PROGRAM} has activities that are not the demo's, which loads into an empty one only"
        )
    raise NotEmpty(
        f"`--full` loads into a program without activities only, and {PROGRAM} has some: `mitra reset` removes them"
    )
