"""How often an import was taken up by a worker that never came back: what kills its worker does so every time.

A worker counts that it takes an import before it begins, and takes that back when it leaves, however it does: stopped,
by an outage, or at the end. So what is counted are the workers that were killed. Rows that came further than before
begin the count anew. Beyond `MOST` the import has FAILED, and `importResume` has it tried once more.
"""

import logging
from typing import Final

from base.database import transaction
from base.errors import DomainError
from imports.store import Import

MOST: Final = 5
"""Workers that may be lost to an import, in a row, without a row more of it taken in."""

# How far it came is told by numbers that only rise: rows that waited for a parent are recorded after the last line.
TAKE: Final = """
UPDATE import_upload u SET taken_at = i.mark, takings = CASE WHEN u.taken_at = i.mark THEN u.takings + 1 ELSE 1 END
FROM (SELECT position + recorded + duplicates AS mark FROM import WHERE program_id = $1 AND id = $2) i
WHERE u.program_id = $1 AND u.import_id = $2 RETURNING u.takings
"""
GIVE_BACK: Final = """
UPDATE import_upload SET takings = greatest(takings - 1, 0) WHERE program_id = $1 AND import_id = $2
"""

log = logging.getLogger(__name__)


class WorkersLost(DomainError):
    """Every worker that took the import up was killed before it got any further."""

    code = "WORKERS_LOST"


class Takings:
    """The takings of one worker."""

    def __init__(self) -> None:
        self._owed: list[tuple[int, int]] = []  # not taken back yet: the database was away

    async def begin(self, one: Import) -> None:
        """Count that it is taken. Raises `WorkersLost`."""
        await self._settle()
        key = (one.program_id, one.id)
        async with transaction() as connection:
            takings = await connection.fetchval(TAKE, *key)
        if takings is not None and takings > MOST:
            raise WorkersLost(
                f"{MOST} workers in a row were killed over it, or ran out of memory, in the rows from line "
                f"{max(one.position, 1):,} on; importResume tries them again"
            )

    async def end(self, one: Import) -> None:
        """The worker is still there: it was not killed."""
        self._owed.append((one.program_id, one.id))
        try:
            await self._settle()
        except Exception as error:
            log.warning("import %d of program %d is given back later: %r", one.id, one.program_id, error)

    async def _settle(self) -> None:
        while self._owed:
            async with transaction() as connection:
                await connection.execute(GIVE_BACK, *self._owed[-1])
            self._owed.pop()
