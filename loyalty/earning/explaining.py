"""What every rule made of an activity, or why it made nothing of it: read from the journal and what was kept."""

from collections.abc import Sequence
from typing import Final

import orjson

from activity.journal import load_originals
from base.database import Connection
from loyalty.because import Step
from loyalty.earning.queries import load_earning
from loyalty.earning.reasons import Considered, consider

# What each activity's own transaction kept; the rewards that it brought are transactions of their own.
DECIDED: Final = """
SELECT activity_id, because FROM ledger_transaction
WHERE program_id = $1 AND activity_id = ANY($2::bigint[]) AND key = 'activity/' || activity_id
"""


async def load_decided(
    connection: Connection, *, program_id: int, activity_ids: Sequence[int]
) -> dict[int, list[Step]]:
    """The steps that these activities' own transactions kept; none of those that nothing came of."""
    rows = await connection.fetch(DECIDED, program_id, activity_ids)
    return {row["activity_id"]: orjson.loads(row["because"]) for row in rows}


async def explain_activities(
    connection: Connection, *, program_id: int, activity_ids: Sequence[int]
) -> dict[int, list[Considered]]:
    """Every rule of the program for each of these activities, those that paid first."""
    earning = await load_earning(connection, program_id=program_id)
    originals = await load_originals(connection, program_id=program_id, activity_ids=activity_ids)
    steps = await load_decided(connection, program_id=program_id, activity_ids=activity_ids)
    return {
        id_: consider(earning.by_id.values(), one.activity, steps.get(id_, ()))
        for id_, one in originals.items()
    }
