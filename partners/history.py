"""A history load: activities of long ago that are booked at their own time, oldest first.

While one runs, what closes by the calendar waits for its end: a season of last year must not be closed between two
batches of last year. Nor is anything done by hand: the wallets are not yet what they will have been.
"""

from datetime import datetime
from typing import Final

from base.database import Statement, transaction

# No history is being loaded into the program `p`, at $1; one that an import has not gone on with for an hour is over.
NO_HISTORY: Final = """
NOT p.settings ? 'history' AND NOT EXISTS (
    SELECT FROM import i WHERE i.program_id = p.id AND i.history AND i.state = 'RUNNING'
    AND coalesce(i.moved_at, i.started_at) > $1::timestamptz - interval '1 hour')
"""
# Whether one is being loaded, at $1, into the program $2.
LOADING: Final = f"SELECT NOT ({NO_HISTORY}) AS loading FROM program p WHERE p.id = $2"  # noqa: S608  # a constant
BEGIN: Final = "UPDATE program SET settings = settings || '{\"history\": true}'::jsonb WHERE id = $1"
END: Final = "UPDATE program SET settings = settings - 'history' WHERE id = $1"


def read_loading(*, program_id: int, now: datetime) -> Statement:
    """Whether a history is being loaded into the program: one row, `loading`."""
    return Statement(LOADING, (now, program_id))


async def begin_history(program_id: int) -> None:
    """The program's past is being loaded, until `end_history`; a load that was stopped goes on as one."""
    async with transaction() as connection:
        await connection.execute(BEGIN, program_id)


async def end_history(program_id: int) -> None:
    """The program's past is complete."""
    async with transaction() as connection:
        await connection.execute(END, program_id)
