"""What would happen, told by what happens, and nothing of it kept; and why each rule paid, or did not."""

from decimal import Decimal

import pytest

from base.database import reading
from game.pipeline import WrongSize
from game.preview import preview
from loyalty.earning.explaining import explain_activities
from loyalty.earning.inputs import CapInput
from loyalty.earning.terms import CapPeriod
from loyalty.words import Reader, explain
from metrics.rules import Measure
from partners.audiences import AudienceInput
from tests.invariants import check_audit
from tests.world import World, make_world, return_of, sale

pytestmark = pytest.mark.usefixtures("database")


async def furnish() -> World:
    world = await make_world()
    await world.count("sales", Measure.AMOUNT)
    await world.mission("m", {"sales": 30}, points=100)
    await world.earn("base", amount="0.5")
    await world.earn("capped", amount=1, terms={"caps": [CapInput(CapPeriod.DAY, 50)]})
    await world.earn("bali", activity=5, audience=AudienceInput(regions=["BALI"]))
    await world.earn("fund", activity=3, terms={"budget": 4})
    await world.earn("big", amount=1, terms={"step": Decimal(1000)})
    await world.earn("visit", kind="VISIT", activity=1)
    return world


async def explained(world: World, external_id: str) -> dict[str, tuple[int, str]]:
    """By rule: what it paid, and the last reason in English."""
    (row,) = await world.rows(
        "SELECT id FROM activity WHERE program_id = $1 AND external_id = $2", external_id
    )
    async with reading() as connection:
        found = await explain_activities(connection, program_id=world.program_id, activity_ids=[row["id"]])
    reader = Reader("en")
    return {one.rule.key: (one.points, explain(one.because, reader)[-1].detail) for one in found[row["id"]]}


async def test_a_preview_says_what_recording_does_and_keeps_nothing() -> None:
    world = await furnish()
    given = [sale("a", "shop", 40), sale("b", "shop", 20), return_of("r", "shop", "a"), sale("c", "nobody")]
    before = await world.everything()
    previews = await preview(program_id=world.program_id, activities=given, clock=world.clock)
    assert await world.everything() == before
    assert await world.rows("SELECT FROM activity_key WHERE program_id = $1") == []
    recorded = await world.record(*given)
    assert [one.outcome.status for one in previews] == [one.status for one in recorded]
    assert [one.outcome.code for one in previews] == ["", "", "", "UNKNOWN_PARTNER"]
    for previewed, outcome in zip(previews, recorded, strict=True):
        assert [fact.data for fact in previewed.outcome.facts] == [fact.data for fact in outcome.facts]
        told = {one.rule.key: one.points for one in previewed.rules}
        assert {key: points for key, points in told.items() if points} == {
            row["key"]: row["granted"]
            for row in await world.rows(
                "SELECT r.key, l.granted FROM lot l JOIN earning_rule r ON r.id = l.rule_id"
                " WHERE l.program_id = $1 AND l.activity_id = $2",
                outcome.activity_id,
            )
        }
    # Again: what was recorded answers as a repetition.
    (again,) = await preview(program_id=world.program_id, activities=given[:1], clock=world.clock)
    assert again.outcome.status == "DUPLICATE"
    assert {one.rule.key: one.points for one in again.rules}["base"] == 20
    await check_audit(world.program_id)


async def test_every_rule_says_what_it_paid_or_why_it_did_not() -> None:
    world = await furnish()
    await world.accept(sale("a", "shop", 40), sale("b", "shop", 20))
    assert await explained(world, "a") == {
        "base": (20, "20 points"),
        "capped": (40, "40 points"),
        "fund": (3, "3 points"),
        "bali": (0, "“bali”, version 1: not in its audience: region"),
        "big": (0, "“big”, version 1: 40 counted: less than a full 1,000"),
        "visit": (0, "“visit”, version 1: it is for another kind of activity: Visit"),
    }
    second = await explained(world, "b")
    assert second["capped"] == (
        10,
        "Cut to 10 points: 50 points at most for that day, and 40 were given already",
    )
    assert second["fund"] == (1, "Cut to 1 point: no more was left of the rule's budget of 4 points")
    await world.accept(sale("c", "shop", 20))
    third = await explained(world, "c")
    reached = "cap reached: 50 points at most for that day, and 50 were given already"
    assert third["capped"] == (0, f"“capped”, version 1: {reached}")
    assert third["fund"] == (0, "“fund”, version 1: its budget of 4 points is used up")


async def test_a_preview_is_short() -> None:
    world = await make_world()
    sales = [sale(f"x{n}", "shop", 1) for n in range(101)]
    with pytest.raises(WrongSize):
        await preview(program_id=world.program_id, activities=sales, clock=world.clock)
