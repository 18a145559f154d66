"""Badges are created, over a metric or for missions to award."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from game.badges.service import BadgeInput, create_badge
from metrics.rules import Measure
from metrics.service import MetricInput, create_metric
from tests.services.programs import NOW, Refusal, config_version, make_program, refused, rows

pytestmark = pytest.mark.usefixtures("database")

SELLER = BadgeInput("seller", "Seller", metric="all", levels=[Decimal("10.50"), Decimal("1E+2")])


async def make_metrics() -> int:
    program_id = (await make_program()).id
    await create_metric(program_id=program_id, metric=MetricInput("all", "All", Measure.POINTS_ALL), now=NOW)
    await create_metric(program_id=program_id, metric=MetricInput("sales", "Sales", Measure.AMOUNT), now=NOW)
    return program_id


async def test_levels_are_thresholds_on_the_lifetime_of_a_metric() -> None:
    program_id = await make_metrics()
    made = await create_badge(program_id=program_id, badge=SELLER, now=NOW)
    assert made.levels == (Decimal("10.5"), Decimal(100))
    query = """SELECT b.levels, s.period, s.time_zone, m.key FROM badge b
               JOIN meter_series s ON s.id = b.series_id JOIN metric m ON m.id = b.metric_id AND m.id = s.metric_id
               WHERE b.program_id = $1"""
    assert [tuple(row) for row in await rows(query, program_id)] == [
        ('["10.5", "100"]', "LIFETIME", None, "all")
    ]


async def test_a_badge_for_missions_has_one_level() -> None:
    program_id = await make_metrics()
    await create_badge(program_id=program_id, badge=BadgeInput("pioneer", "Pioneer", hidden=True), now=NOW)
    query = "SELECT levels, hidden, metric_id, series_id FROM badge WHERE program_id = $1"
    assert [tuple(row) for row in await rows(query, program_id)] == [('["1"]', True, None, None)]


async def test_the_same_badge_again_is_the_same() -> None:
    program_id = await make_metrics()
    made = await create_badge(program_id=program_id, badge=SELLER, now=NOW)
    version = await config_version(program_id)
    again = replace(SELLER, levels=[Decimal("10.5"), Decimal(100)])
    assert await create_badge(program_id=program_id, badge=again, now=NOW) == made
    assert await config_version(program_id) == version


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Other"},
        {"hidden": True},
        {"metric": "sales"},
        {"levels": [Decimal(10)]},
        {"metric": None, "levels": None},
    ],
)
async def test_another_content_under_a_key_is_refused(changes: dict[str, Any]) -> None:
    program_id = await make_metrics()
    await create_badge(program_id=program_id, badge=SELLER, now=NOW)
    call = create_badge(program_id=program_id, badge=replace(SELLER, **changes), now=NOW)
    assert await refused(call, program_id=program_id) == ("KEY_TAKEN", ("key",))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"key": ""}, ("INVALID_CODE", ("key",))),
        ({"name": ""}, ("INVALID_NAME", ("name",))),
        ({"metric": "theirs"}, ("UNKNOWN_METRIC", ("metric",))),
        ({"metric": None}, ("NOT_SUPPORTED", ("levels",))),
        ({"levels": None}, ("REQUIRED", ("levels",))),
        ({"levels": []}, ("REQUIRED", ("levels",))),
        ({"levels": [Decimal(0)]}, ("NOT_POSITIVE", ("levels", "0"))),
        ({"levels": [Decimal(1), Decimal("sNaN")]}, ("INVALID_NUMBER", ("levels", "1"))),
        ({"levels": [Decimal(1), Decimal(2), Decimal(2)]}, ("NOT_RISING", ("levels", "2"))),
        ({"levels": [Decimal("0.1234567")]}, ("TOO_PRECISE", ("levels", "0"))),
        ({"levels": [Decimal(n) for n in range(1, 102)]}, ("TOO_MANY", ("levels",))),
    ],
)
async def test_a_wrong_badge_is_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    program_id, other_id = await make_metrics(), await make_metrics()
    await create_metric(program_id=other_id, metric=MetricInput("theirs", "T", Measure.COUNT), now=NOW)
    call = create_badge(program_id=program_id, badge=replace(SELLER, **changes), now=NOW)
    assert await refused(call, program_id=program_id) == refusal
