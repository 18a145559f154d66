"""Missions are created as drafts, published, and ended."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from base.errors import NotFound
from game.badges.service import BadgeInput, create_badge
from game.missions.service import (
    MissionInput,
    MissionRewardInput,
    ObjectiveInput,
    create_mission,
    end_mission,
    publish_mission,
)
from game.missions.states import MissionState, state_of
from loyalty.tiers.service import TierInput, TierLadderInput, set_tier_ladder
from metrics.rules import Measure
from metrics.service import MetricInput, create_metric
from metrics.windows import Period
from partners.audiences import AudienceInput
from partners.service import RegionInput, upsert_regions
from tests.services.programs import NOW, Refusal, config_version, make_program, refused, rows

pytestmark = pytest.mark.usefixtures("database")

END = NOW + timedelta(days=30)
SELL = ObjectiveInput("sell", "Sell for 100", "sales", Decimal(100))
MISSION = MissionInput(
    key="launch",
    title="Launch",
    starts_at=NOW,
    ends_at=END,
    objectives=[SELL, ObjectiveInput("visits", "Three visits", "visits", Decimal(3))],
    rewards=[MissionRewardInput(points=500), MissionRewardInput(badge="pioneer")],
    description="Sell, and let us visit.",
    audience=AudienceInput(regions=["java"], tiers=["bronze"]),
)


async def make_game() -> int:
    """A program with metrics, a ladder and two badges."""
    program_id = (await make_program()).id
    await upsert_regions(program_id=program_id, regions=[RegionInput("java", "Java")])
    for key, measure in (("sales", Measure.AMOUNT), ("visits", Measure.COUNT), ("all", Measure.POINTS_ALL)):
        await create_metric(program_id=program_id, metric=MetricInput(key, key, measure), now=NOW)
    ladder = TierLadderInput("sales", Period.YEARLY, [TierInput("bronze", "Bronze", Decimal(0))])
    await set_tier_ladder(program_id=program_id, ladder=ladder)
    await create_badge(program_id=program_id, badge=BadgeInput("pioneer", "Pioneer"), now=NOW)
    seller = BadgeInput("seller", "Seller", metric="sales", levels=[Decimal(1)])
    await create_badge(program_id=program_id, badge=seller, now=NOW)
    return program_id


async def test_a_mission_is_a_draft_over_its_own_window() -> None:
    program_id = await make_game()
    made = await create_mission(program_id=program_id, mission=MISSION, now=NOW)
    assert (made.key, made.version, made.published_at) == ("launch", 1, None)
    assert state_of(made, NOW) is MissionState.DRAFT
    query = """SELECT o.position, o.key, o.target, m.key, s.period, s.time_zone, s.starts_at, s.ends_at
               FROM objective o JOIN metric m ON m.id = o.metric_id
               JOIN meter_series s ON s.id = o.series_id AND s.metric_id = m.id
               WHERE o.program_id = $1 ORDER BY o.position"""
    assert [tuple(row) for row in await rows(query, program_id)] == [
        (1, "sell", Decimal(100), "sales", "FIXED", None, NOW, END),
        (2, "visits", Decimal(3), "visits", "FIXED", None, NOW, END),
    ]
    query = """SELECT m.audience = '{"regions": ["java"], "tiers": ["bronze"]}',
                      m.rewards = jsonb_build_array('{"points": 500}'::jsonb, jsonb_build_object('badge', b.id))
               FROM mission m JOIN badge b ON b.program_id = m.program_id AND b.key = 'pioneer'
               WHERE m.program_id = $1"""
    assert [tuple(row) for row in await rows(query, program_id)] == [(True, True)]


async def test_the_same_mission_again_is_the_same_even_when_it_runs() -> None:
    program_id = await make_game()
    await create_mission(program_id=program_id, mission=MISSION, now=NOW)
    published = await publish_mission(program_id=program_id, key="launch", now=NOW)
    version = await config_version(program_id)
    assert await create_mission(program_id=program_id, mission=MISSION, now=NOW) == published
    assert await config_version(program_id) == version


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Other"},
        {"description": ""},
        {"ends_at": END + timedelta(days=1)},
        {"audience": None},
        {"rewards": []},
        {"objectives": [SELL]},
        {"objectives": [replace(SELL, target=Decimal(101)), MISSION.objectives[1]]},
        {"objectives": MISSION.objectives[::-1]},
    ],
)
async def test_another_content_under_a_key_is_refused(changes: dict[str, Any]) -> None:
    program_id = await make_game()
    await create_mission(program_id=program_id, mission=MISSION, now=NOW)
    call = create_mission(program_id=program_id, mission=replace(MISSION, **changes), now=NOW)
    assert await refused(call, program_id=program_id) == ("KEY_TAKEN", ("key",))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"key": ""}, ("INVALID_CODE", ("key",))),
        ({"title": ""}, ("INVALID_NAME", ("title",))),
        ({"description": "\0"}, ("INVALID_TEXT", ("description",))),
        ({"ends_at": NOW}, ("ENDS_BEFORE_START", ("endsAt",))),
        ({"ends_at": END.replace(tzinfo=None)}, ("ZONE_MISSING", ("endsAt",))),
        ({"starts_at": NOW.replace(year=1)}, ("INVALID_DATE", ("startsAt",))),
        ({"ends_at": NOW.replace(year=9999)}, ("INVALID_DATE", ("endsAt",))),
        ({"objectives": []}, ("REQUIRED", ("objectives",))),
        ({"objectives": [SELL, SELL]}, ("DUPLICATE", ("objectives", "1", "key"))),
        ({"objectives": [replace(SELL, key="")]}, ("INVALID_CODE", ("objectives", "0", "key"))),
        ({"objectives": [replace(SELL, label="")]}, ("INVALID_NAME", ("objectives", "0", "label"))),
        (
            {"objectives": [replace(SELL, target=Decimal(0))]},
            ("NOT_POSITIVE", ("objectives", "0", "target", "fixed")),
        ),
        (
            {"objectives": [SELL, replace(SELL, key="x", metric="theirs")]},
            ("UNKNOWN_METRIC", ("objectives", "1", "metric")),
        ),
        ({"objectives": [replace(SELL, metric="all")]}, ("CIRCULAR_METRIC", ("objectives", "0", "metric"))),
        ({"rewards": [MissionRewardInput()]}, ("EXACTLY_ONE", ("rewards", "0"))),
        ({"rewards": [MissionRewardInput(points=1, badge="pioneer")]}, ("EXACTLY_ONE", ("rewards", "0"))),
        ({"rewards": [MissionRewardInput(points=0)]}, ("NOT_POSITIVE", ("rewards", "0", "points"))),
        (
            {"rewards": [MissionRewardInput(badge="their-badge")]},
            ("UNKNOWN_BADGE", ("rewards", "0", "badge")),
        ),
        ({"rewards": [MissionRewardInput(badge="seller")]}, ("NOT_SUPPORTED", ("rewards", "0", "badge"))),
        ({"rewards": [MissionRewardInput(badge="pioneer")] * 2}, ("DUPLICATE", ("rewards", "1", "badge"))),
        ({"audience": AudienceInput(tiers=["iron"])}, ("UNKNOWN_TIER", ("audience", "tiers", "0"))),
        ({"audience": AudienceInput(regions=["bali"])}, ("UNKNOWN_REGION", ("audience", "regions", "0"))),
    ],
)
async def test_a_wrong_mission_is_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    program_id, other_id = await make_game(), await make_game()
    await create_metric(program_id=other_id, metric=MetricInput("theirs", "T", Measure.COUNT), now=NOW)
    await create_badge(program_id=other_id, badge=BadgeInput("their-badge", "Theirs"), now=NOW)
    call = create_mission(program_id=program_id, mission=replace(MISSION, **changes), now=NOW)
    assert await refused(call, program_id=program_id) == refusal


# ------------------------------------------------------------------------------------------------------ its life


async def test_a_mission_is_published_once() -> None:
    program_id = await make_game()
    await create_mission(program_id=program_id, mission=MISSION, now=NOW)
    early = NOW - timedelta(days=1)
    published = await publish_mission(program_id=program_id, key="launch", now=early)
    assert published.published_at == early
    assert state_of(published, early) is MissionState.SCHEDULED
    assert state_of(published, NOW) is MissionState.LIVE
    version = await config_version(program_id)
    assert await publish_mission(program_id=program_id, key="launch", now=NOW) == published
    assert await config_version(program_id) == version


async def test_a_mission_is_ended_once() -> None:
    program_id = await make_game()
    await create_mission(program_id=program_id, mission=MISSION, now=NOW)
    await publish_mission(program_id=program_id, key="launch", now=NOW)
    version = await config_version(program_id)
    ended = await end_mission(program_id=program_id, key="launch", now=NOW + timedelta(days=1))
    assert ended.ended_at == NOW + timedelta(days=1)
    assert state_of(ended, NOW + timedelta(days=1)) is MissionState.ENDED
    assert await config_version(program_id) == version + 1  # type: ignore[operator]
    assert await end_mission(program_id=program_id, key="launch", now=NOW + timedelta(days=2)) == ended
    call = publish_mission(program_id=program_id, key="launch", now=NOW + timedelta(days=2))
    assert await refused(call, program_id=program_id) == ("MISSION_ENDED", ("key",))


async def test_a_mission_that_ran_out_needs_no_ending() -> None:
    program_id = await make_game()
    await create_mission(program_id=program_id, mission=MISSION, now=NOW)
    await publish_mission(program_id=program_id, key="launch", now=NOW)
    assert (await end_mission(program_id=program_id, key="launch", now=END)).ended_at is None


async def test_a_draft_is_not_ended_and_a_past_one_not_published() -> None:
    program_id = await make_game()
    await create_mission(program_id=program_id, mission=MISSION, now=NOW)
    call = end_mission(program_id=program_id, key="launch", now=NOW)
    assert await refused(call, program_id=program_id) == ("MISSION_NOT_PUBLISHED", ("key",))
    call = publish_mission(program_id=program_id, key="launch", now=END)
    assert await refused(call, program_id=program_id) == ("MISSION_ENDED", ("key",))


async def test_another_programs_mission_is_not_found() -> None:
    program_id, other_id = await make_game(), await make_game()
    await create_mission(program_id=other_id, mission=MISSION, now=NOW)
    for act in (publish_mission, end_mission):
        call = act(program_id=program_id, key="launch", now=NOW)
        assert await refused(call, program_id=program_id) == (NotFound.code, ("key",))


@dataclass(frozen=True)
class Dates:
    starts_at: datetime = NOW
    ends_at: datetime | None = END
    published_at: datetime | None = NOW - timedelta(days=9)
    ended_at: datetime | None = None


@pytest.mark.parametrize(
    ("dates", "now", "state"),
    [
        (Dates(published_at=None), NOW, MissionState.DRAFT),
        (Dates(published_at=None), END, MissionState.DRAFT),
        (Dates(), NOW - timedelta(microseconds=1), MissionState.SCHEDULED),
        (Dates(), NOW, MissionState.LIVE),
        (Dates(), END - timedelta(microseconds=1), MissionState.LIVE),
        (Dates(), END, MissionState.ENDED),
        (Dates(ends_at=None), END + timedelta(days=999), MissionState.LIVE),
        (Dates(ended_at=NOW), NOW, MissionState.ENDED),
    ],
)
def test_the_state_follows_from_the_dates(dates: Dates, now: datetime, state: MissionState) -> None:
    assert state_of(dates, now) is state
