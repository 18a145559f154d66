"""The outbox: nothing that was committed stays untold."""

from typing import Final

from ops.audit.check import Check, sql_check

PARKED: Final = sql_check(
    "parked rows",
    "what was committed is told to every consumer: no row of the outbox is parked (`mitra outbox show`)",
    rows="SELECT count(*) FROM outbox WHERE program_id = $1",
    wrong="""
    SELECT consumer || ': row ' || xid || '/' || id || ' is parked since ' || parked_at::timestamptz(0)
    FROM outbox_parked WHERE program_id = $1
    """,
)

OUTBOX: Final[tuple[Check, ...]] = (PARKED,)
