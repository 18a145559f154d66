"""Boards are created once, and only whole."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import pytest

import base.redis
from leaderboards.rules import Grouping
from leaderboards.service import LeaderboardInput, create_leaderboard
from metrics.rules import Measure
from metrics.service import MetricInput, create_metric
from metrics.windows import Period
from partners.audiences import AudienceInput
from tests.services.leaderboards.scenes import NOW, Scene, make_scene
from tests.services.programs import config_version, refused, rows

POINTS = MetricInput(key="points", name="Points", measure=Measure.POINTS_ALL)
BOARD = LeaderboardInput(key="board", name="The board", metric="points", period=Period.MONTHLY)


@pytest.fixture
async def scene(boards: base.redis.Client) -> Scene:
    scene = await make_scene("a")
    await create_metric(program_id=scene.program_id, metric=POINTS, now=NOW)
    return scene


def create(scene: Scene, **changed: object) -> Awaitable[object]:
    given = {name: getattr(BOARD, name) for name in BOARD.__slots__} | changed
    board = LeaderboardInput(**given)
    return create_leaderboard(program_id=scene.program_id, leaderboard=board, now=NOW)


async def test_a_board_is_created_with_its_series_and_its_season(scene: Scene) -> None:
    before = await config_version(scene.program_id)
    audience = AudienceInput(regions=["JAVA"])
    await create(scene, audience=audience, group_by=Grouping.REGION, time_zone="Asia/Jakarta")
    view = await scene.view()
    assert (view.board.metric, view.board.time_zone, view.board.group_by) == (
        "points",
        "Asia/Jakarta",
        Grouping.REGION,
    )
    assert view.board.audience.regions == {"JAVA"}
    assert view.season.starts_at == datetime(2026, 10, 31, 17, tzinfo=UTC)
    (series,) = await rows("SELECT * FROM meter_series WHERE id = $1", view.board.series_id)
    assert (series["period"], series["time_zone"]) == ("MONTHLY", "Asia/Jakarta")
    assert await config_version(scene.program_id) == before + 1  # type: ignore[operator]


async def test_the_same_again_answers_the_one_that_stands(scene: Scene) -> None:
    first = await create(scene)
    version = await config_version(scene.program_id)
    assert await create(scene) == first
    assert await create(scene, time_zone="UTC") == first, "the program's zone, named"
    assert await config_version(scene.program_id) == version


async def test_a_fixed_board_counts_in_its_own_range(scene: Scene) -> None:
    await create(scene, period=Period.FIXED, starts_at=NOW, ends_at=NOW + timedelta(days=9))
    view = await scene.view()
    (series,) = await rows("SELECT * FROM meter_series WHERE id = $1", view.board.series_id)
    assert (series["time_zone"], series["starts_at"], series["ends_at"]) == (
        None,
        NOW,
        NOW + timedelta(days=9),
    )


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"key": " board"}, "INVALID_CODE", ("key",)),
        ({"name": " "}, "INVALID_NAME", ("name",)),
        ({"metric": "nothing"}, "UNKNOWN_METRIC", ("metric",)),
        ({"period": Period.LIFETIME}, "INVALID_PERIOD", ("period",)),
        ({"period": Period.FIXED}, "REQUIRED", ("startsAt",)),
        ({"starts_at": NOW, "ends_at": NOW}, "ENDS_BEFORE_START", ("endsAt",)),
        ({"starts_at": NOW.replace(tzinfo=None)}, "ZONE_MISSING", ("startsAt",)),
        ({"starts_at": NOW.replace(year=1899)}, "INVALID_DATE", ("startsAt",)),
        ({"time_zone": "Mars/Base"}, "INVALID_TIME_ZONE", ("timeZone",)),
        ({"audience": AudienceInput(regions=["MOON"])}, "UNKNOWN_REGION", ("audience", "regions", "0")),
        ({"audience": AudienceInput(tiers=["gold"])}, "UNKNOWN_TIER", ("audience", "tiers", "0")),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    scene: Scene, changed: dict[str, object], code: str, field: tuple[str, ...]
) -> None:
    assert await refused(create(scene, **changed), program_id=scene.program_id) == (code, field)
    assert await rows("SELECT 1 FROM leaderboard WHERE program_id = $1", scene.program_id) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Another"},
        {"period": Period.WEEKLY},
        {"group_by": Grouping.TIER},
        {"time_zone": "Asia/Jakarta"},
    ],
)
async def test_a_key_with_another_content_is_taken(scene: Scene, changed: dict[str, object]) -> None:
    await create(scene)
    assert await refused(create(scene, **changed), program_id=scene.program_id) == ("KEY_TAKEN", ("key",))
