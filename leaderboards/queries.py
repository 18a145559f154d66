"""What is read of boards: their settings, their present season, and its standings.

A closed season reads from its final standings. An open one reads from Redis, and where Redis is away or holds no
complete projection, from its meters: then the answer says `provisional`. Of a partner a competitor sees the code, the
name and the region; a suspended or closed one is hidden at once, whatever the projection still holds.
"""

# ruff: noqa: S608  # statements are put together from these constants, never from what comes in

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol, TypeVar

import orjson

import base.redis
from base.database import Connection
from base.errors import Invalid
from leaderboards.board import RedisRanking
from leaderboards.rules import BoardRow, Grouping, Place, SeasonRow, SeasonState, Slice, places
from leaderboards.standings import FinalRanking, LiveRanking
from metrics.rules import Measure
from metrics.windows import Period
from partners.rules import Audience

Result = TypeVar("Result")

MOST: Final = 1_000
"""Rows of one page."""

BOARDS: Final = """
SELECT b.id, b.program_id, b.key, b.name, x.key AS metric, x.measure, b.series_id, b.period, b.time_zone, b.starts_at,
       b.ends_at, b.audience, b.group_by, r.filled_at IS NOT NULL AS filled
FROM leaderboard b JOIN metric x ON x.program_id = $1 AND x.id = b.metric_id
JOIN meter_series r ON r.program_id = $1 AND r.id = b.series_id
WHERE b.program_id = $1 AND ($2::text IS NULL OR b.key = $2) ORDER BY b.key
"""
SEASON: Final = (
    "id, program_id, leaderboard_id, key, window_start, starts_at, ends_at, state, generation, closed_at"
)
# Of each board the live season, else the newest that has begun, else the first to come.
PRESENT_SEASONS: Final = f"""
SELECT DISTINCT ON (leaderboard_id) {SEASON} FROM season WHERE program_id = $1 AND leaderboard_id = ANY($2)
ORDER BY leaderboard_id, CASE state WHEN 'LIVE' THEN 0 WHEN 'SCHEDULED' THEN 2 ELSE 1 END,
         CASE state WHEN 'SCHEDULED' THEN window_start END, window_start DESC
"""
SEASONS_OF: Final = f"""
SELECT {SEASON} FROM season WHERE program_id = $1 AND leaderboard_id = $2 ORDER BY window_start DESC
"""
SEASONS_IN: Final = f"SELECT {SEASON} FROM season WHERE program_id = $1 AND state = ANY($2) ORDER BY id"
GENERATION: Final = "SELECT generation FROM season WHERE program_id = $1 AND id = $2"
COMPETITORS: Final = """
SELECT p.id, p.code, p.name, r.code AS region FROM partner p JOIN region r ON r.program_id = $1 AND r.id = p.region_id
WHERE p.program_id = $1 AND p.id = ANY($2) AND p.status = 'ACTIVE'
"""
REGION_CODES: Final = "SELECT code FROM region WHERE program_id = $1"
TIER_KEYS: Final = "SELECT key FROM tier WHERE program_id = $1"
PARTNER_ID: Final = "SELECT id FROM partner WHERE program_id = $1 AND code = $2"


@dataclass(frozen=True, slots=True)
class BoardView:
    """A board and the season of it that is looked at."""

    board: BoardRow
    season: SeasonRow


@dataclass(frozen=True, slots=True)
class Competitor:
    """What competitors see of a partner; `region` is a code."""

    id: int
    code: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A partner's place in one group of a season. `percentile` is the share of the group at or below, 0–100."""

    partner: Competitor
    group: str
    rank: int
    position: int
    score: Decimal
    reached_at: datetime
    percentile: float

    @property
    def cursor(self) -> str:
        """Where a page after this one begins."""
        return write_cursor(self.position)


@dataclass(frozen=True, slots=True)
class StandingPage:
    """Standings in their order. `provisional` where they did not come from a complete projection of all activities."""

    standings: tuple[Standing, ...]
    size: int
    has_previous: bool
    has_next: bool
    provisional: bool


class Ranking(Protocol):
    """A season's standings, wherever they stand. None: they are not there."""

    async def part(self, group: str, *, start: int, count: int) -> Slice | None: ...
    async def around(self, group: str, *, partner_id: int, span: int) -> Slice | None: ...
    async def places(self, partner_id: int) -> list[Place] | None: ...


async def list_boards(connection: Connection, *, program_id: int, key: str | None = None) -> list[BoardRow]:
    """The program's boards, or the one of that key."""
    return [_board(row) for row in await connection.fetch(BOARDS, program_id, key)]


async def list_leaderboards(
    connection: Connection, *, program_id: int, key: str | None = None
) -> list[BoardView]:
    """The program's boards by key, or the one of that key, each with its present season."""
    boards = await list_boards(connection, program_id=program_id, key=key)
    rows = await connection.fetch(PRESENT_SEASONS, program_id, [board.id for board in boards])
    seasons = {row["leaderboard_id"]: _season(row) for row in rows}
    return [BoardView(board, seasons[board.id]) for board in boards]


async def find_leaderboard(connection: Connection, *, program_id: int, key: str) -> BoardView | None:
    """The board of that key with its present season; None where there is none."""
    found = await list_leaderboards(connection, program_id=program_id, key=key)
    return found[0] if found else None


async def list_groups(connection: Connection, board: BoardRow) -> set[str]:
    """The groups that the board ranks in beside the whole, whether anyone stands in them or not."""
    if board.group_by is Grouping.NONE:
        return set()
    statement = REGION_CODES if board.group_by is Grouping.REGION else TIER_KEYS
    return {row[0] for row in await connection.fetch(statement, board.program_id)}


async def list_seasons(connection: Connection, board: BoardRow) -> list[SeasonRow]:
    """The board's seasons, newest first."""
    return [_season(row) for row in await connection.fetch(SEASONS_OF, board.program_id, board.id)]


async def seasons_in(
    connection: Connection, *, program_id: int, states: Sequence[SeasonState]
) -> list[BoardView]:
    """All seasons of the program that are in one of these states."""
    boards = {board.id: board for board in await list_boards(connection, program_id=program_id)}
    rows = await connection.fetch(SEASONS_IN, program_id, [state.value for state in states])
    return [
        BoardView(boards[row["leaderboard_id"]], _season(row))
        for row in rows
        if row["leaderboard_id"] in boards
    ]


async def top(
    connection: Connection, view: BoardView, *, first: int = 10, after: str | None = None, group: str = ""
) -> StandingPage:
    """The next `first` standings of a group, from the top or after a cursor. INVALID_CURSOR, INVALID_COUNT."""
    _check_count(first, "first")
    start = 0 if after is None else read_cursor(after)
    part, provisional = await _read(
        connection, view, lambda ranking: ranking.part(group, start=start, count=first)
    )
    return await _page(connection, view, part, group, provisional=provisional)


async def around(
    connection: Connection, view: BoardView, *, partner: str, span: int = 3, group: str = ""
) -> StandingPage:
    """The partner of that code with `span` standings on either side; nothing where it does not stand in the group.

    UNKNOWN_PARTNER is not told apart from a partner without a standing. INVALID_COUNT.
    """
    _check_count(span, "span")
    partner_id = await connection.fetchval(PARTNER_ID, view.board.program_id, partner)
    part, provisional = await _read(
        connection, view, lambda ranking: ranking.around(group, partner_id=partner_id or 0, span=span)
    )
    page = await _page(connection, view, part, group, provisional=provisional)
    stands = any(standing.partner.id == partner_id for standing in page.standings)
    return page if stands else replace(page, standings=(), has_previous=False, has_next=False)


async def standings_of(connection: Connection, view: BoardView, *, partner_id: int) -> list[Standing]:
    """The partner's place in every group that it stands in, the whole board first."""
    found, _ = await _read(connection, view, lambda ranking: ranking.places(partner_id))
    return await _standings(connection, view, found)


async def size(connection: Connection, view: BoardView, *, group: str = "") -> int:
    """How many partners stand in a group."""
    part, _ = await _read(connection, view, lambda ranking: ranking.part(group, start=0, count=0))
    return part.size


def write_cursor(position: int) -> str:
    """The cursor of a position; opaque to callers."""
    return base64.urlsafe_b64encode(b"position:%d" % position).decode()


def read_cursor(cursor: str) -> int:
    """The position of a cursor. INVALID_CURSOR."""
    try:
        name, _, position = base64.b64decode(cursor, altchars=b"-_", validate=True).partition(b":")
        if name == b"position" and position.isdigit() and len(position) < 16:
            return int(position)
    except (binascii.Error, ValueError):
        pass
    raise Invalid("is no cursor of this list", code="INVALID_CURSOR", field=("after",))


def _check_count(value: int, field: str) -> None:
    if not 0 <= value <= MOST:
        raise Invalid(f"must be between 0 and {MOST}", code="INVALID_COUNT", field=(field,))


async def _read(
    connection: Connection, view: BoardView, ask: Callable[[Ranking], Awaitable[Result | None]]
) -> tuple[Result, bool]:
    """Ask the ranking that holds the season's standings. Returns the answer, and whether it is provisional."""
    board, season = view.board, view.season
    if season.state is SeasonState.CLOSED:
        found = await ask(FinalRanking(connection, board, season))
    else:
        found = await _ask_redis(connection, view, ask)
    if found is not None:
        return found, season.state is not SeasonState.CLOSED and not board.filled
    found = await ask(LiveRanking(connection, board, season))
    assert found is not None, "the meters are always there"
    return found, season.state is not SeasonState.SCHEDULED


async def _ask_redis(
    connection: Connection, view: BoardView, ask: Callable[[Ranking], Awaitable[Result | None]]
) -> Result | None:
    """Ask the projection, again where a rebuild has replaced it since the season was read. None: it is not there."""
    season = view.season
    try:
        client = base.redis.connected()
        if season.generation:
            found = await ask(RedisRanking(client, view.board, season))
            if found is not None:
                return found
        now = await connection.fetchval(GENERATION, season.program_id, season.id)
        if now and now != season.generation:
            return await ask(RedisRanking(client, view.board, replace(season, generation=now)))
    except base.redis.UNAVAILABLE:
        return None
    return None


async def _page(
    connection: Connection, view: BoardView, part: Slice, group: str, *, provisional: bool
) -> StandingPage:
    standings = await _standings(connection, view, places(part, group))
    end = part.start + len(part.entries)
    return StandingPage(tuple(standings), part.size, part.start > 0, end < part.size, provisional)


async def _standings(connection: Connection, view: BoardView, found: Sequence[Place]) -> list[Standing]:
    """Places with who stands there, without those who are hidden."""
    ids = list({place.partner_id for place in found})
    rows = await connection.fetch(COMPETITORS, view.board.program_id, ids) if ids else []
    shown = {row["id"]: Competitor(**dict(row)) for row in rows}
    return [
        Standing(
            shown[place.partner_id], place.group, place.rank, place.position, place.score, place.reached_at,
            place.percentile,
        )
        for place in found
        if place.partner_id in shown
    ]  # fmt: skip


def _board(row: Any) -> BoardRow:
    return BoardRow(
        **dict(row)
        | {
            "measure": Measure(row["measure"]),
            "period": Period(row["period"]),
            "audience": Audience.from_json(orjson.loads(row["audience"])),
            "group_by": Grouping(row["group_by"]),
        }
    )


def _season(row: Any) -> SeasonRow:
    return SeasonRow(**dict(row) | {"state": SeasonState(row["state"])})
