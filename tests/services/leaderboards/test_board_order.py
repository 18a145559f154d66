"""The sorted sets against a plain model: whatever the order of versioned writes, and however often each comes."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import base.redis
from leaderboards.board import RedisRanking, Row, begin_generation, write
from leaderboards.rules import BoardRow, Grouping, Place, SeasonRow, SeasonState, percentile, places
from metrics.rules import Measure
from metrics.windows import Period
from partners.rules import Audience

START = datetime(2026, 11, 1, tzinfo=UTC)
GROUPS = ["", "JAVA", "BALI"]
BOARD = BoardRow(
    id=1, program_id=1, key="board", name="Board", metric="points", measure=Measure.POINTS_ALL, series_id=1,
    period=Period.MONTHLY, time_zone="UTC", starts_at=None, ends_at=None, audience=Audience(),
    group_by=Grouping.REGION, filled=True,
)  # fmt: skip


@dataclass(frozen=True)
class Model:
    """The newest state of each partner, sorted."""

    rows: Sequence[Row]

    def ranking(self, group: str) -> list[Place]:
        rows = [row for row in self.rows if row.groups is not None and group in row.groups]
        rows.sort(key=lambda row: (-row.points, row.reached_at, row.partner_id))
        found = []
        for index, row in enumerate(rows):
            rank = 1 + sum(other.points > row.points for other in rows)
            share = percentile(rank, len(rows))
            found.append(
                Place(row.partner_id, group, rank, index + 1, Decimal(row.points), row.reached_at, share)
            )
        return found


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """States of some partners, version by version; and the same as they arrive: shuffled, some of them repeated."""
    states = []
    for partner_id in range(1, draw(st.integers(1, 8)) + 1):
        for version in range(1, draw(st.integers(1, 4)) + 1):
            points = draw(st.integers(1, 3) | st.just(2**53 - 1))
            reached_at = START + timedelta(seconds=draw(st.integers(0, 2)))
            groups = draw(st.sampled_from([None, ("",), ("", "JAVA"), ("", "BALI"), ("", "JAVA", "BALI")]))
            states.append(Row(partner_id, version, points, reached_at, groups))
    repeated = draw(st.lists(st.sampled_from(states), max_size=8))
    return states, draw(st.permutations(states + repeated))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.integers(1, 9), st.integers(0, 3))
async def test_any_order_of_writes_gives_the_order_of_the_model(
    redis: base.redis.Client, history: tuple[list[Row], list[Row]], chunk: int, span: int
) -> None:
    states, arriving = history
    season = await new_season(redis)
    for first in range(0, len(arriving), chunk):
        await write(redis, {season.id: [row.packed() for row in arriving[first : first + chunk]]})
    model = Model(list({row.partner_id: row for row in states}.values()))
    ranking = RedisRanking(redis, BOARD, season)
    for group in GROUPS:
        expected = model.ranking(group)
        whole = await ranking.part(group, start=0, count=100)
        assert whole is not None
        assert places(whole, group) == expected
        for place in expected:
            index = place.position - 1
            near = await ranking.around(group, partner_id=place.partner_id, span=span)
            assert near is not None
            assert places(near, group) == expected[max(0, index - span) : index + span + 1]
    for row in model.rows:
        everywhere = [place for group in row.groups or () for place in model.ranking(group)]
        expected = [place for place in everywhere if place.partner_id == row.partner_id]
        assert await ranking.places(row.partner_id) == expected


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
async def test_writing_all_again_changes_nothing(
    redis: base.redis.Client, history: tuple[list[Row], list[Row]]
) -> None:
    _, arriving = history
    season = await new_season(redis)
    packed = [row.packed() for row in arriving]
    await write(redis, {season.id: packed})
    assert await write(redis, {season.id: packed}) == frozenset()


async def new_season(redis: base.redis.Client) -> SeasonRow:
    """A season with an empty generation."""
    window = date(2026, 11, 1)
    season = SeasonRow(secrets.randbits(40), 1, 1, "2026-11", window, START, None, SeasonState.LIVE, 0, None)
    generation = await begin_generation(redis, season, built_as="filled test")
    return SeasonRow(season.id, 1, 1, season.key, window, START, None, season.state, generation.number, None)
