"""The projection of a season into Redis: sorted sets, and how they are written and read.

A group's ranking is a sorted set whose score is the negated whole number that ranks (see `rules`), so that ascending
order is best first. Members of equal score are ordered by themselves: a member is the instant at which the score was
reached, in microseconds since the year 1, and then the partner's number, both in hexadecimal of a fixed width.

Beside the sorted sets a hash keeps each partner's row: its version, member and groups. A row is written absolutely,
and only where its version is newer than the one that stands, or the same with another content: never by increments.
Leaving a board is such a write too, and leaves a tombstone. So writes may be repeated and arrive in any order.

While a generation is being built, writes go to it and to the one that readers use.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from redis.exceptions import NoScriptError

from base.redis import Client
from leaderboards.keys import generations_key, prefix, ranking_key, rows_key
from leaderboards.rules import BoardRow, Entry, Place, SeasonRow, Slice, percentile, unscaled

YEAR_ONE: Final = datetime(1, 1, 1, tzinfo=UTC)
INSTANT_WIDTH: Final = 15
PARTNER_WIDTH: Final = 12
GROUP_SEPARATOR: Final = "\x1f"
"""Between the groups of a row: no code holds it, since codes are printable."""

ROWS_PER_CALL: Final = 200
"""A call of the write script takes about a millisecond, for which Redis serves no one else."""

CALLS_PER_PIPELINE: Final = 50
"""What waits for an answer is held in memory on both sides."""


class Script:
    """A Lua script that stands beside this module."""

    def __init__(self, name: str) -> None:
        self.text: Final = Path(__file__).with_name(f"{name}.lua").read_text()
        self._digest: Final = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def call(self, client: Client, keys: Sequence[str], *arguments: str | int) -> Any:
        """Run it; all keys share a hash tag."""
        try:
            return await client.execute_command("EVALSHA", self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self.text, len(keys), *keys, *arguments)


BEGIN: Final = Script("begin")
WRITE: Final = Script("write")
READ: Final = Script("read")
PLACES: Final = Script("places")
CHECK: Final = Script("check")
DROP: Final = Script("drop")


@dataclass(frozen=True, slots=True)
class Row:
    """What a board shows of one partner, at one version; `groups` is None where it stands on no board."""

    partner_id: int
    version: int
    points: int
    reached_at: datetime
    groups: tuple[str, ...] | None

    def packed(self) -> tuple[int, int, str, str, str]:
        """As the write script takes it, and as `standings` selects it."""
        if self.groups is None:
            return self.partner_id, self.version, f"-{self.points}", "", ""
        member = write_member(self.reached_at, self.partner_id)
        return self.partner_id, self.version, f"-{self.points}", member, GROUP_SEPARATOR.join(self.groups)


PackedRow = Sequence[Any]
"""(partner id, version, negated score, member or "", groups), a tuple or a record of the database."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A filling of a board; the token tells it from another of the same number after Redis lost its data."""

    season_id: int
    number: int
    token: str


class GenerationLost(Exception):
    """The generation is not there any more: Redis lost its data, or a later one has replaced it."""


def write_member(reached_at: datetime, partner_id: int) -> str:
    """The member of a partner that reached its score then."""
    micros = (reached_at - YEAR_ONE) // timedelta(microseconds=1)
    return f"{micros:0{INSTANT_WIDTH}x}{partner_id:0{PARTNER_WIDTH}x}"


def read_member(member: bytes) -> tuple[datetime, int]:
    """When the score was reached, and by whom."""
    reached_at = YEAR_ONE + timedelta(microseconds=int(member[:INSTANT_WIDTH], 16))
    return reached_at, int(member[INSTANT_WIDTH:], 16)


def write_calls(
    rows: Sequence[PackedRow], *, season_id: int, generation: Generation | None
) -> Iterable[tuple[Any, ...]]:
    """The arguments of EVAL that write `rows`: one key, so each call stays in the season's slot."""
    target = ("", "") if generation is None else (generation.number, generation.token)
    for first in range(0, len(rows), ROWS_PER_CALL):
        flat = [value for row in rows[first : first + ROWS_PER_CALL] for value in row]
        yield (WRITE.text, 1, generations_key(season_id), prefix(season_id), *target, *flat)


async def write(client: Client, rows: Mapping[int, Sequence[PackedRow]]) -> frozenset[int]:
    """Write rows of seasons to all generations that they have. Returns the seasons in which anything changed.

    A season without a generation is passed over: the rows will be read when one is built.
    """
    calls = [
        (season_id, call)
        for season_id, of_season in rows.items()
        for call in write_calls(of_season, season_id=season_id, generation=None)
    ]
    # Scripts go through pipelines as EVAL: a cluster's pipelines refuse EVALSHA.
    changed = await _run(client, [call for _, call in calls])
    return frozenset(season_id for (season_id, _), count in zip(calls, changed, strict=True) if count > 0)


async def fill(client: Client, rows: Sequence[PackedRow], generation: Generation) -> None:
    """Write rows to the generation that is being built. `GenerationLost` where it is not there any more."""
    calls = list(write_calls(rows, season_id=generation.season_id, generation=generation))
    if -1 in await _run(client, calls):
        raise GenerationLost


async def _run(client: Client, calls: Sequence[tuple[Any, ...]]) -> list[int]:
    """Run write calls in pipelines, a few at a time."""
    answers: list[int] = []
    for first in range(0, len(calls), CALLS_PER_PIPELINE):
        pipeline = client.pipeline(transaction=False)
        for call in calls[first : first + CALLS_PER_PIPELINE]:
            pipeline.eval(*call)
        answers += await pipeline.execute()
    return answers


async def begin_generation(client: Client, season: SeasonRow, *, built_as: str) -> Generation:
    """Begin to build the next generation; `built_as` is kept with it, and `check_generation` tells whether it holds."""
    number, token = await BEGIN.call(client, [generations_key(season.id)], season.generation, built_as)
    return Generation(season.id, number, token.decode())


async def check_generation(client: Client, season: SeasonRow, *, kind: str) -> bool:
    """Whether the generation that readers use is there, was built as `kind` (the first word of `built_as`), and by
    this run of the server: one that came back from an older snapshot, or as a replica, may lack what was written."""
    token, run = await CHECK.call(client, [generations_key(season.id)], season.generation)
    return token is not None and token.split()[:2] == [run, kind.encode()]


async def drop_generations(client: Client, season_id: int, *, below: int, token: str = "") -> None:
    """Drop the generations below a number, and the one of `token`."""
    await DROP.call(client, [generations_key(season_id)], prefix(season_id), below, token)


@dataclass(frozen=True, slots=True)
class RedisRanking:
    """Reads a season's projection. Answers None where the generation is not there."""

    client: Client
    board: BoardRow
    season: SeasonRow

    async def part(self, group: str, *, start: int, count: int) -> Slice | None:
        """`count` rows from `start`, which counts from 0."""
        return await self._read(group, start, count)

    async def around(self, group: str, *, partner_id: int, span: int) -> Slice | None:
        """The partner's row with `span` rows on either side; no rows where it does not stand in the group."""
        return await self._read(group, "around", partner_id, span)

    async def places(self, partner_id: int) -> list[Place] | None:
        """The partner's place in each group that it stands in."""
        answer = await PLACES.call(
            self.client, self._keys(), prefix(self.season.id), self.season.generation, partner_id
        )
        if answer is None:
            return None
        if not answer:
            return []
        reached_at, _ = read_member(answer[0])
        return [
            Place(
                partner_id, group.decode(), better + 1, index + 1, self._score(score), reached_at,
                percentile(better + 1, size),
            )
            for group, score, index, better, size in answer[1:]
        ]  # fmt: skip

    async def _read(self, group: str, *how: str | int) -> Slice | None:
        keys = [*self._keys(), ranking_key(self.season.id, self.season.generation, group)]
        answer = await READ.call(self.client, keys, self.season.generation, *how)
        if answer is None:
            return None
        size, start, rank, flat = answer
        entries = []
        for member, score in zip(flat[::2], flat[1::2], strict=True):
            reached_at, partner_id = read_member(member)
            entries.append(Entry(partner_id, self._score(score), reached_at))
        return Slice(size, start, rank, tuple(entries))

    def _keys(self) -> list[str]:
        return [generations_key(self.season.id), rows_key(self.season.id, self.season.generation)]

    def _score(self, negated: bytes) -> Any:
        return unscaled(-int(negated), self.board.scale)
