"""Standings out of PostgreSQL: of an open season from its meters, of a closed one as they were frozen.

They answer as `leaderboards.board.RedisRanking` does, so that a reader need not know where a standing comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from base.database import Connection
from leaderboards.rules import BoardRow, Entry, Place, SeasonRow, Slice, percentile, plain, unscaled
from leaderboards.statements import (
    BEFORE,
    FREEZE,
    FROZEN_PART,
    FROZEN_PLACES,
    FROZEN_SIZE,
    PAGE,
    PART,
    PLACES,
)


def season_arguments(board: BoardRow, season: SeasonRow) -> tuple[Any, ...]:
    """The first six arguments of every statement over one season."""
    audience = orjson.dumps(board.audience.to_json()).decode()
    return (
        board.program_id, board.series_id, season.window_start, board.scale, audience, board.group_by.value,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LiveRanking:
    """Reads a season's standings out of its meters."""

    connection: Connection
    board: BoardRow
    season: SeasonRow

    async def part(self, group: str, *, start: int, count: int) -> Slice:
        """`count` rows from `start`, which counts from 0."""
        arguments = season_arguments(self.board, self.season)
        rows = await self.connection.fetch(PART, *arguments, group, start, count)
        entries = tuple(
            Entry(row["partner_id"], unscaled(row["points"], self.board.scale), row["reached_at"])
            for row in rows
            if row["partner_id"] is not None
        )
        return Slice(rows[0]["size"], start, rows[0]["rank"], entries)

    async def around(self, group: str, *, partner_id: int, span: int) -> Slice:
        """The partner's row with `span` rows on either side; no rows where it does not stand in the group."""
        arguments = season_arguments(self.board, self.season)
        before = await self.connection.fetchval(BEFORE, *arguments, group, partner_id)
        if before is None:
            return await self.part(group, start=0, count=0)
        start = max(0, before - span)
        return await self.part(group, start=start, count=before + span + 1 - start)

    async def places(self, partner_id: int) -> list[Place]:
        """The partner's place in each group that it stands in."""
        rows = await self.connection.fetch(PLACES, *season_arguments(self.board, self.season), partner_id)
        return [
            Place(
                partner_id, row["key"], row["rank"], row["position"], unscaled(row["points"], self.board.scale),
                row["reached_at"], percentile(row["rank"], row["size"]),
            )
            for row in rows
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FinalRanking:
    """Reads a closed season's final standings."""

    connection: Connection
    board: BoardRow
    season: SeasonRow

    async def part(self, group: str, *, start: int, count: int) -> Slice:
        """`count` rows from `start`, which counts from 0."""
        key = (self.season.program_id, self.season.id, group)
        rows = await self.connection.fetch(FROZEN_PART, *key, start, count)
        size = await self.connection.fetchval(FROZEN_SIZE, *key) or 0
        entries = tuple(Entry(row["partner_id"], plain(row["score"]), row["reached_at"]) for row in rows)
        return Slice(size, start, rows[0]["rank"] if rows else 0, entries)

    async def around(self, group: str, *, partner_id: int, span: int) -> Slice:
        """The partner's row with `span` rows on either side; no rows where it does not stand in the group."""
        for place in await self.places(partner_id):
            if place.group == group:
                start = max(0, place.position - 1 - span)
                return await self.part(group, start=start, count=place.position + span - start)
        return await self.part(group, start=0, count=0)

    async def places(self, partner_id: int) -> list[Place]:
        """The partner's place in each group that it stood in."""
        key = (self.season.program_id, self.season.id)
        return [
            Place(
                partner_id, row["group_key"], row["rank"], row["position"], plain(row["score"]), row["reached_at"],
                percentile(row["rank"], row["size"]),
            )
            for row in await self.connection.fetch(FROZEN_PLACES, *key, partner_id)
        ]  # fmt: skip


async def load_page(
    connection: Connection, *, board: BoardRow, season: SeasonRow, after: int, limit: int
) -> Sequence[Any]:
    """The next rows by partner id, as the board's write script takes them."""
    rows: Sequence[Any] = await connection.fetch(PAGE, *season_arguments(board, season), after, limit)
    return rows


async def freeze(connection: Connection, *, board: BoardRow, season: SeasonRow) -> None:
    """Write the season's final standings, in the caller's transaction."""
    await connection.execute(FREEZE, *season_arguments(board, season), season.id)
