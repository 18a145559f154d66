"""The outbox: nothing that was committed stays untold."""

from typing import Final

from ops.audit.check import Check, sql_check

AHEAD: Final = sql_check(
    "outbox",
    "no row of the outbox and no consumer's place in it lies ahead of the present, where it would never be read",
    rows="SELECT count(*) FROM outbox WHERE program_id = $1",
    wrong="""
    SELECT 'row ' || xid || ':' || id FROM outbox
    WHERE program_id = $1 AND xid >= pg_snapshot_xmax(pg_current_snapshot())
    UNION ALL
    SELECT 'consumer ' || consumer FROM outbox_cursor WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())
    """,
    note="""
    SELECT CASE WHEN count(*) > 0 THEN count(*) || ' rows have been read by all and wait to be dropped' END
    FROM outbox WHERE program_id = $1 AND (xid, id) <= (SELECT xid, id FROM outbox_cursor ORDER BY xid, id LIMIT 1)
    """,
)

PARKED: Final = sql_check(
    "parked rows",
    "what was committed is told to every consumer: no row of the outbox is parked (`mitra outbox show`)",
    rows="SELECT count(*) FROM outbox WHERE program_id = $1",
    wrong="""
    SELECT consumer || ': row ' || xid || '/' || id || ' is parked since ' || parked_at::timestamptz(0)
    FROM outbox_parked WHERE program_id = $1
    """,
)

OUTBOX: Final[tuple[Check, ...]] = (AHEAD, PARKED)
