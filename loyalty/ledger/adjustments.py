"""Adjustments as they are kept: who asked for what, who decided, and the transaction that it became."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from base.database import Connection

ADJUSTMENT: Final = """
SELECT a.id, a.partner_id, p.code AS partner, a.key, a.unit, a.amount, a.reason, a.state, a.asked_by, a.asked_at,
       a.decided_by, a.decided_at, a.rejection, a.transaction_id, a.approval_above
FROM adjustment a JOIN partner p ON p.program_id = a.program_id AND p.id = a.partner_id
WHERE a.program_id = $1
"""
BY_KEY: Final = f"{ADJUSTMENT} AND a.key = $2"
BY_ID: Final = f"{ADJUSTMENT} AND a.id = $2"
# The newest first, below an id.
NEWEST: Final = f"""
{ADJUSTMENT} AND ($2::text[] IS NULL OR a.state = ANY($2)) AND ($3::bigint IS NULL OR a.id < $3)
ORDER BY a.id DESC LIMIT $4
"""
INSERT: Final = """
INSERT INTO adjustment (program_id, partner_id, key, unit, amount, reason, state, asked_by, asked_at, transaction_id,
                        approval_above)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id
"""
DECIDE: Final = """
UPDATE adjustment SET state = $3, decided_by = $4, decided_at = $5, rejection = $6, transaction_id = $7
WHERE program_id = $1 AND id = $2 AND state = 'AWAITING_APPROVAL'
"""


class AdjustmentState(StrEnum):
    """How an adjustment stands."""

    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    POSTED = "POSTED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An adjustment. `is_new` where this call brought it to where it stands, and no earlier one.

    `decided_by` and `decided_at` are of those alone that awaited approval; `rejection` says why one was rejected.
    `approval_above` is the program's threshold when it was asked for.
    """

    id: int
    partner_id: int
    partner: str
    key: str
    unit: str
    amount: int
    reason: str
    state: AdjustmentState
    asked_by: str
    asked_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    rejection: str | None = None
    transaction_id: int | None = None
    approval_above: int | None = None
    is_new: bool = False


async def find_by_key(connection: Connection, *, program_id: int, key: str) -> Adjustment | None:
    """The adjustment that was asked for with this key."""
    return _adjustment(await connection.fetchrow(BY_KEY, program_id, key))


async def find_adjustment(connection: Connection, *, program_id: int, id_: int) -> Adjustment | None:
    """The adjustment of this id."""
    return _adjustment(await connection.fetchrow(BY_ID, program_id, id_))


async def list_adjustments(
    connection: Connection,
    *,
    program_id: int,
    states: Collection[AdjustmentState] | None = None,
    below: int | None = None,
    limit: int,
) -> list[Adjustment]:
    """The newest adjustments, in one of these states where some are named."""
    wanted = [state.value for state in states] if states else None
    rows = await connection.fetch(NEWEST, program_id, wanted, below, limit)
    return [found for row in rows if (found := _adjustment(row)) is not None]


async def insert_adjustment(connection: Connection, *, program_id: int, wanted: Adjustment) -> int:
    """Keep a new adjustment, posted or awaiting approval; its id."""
    id_: int = await connection.fetchval(
        INSERT,
        program_id,
        wanted.partner_id,
        wanted.key,
        wanted.unit,
        wanted.amount,
        wanted.reason,
        wanted.state,
        wanted.asked_by,
        wanted.asked_at,
        wanted.transaction_id,
        wanted.approval_above,
    )
    return id_


async def settle(connection: Connection, *, program_id: int, decided: Adjustment) -> None:
    """Write down what was decided of an adjustment that awaited approval. Its partner's lock makes it the only one."""
    await connection.execute(
        DECIDE,
        program_id,
        decided.id,
        decided.state,
        decided.decided_by,
        decided.decided_at,
        decided.rejection,
        decided.transaction_id,
    )


def _adjustment(row: Any) -> Adjustment | None:
    if row is None:
        return None
    return Adjustment(**{**row, "state": AdjustmentState(row["state"])})
