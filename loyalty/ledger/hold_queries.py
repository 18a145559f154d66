"""Reads of holds: those of wallets, page by page, and those of a program."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from base.database import Connection

HOLDS: Final = """
SELECT h.id, p.code AS partner, h.unit, h.amount, h.purpose, h.state, h.captured, h.held_at, h.ended_at
FROM hold h JOIN partner p ON p.program_id = h.program_id AND p.id = h.partner_id
WHERE h.program_id = $1
"""
BY_ID: Final = f"{HOLDS} AND h.id = $2"
# The newest first, below an id.
NEWEST: Final = f"""
{HOLDS} AND ($2::text IS NULL OR p.code = $2) AND ($3::text[] IS NULL OR h.state = ANY($3))
  AND ($4::bigint IS NULL OR h.id < $4)
ORDER BY h.id DESC LIMIT $5
"""
# Those of each wallet (partner, unit), newest first, from before the one that a page ended with.
OF_WALLETS: Final = f"""
SELECT k.place, found.*
FROM unnest($2::bigint[], $3::text[], $4::bigint[]) WITH ORDINALITY AS k (partner_id, unit, below, place)
CROSS JOIN LATERAL (
    {HOLDS} AND h.partner_id = k.partner_id AND h.unit = k.unit AND (k.below IS NULL OR h.id < k.below)
    ORDER BY h.id DESC LIMIT $5
) found ORDER BY k.place, found.id DESC
"""  # noqa: S608  # constants


class HoldState(StrEnum):
    """How a hold stands."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class Hold:
    """Points reserved for something under way, `partner` by its code. `captured`: how many were spent when it ended."""

    id: int
    partner: str
    unit: str
    amount: int
    purpose: str
    state: HoldState
    captured: int
    held_at: datetime
    ended_at: datetime | None


async def find_hold(connection: Connection, *, program_id: int, id_: int) -> Hold | None:
    """The hold of this id."""
    row = await connection.fetchrow(BY_ID, program_id, id_)
    return None if row is None else _hold(row)


async def list_holds(
    connection: Connection,
    *,
    program_id: int,
    partner: str | None = None,
    states: Collection[HoldState] | None = None,
    below: int | None = None,
    limit: int,
) -> list[Hold]:
    """The program's newest holds: of one partner, and in one of these states, where such are named."""
    wanted = [state.value for state in states] if states else None
    return [_hold(row) for row in await connection.fetch(NEWEST, program_id, partner, wanted, below, limit)]


async def list_holds_of_wallets(
    connection: Connection, *, program_id: int, pages: Sequence[tuple[int, str, int | None]], limit: int
) -> list[list[Hold]]:
    """For each page, (partner id, unit, below which hold), at most `limit` of the wallet's holds, newest first."""
    columns = [list(column) for column in zip(*pages, strict=True)]
    found: list[list[Hold]] = [[] for _ in pages]
    for place, *row in await connection.fetch(OF_WALLETS, program_id, *columns, limit):
        found[place - 1].append(_hold(row))
    return found


def _hold(row: Sequence[object]) -> Hold:
    """A row of `HOLDS`."""
    return Hold(*row)  # type: ignore[arg-type]
