"""The boards in Redis against the database: what each open season shows of each partner, and nothing else.

The projection follows the outbox, so partners that it has not come to yet are no fault, and what differs is looked at
again before it is one.
"""

from collections.abc import Sequence
from typing import Any, Final

import base.redis
from base.database import reading
from leaderboards.keys import ranking_key, rows_key
from leaderboards.projector import CONSUMER
from leaderboards.queries import BoardView, seasons_in
from leaderboards.rules import OPEN
from leaderboards.standings import load_page
from ops.audit.check import SHOWN, Check, Finding

PAGE: Final = 5_000
LOOKS: Final = 3
"""How often a partner must differ."""

# Partners of whom the boards have not been told yet.
PENDING: Final = """
SELECT DISTINCT unnest(o.partner_ids) AS id FROM outbox o
LEFT JOIN outbox_cursor c ON c.consumer = $2
WHERE o.program_id = $1 AND (c.consumer IS NULL OR (o.xid, o.id) > (c.xid, c.id))
"""


async def look_at_boards(program_id: int) -> Finding:
    """Compare the projections of all open seasons."""
    async with reading() as connection:
        views = await seasons_in(connection, program_id=program_id, states=OPEN)
    built = [view for view in views if view.season.generation > 0]
    try:
        findings = [await _look_at_board(view) for view in built]
    except base.redis.UNAVAILABLE:
        return Finding(0, 0, note="left out: Redis is away")
    left_out = len(views) - len(built)
    return Finding(
        sum(looked for looked, _ in findings),
        sum(len(offending) for _, offending in findings),
        tuple([one for _, offending in findings for one in offending][:SHOWN]),
        f"left out: {left_out} seasons that are not built yet" if left_out else "",
    )


async def _look_at_board(view: BoardView) -> tuple[int, list[str]]:
    """Standings seen, and what differs."""
    name = f"{view.board.key} {view.season.key}"
    looked, after = 0, 0
    suspects: dict[int, str] = {}
    while rows := await _page(view, after):
        looked += len(rows)
        after = rows[-1]["partner_id"]
        suspects.update(await _differing(view, rows))
    for _ in range(LOOKS - 1):
        if suspects:
            suspects = await _look_again(view, suspects)
    offending = [f"{name}: partner {id_} {how}" for id_, how in sorted(suspects.items())]
    if not suspects and (surplus := await _surplus(view, looked)):
        offending.append(f"{name}: {surplus} standings too many")
    return looked, offending


async def _page(view: BoardView, after: int, limit: int = PAGE) -> Sequence[Any]:
    async with reading() as connection:
        return await load_page(connection, board=view.board, season=view.season, after=after, limit=limit)


async def _differing(view: BoardView, rows: Sequence[Any]) -> dict[int, str]:
    """Of these standings of the database, the partners of whom the projection says something else."""
    client, season = base.redis.connected(), view.season
    shown = await client.hmget(
        rows_key(season.id, season.generation), [str(row["partner_id"]) for row in rows]
    )
    scores = await client.zmscore(
        ranking_key(season.id, season.generation, ""), [row["member"] for row in rows]
    )
    found = {}
    for row, stored, score in zip(rows, shown, scores, strict=True):
        expected = f"{row['version']} {row['member']} {row['groups']}".encode()
        if stored is None or score is None:
            found[row["partner_id"]] = "is missing"
        elif stored != expected or int(score) != int(row["score"]):
            found[row["partner_id"]] = "stands otherwise"
    return found


async def _look_again(view: BoardView, suspects: dict[int, str]) -> dict[int, str]:
    """The suspects that still differ, without those that the projection has not been told of."""
    found: dict[int, str] = {}
    for id_ in suspects:
        rows = [row for row in await _page(view, id_ - 1, 1) if row["partner_id"] == id_]
        if rows:
            found.update(await _differing(view, rows))
    async with reading() as connection:
        pending = {row["id"] for row in await connection.fetch(PENDING, view.board.program_id, CONSUMER)}
    return {id_: how for id_, how in found.items() if id_ not in pending}


async def _surplus(view: BoardView, looked: int) -> int:
    """How many more the projection shows than there are, where nothing is on its way to it."""
    async with reading() as connection:
        if await connection.fetch(PENDING, view.board.program_id, CONSUMER):
            return 0
    key = ranking_key(view.season.id, view.season.generation, "")
    return max(0, int(await base.redis.connected().zcard(key)) - looked)


BOARDS: Final[tuple[Check, ...]] = (
    Check(
        "boards",
        "the boards of open seasons show what the meters say, of every partner and of no other",
        look_at_boards,
    ),
)
