"""The tier ladder is set as a whole, and nobody is moved by it."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from base.database import reading, transaction
from loyalty.tiers.queries import known_tiers, tier_keys
from loyalty.tiers.service import TierInput, TierLadderInput, carry_levels, set_tier_ladder
from metrics.rules import Measure
from metrics.service import MetricInput, create_metric
from metrics.windows import Period
from partners.service import PartnerInput, PartnerKind, RegionInput, upsert_partners, upsert_regions
from tests.services.programs import NOW, Refusal, config_version, make_program, refused, rows, value

pytestmark = pytest.mark.usefixtures("database")

BRONZE = TierInput("bronze", "Bronze", Decimal(0))
SILVER = TierInput("silver", "Silver", Decimal(100), Decimal("1.25"))
GOLD = TierInput("gold", "Gold", Decimal(500), Decimal("1.5"))
PLUS = TierInput("plus", "Silver plus", Decimal(300))
LADDER = TierLadderInput("points", Period.QUARTERLY, [BRONZE, SILVER, GOLD])


async def make_program_with_metric() -> int:
    program = await make_program()
    metric = MetricInput("points", "Points", Measure.POINTS_ALL)
    await create_metric(program_id=program.id, metric=metric, now=NOW)
    await create_metric(
        program_id=program.id, metric=replace(metric, key="sales", measure=Measure.AMOUNT), now=NOW
    )
    return program.id


async def make_standings() -> tuple[int, list[int]]:
    """A program with a ladder, and three partners: on silver, on gold, and where everyone starts."""
    program_id = await make_program_with_metric()
    await set_tier_ladder(program_id=program_id, ladder=LADDER)
    await upsert_regions(program_id=program_id, regions=[RegionInput("java", "Java")])
    shops = [PartnerInput(code, code, PartnerKind.RETAILER, "java") for code in ("a", "b", "c")]
    ids = [row.id for row in await upsert_partners(program_id=program_id, partners=shops, now=NOW)]
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO tier_standing (program_id, partner_id, level, since) VALUES ($1, $2, 1, $4), ($1, $3, 2, $4)",
            program_id,
            ids[0],
            ids[1],
            NOW,
        )
    return program_id, ids


async def levels_of(program_id: int) -> list[int]:
    query = "SELECT level FROM tier_standing WHERE program_id = $1 ORDER BY partner_id"
    return [row["level"] for row in await rows(query, program_id)]


async def keys_of(program_id: int, partner_ids: Sequence[int]) -> list[str | None]:
    async with reading() as connection:
        keys = await tier_keys(connection, program_id=program_id, partner_ids=partner_ids)
    return [keys[id_] for id_ in partner_ids]


async def test_a_ladder_has_levels_from_the_lowest() -> None:
    program_id = await make_program_with_metric()
    made = await set_tier_ladder(program_id=program_id, ladder=LADDER)
    assert [(tier.key, tier.level, tier.threshold, tier.multiplier) for tier in made] == [
        ("bronze", 0, Decimal(0), Decimal(1)),
        ("silver", 1, Decimal(100), Decimal("1.25")),
        ("gold", 2, Decimal(500), Decimal("1.5")),
    ]
    query = """SELECT s.period, s.time_zone FROM tier_ladder l
               JOIN meter_series s ON s.program_id = l.program_id AND s.id = l.series_id WHERE l.program_id = $1"""
    assert [tuple(row) for row in await rows(query, program_id)] == [("QUARTERLY", None)]


async def test_the_same_ladder_again_changes_nothing() -> None:
    program_id = await make_program_with_metric()
    made = await set_tier_ladder(program_id=program_id, ladder=LADDER)
    version = await config_version(program_id)
    assert await set_tier_ladder(program_id=program_id, ladder=LADDER) == made
    assert await config_version(program_id) == version


async def test_partners_stand_on_their_tier_or_where_everyone_starts() -> None:
    program_id, ids = await make_standings()
    assert await keys_of(program_id, ids) == ["silver", "gold", "bronze"]
    bare_id = await make_program_with_metric()
    assert await keys_of(bare_id, ids) == [None, None, None]
    async with reading() as connection:
        assert await known_tiers(connection, program_id=program_id) == {"bronze", "silver", "gold"}


async def test_a_tier_in_between_moves_levels_and_nobody() -> None:
    program_id, ids = await make_standings()
    before = await rows("SELECT id FROM tier WHERE program_id = $1 ORDER BY level", program_id)
    made = await set_tier_ladder(
        program_id=program_id, ladder=replace(LADDER, tiers=[BRONZE, SILVER, PLUS, GOLD])
    )
    assert [made[0].id, made[1].id, made[3].id] == [row["id"] for row in before]
    assert await levels_of(program_id) == [1, 3]
    assert await keys_of(program_id, ids) == ["silver", "gold", "bronze"]
    versions = await rows("SELECT version FROM partner WHERE program_id = $1 ORDER BY id", program_id)
    assert [row["version"] for row in versions] == [1, 2, 1]
    assert await value("SELECT partner_ids FROM outbox WHERE program_id = $1", program_id) == [ids[1]]


async def test_tiers_may_change_places() -> None:
    program_id, ids = await make_standings()
    turned = [BRONZE, replace(GOLD, threshold=Decimal(50)), SILVER]
    await set_tier_ladder(program_id=program_id, ladder=replace(LADDER, tiers=turned))
    assert await keys_of(program_id, ids) == ["silver", "gold", "bronze"]
    assert await levels_of(program_id) == [2, 1]


async def test_another_period_moves_nobody() -> None:
    program_id, ids = await make_standings()
    await set_tier_ladder(program_id=program_id, ladder=replace(LADDER, period=Period.YEARLY))
    assert await levels_of(program_id) == [1, 2]
    assert await keys_of(program_id, ids) == ["silver", "gold", "bronze"]
    assert await value("SELECT count(*) FROM outbox WHERE program_id = $1", program_id) == 0


async def test_a_new_name_or_multiplier_leaves_standings_alone() -> None:
    program_id, _ = await make_standings()
    before = await rows("SELECT xmin::text, * FROM tier_standing WHERE program_id = $1", program_id)
    version = await config_version(program_id)
    dear = replace(GOLD, name="Or", multiplier=Decimal(2))
    made = await set_tier_ladder(program_id=program_id, ladder=replace(LADDER, tiers=[BRONZE, SILVER, dear]))
    assert (made[2].name, made[2].multiplier) == ("Or", Decimal(2))
    assert await rows("SELECT xmin::text, * FROM tier_standing WHERE program_id = $1", program_id) == before
    assert await config_version(program_id) == version + 1  # type: ignore[operator]


async def test_a_tier_that_nobody_stands_on_may_go() -> None:
    program_id, ids = await make_standings()
    await set_tier_ladder(program_id=program_id, ladder=replace(LADDER, tiers=[BRONZE, SILVER, PLUS, GOLD]))
    await set_tier_ladder(program_id=program_id, ladder=LADDER)
    assert await keys_of(program_id, ids) == ["silver", "gold", "bronze"]
    assert await levels_of(program_id) == [1, 2]


@pytest.mark.parametrize(
    ("tiers", "refusal"),
    [
        ([BRONZE, GOLD], ("TIER_IN_USE", ("tiers",))),
        ([replace(BRONZE, key="start"), SILVER, GOLD], ("TIER_IN_USE", ("tiers",))),
        (
            [replace(BRONZE, key="start"), replace(BRONZE, threshold=Decimal(10)), SILVER, GOLD],
            ("TIER_IN_USE", ("tiers", "0", "key")),
        ),
    ],
)
async def test_a_tier_in_use_stays(tiers: list[TierInput], refusal: Refusal) -> None:
    program_id, _ = await make_standings()
    call = set_tier_ladder(program_id=program_id, ladder=replace(LADDER, tiers=tiers))
    assert await refused(call, program_id=program_id) == refusal


async def test_without_partners_every_tier_may_go() -> None:
    program_id = await make_program_with_metric()
    await set_tier_ladder(program_id=program_id, ladder=LADDER)
    made = await set_tier_ladder(
        program_id=program_id, ladder=replace(LADDER, metric="sales", tiers=[replace(BRONZE, key="start")])
    )
    assert [tier.key for tier in made] == ["start"]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"metric": "unknown"}, ("UNKNOWN_METRIC", ("metric",))),
        ({"metric": "theirs"}, ("UNKNOWN_METRIC", ("metric",))),
        ({"period": Period.FIXED}, ("NOT_SUPPORTED", ("period",))),
        ({"period": Period.LIFETIME}, ("NOT_SUPPORTED", ("period",))),
        ({"tiers": []}, ("REQUIRED", ("tiers",))),
        ({"tiers": [BRONZE, replace(SILVER, key="")]}, ("INVALID_CODE", ("tiers", "1", "key"))),
        ({"tiers": [BRONZE, replace(SILVER, name="")]}, ("INVALID_NAME", ("tiers", "1", "name"))),
        ({"tiers": [BRONZE, replace(SILVER, key="bronze")]}, ("DUPLICATE", ("tiers", "1", "key"))),
        ({"tiers": [SILVER, GOLD]}, ("FIRST_NOT_ZERO", ("tiers", "0", "threshold"))),
        ({"tiers": [BRONZE, GOLD, SILVER]}, ("NOT_RISING", ("tiers", "2", "threshold"))),
        (
            {"tiers": [BRONZE, replace(SILVER, threshold=Decimal(0))]},
            ("NOT_RISING", ("tiers", "1", "threshold")),
        ),
        ({"tiers": [replace(BRONZE, threshold=Decimal(-1))]}, ("NEGATIVE", ("tiers", "0", "threshold"))),
        ({"tiers": [replace(BRONZE, multiplier=Decimal(0))]}, ("NOT_POSITIVE", ("tiers", "0", "multiplier"))),
        (
            {"tiers": [replace(BRONZE, multiplier=Decimal("1e-7"))]},
            ("TOO_PRECISE", ("tiers", "0", "multiplier")),
        ),
        (
            {"tiers": [replace(BRONZE, multiplier=Decimal("1e6"))]},
            ("TOO_LARGE", ("tiers", "0", "multiplier")),
        ),
    ],
)
async def test_a_wrong_ladder_is_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    program_id, other_id = await make_program_with_metric(), await make_program_with_metric()
    await create_metric(program_id=other_id, metric=MetricInput("theirs", "T", Measure.COUNT), now=NOW)
    call = set_tier_ladder(program_id=program_id, ladder=replace(LADDER, **changes))
    assert await refused(call, program_id=program_id) == refusal


def test_levels_are_carried_over_by_key() -> None:
    assert carry_levels(["a", "b", "c"], ["a", "c", "d"]) == {0: 0, 1: 0, 2: 1}
    assert carry_levels(["a", "b"], ["a", "x", "b"]) == {0: 0, 1: 2}
    assert carry_levels([], ["a"]) == {}
