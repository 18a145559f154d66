"""Recorded twice is recorded once: the second answer is the first one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from activity.rules import ActivityInput
from game.outcome import Outcome
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_invariants
from tests.world import NOW, World, back, line, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")

GIVEN = sale(
    "x1",
    "shop",
    [line("tea", "1.50", "10.00"), line("soap", 1, 5)],
    attributes={"till": 4, "cashier": {"a": 1, "b": [1, 2]}},
)


@pytest.fixture
async def world() -> World:
    world = await make_world(("shop", "other"))
    await world.count("sales", Measure.COUNT, Period.MONTHLY)
    await world.earn(amount=1)
    await world.badge("first", "sales", [1])
    await world.mission("m", {"sales": 1}, points=50)
    return world


def assert_repeats(again: Outcome, first: Outcome) -> None:
    """It answers as the first time."""
    assert again.status == "DUPLICATE"
    assert (again.activity_id, again.external_id, list(again.facts)) == (
        first.activity_id,
        first.external_id,
        list(first.facts),
    )


async def test_the_same_payload_answers_with_the_first_facts(world: World) -> None:
    """Also where it comes in the same batch, and where it comes with what is new."""
    first, in_batch = await world.record(GIVEN, GIVEN)
    after_once = await world.everything()
    (later,) = await world.record(GIVEN)
    assert await world.everything() == after_once
    _, among_new = await world.record(sale("x2", "shop"), GIVEN)

    assert first.status == "RECORDED"
    assert {fact.data["type"] for fact in first.facts} >= {"PointsPosted", "MissionCompleted", "BadgeAwarded"}
    for again in (in_batch, later, among_new):
        assert_repeats(again, first)
    await check_invariants(world.program_id)


SAME: Mapping[str, ActivityInput] = {
    "numbers written otherwise": replace(
        GIVEN, lines=[line("tea", "1.5", "1E+1"), line("soap", "1.000", "5.0")]
    ),
    "the instant in another zone": replace(
        GIVEN, occurred_at=NOW.astimezone(timezone(timedelta(hours=7, minutes=30)))
    ),
    "attributes in another order": replace(GIVEN, attributes={"cashier": {"b": [1, 2], "a": 1}, "till": 4}),
}


@pytest.mark.parametrize("name", SAME)
async def test_what_means_the_same_is_the_same_payload(world: World, name: str) -> None:
    (first,) = await world.accept(GIVEN)
    (again,) = await world.record(SAME[name])
    assert_repeats(again, first)


async def test_zero_is_zero_however_it_is_signed(world: World) -> None:
    await world.accept(sale("free", "shop", "0.00"))
    (again,) = await world.record(sale("free", "shop", "-0"))
    assert again.status == "DUPLICATE"


OTHER: Mapping[str, Mapping[str, Any]] = {
    "kind": {"kind": "RECEIPT"},
    "partner": {"partner": "other"},
    "occurred_at": {"occurred_at": NOW - timedelta(microseconds=1)},
    "lines": {"lines": [line("tea", "1.50", "10.00")]},
    "order of lines": {"lines": list(reversed(GIVEN.lines))},
    "quantity": {"lines": [line("tea", "1.51", "10.00"), line("soap", 1, 5)]},
    "amount": {"lines": [line("tea", "1.50", "10.01"), line("soap", 1, 5)]},
    "unit": {"lines": [line("tea", "1.50", "10.00", unit="EA"), line("soap", 1, 5)]},
    "currency": {"currency": "USD"},
    "attributes": {"attributes": None},
}


@pytest.mark.parametrize("name", OTHER)
async def test_another_payload_is_a_conflict(world: World, name: str) -> None:
    await world.accept(GIVEN)
    before = await world.everything()
    changed = replace(GIVEN, **OTHER[name])
    assert await world.refusal(changed) == ("IDEMPOTENCY_CONFLICT", ("externalId",))
    assert await world.everything() == before


async def test_in_one_batch_the_first_payload_wins(world: World) -> None:
    first, other, again = await world.record(GIVEN, replace(GIVEN, attributes=None), GIVEN)
    assert (first.status, other.code, again.status) == ("RECORDED", "IDEMPOTENCY_CONFLICT", "DUPLICATE")


async def test_a_source_has_its_own_keys(world: World) -> None:
    outcomes = await world.accept(GIVEN, replace(GIVEN, source="erp"))
    assert [one.status for one in outcomes] == ["RECORDED", "RECORDED"]


async def test_programs_have_their_own_keys(world: World) -> None:
    second = await make_world(("shop",))
    (first,) = await world.accept(GIVEN)
    (other,) = await second.accept(GIVEN)
    assert other.status == "RECORDED"
    assert await second.refusal(return_of("r1", "shop", "x2")) == ("UNKNOWN_ACTIVITY", ("reverses",))
    assert first.activity_id != other.activity_id


async def test_a_return_is_idempotent_too(world: World) -> None:
    part = return_of("r1", "shop", [back("x1", 1, "tea", "0.5", "3.0")])
    rest = return_of("r2", "shop", "x1")
    await world.accept(GIVEN)
    answers = await world.record(part, part, rest, part, rest)
    assert [one.status for one in answers] == ["RECORDED", "DUPLICATE", "RECORDED", "DUPLICATE", "DUPLICATE"]
    assert answers[3].facts == answers[0].facts
    assert answers[4].facts == answers[2].facts
    assert await world.value("sales", Period.MONTHLY, "shop") == Decimal(0)
    assert (await world.wallet("shop")).available == 0
    await check_invariants(world.program_id)
