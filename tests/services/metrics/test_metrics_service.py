"""Metrics are created, and the series of meters that watchers want kept."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
import pytest

from base.database import transaction
from base.errors import Invalid
from metrics.rules import LineFilter, Measure
from metrics.service import FilterInput, MetricInput, create_metric, ensure_series
from metrics.windows import Period, WindowSpec
from partners.service import (
    PartnerInput,
    PartnerKind,
    ProductInput,
    RegionInput,
    upsert_partners,
    upsert_products,
    upsert_regions,
)
from tests.services.programs import (
    NOW,
    Refusal,
    another_transaction,
    config_version,
    make_program,
    refused,
    rows,
    value,
    wait_for_lock,
)

pytestmark = pytest.mark.usefixtures("database")

SALES = MetricInput("sales", "Sales", Measure.AMOUNT)
STORED = "SELECT activity_kinds, line_filter FROM metric WHERE program_id = $1 AND key = $2"

# One activity, as the journal holds it.
ADD_ACTIVITY = """
INSERT INTO activity (program_id, id, partner_id, number, kind, source, external_id, occurred_at, posted_at,
                      recorded_at, local_date, time_zone, currency)
VALUES ($1, 1, $2, 1, 'VISIT', 'crm', '1', $3, $3, $3, $3::timestamptz::date, 'UTC', 'USD')
"""


async def ensure(program_id: int, metric_id: int, spec: WindowSpec) -> int:
    async with transaction() as connection:
        return await ensure_series(connection, program_id=program_id, metric_id=metric_id, spec=spec)


async def add_shop(program_id: int) -> int:
    await upsert_regions(program_id=program_id, regions=[RegionInput("java", "Java")])
    shop = PartnerInput("shop", "Shop", PartnerKind.RETAILER, "java")
    [partner] = await upsert_partners(program_id=program_id, partners=[shop], now=NOW)
    return partner.id


async def add_activity(program_id: int) -> None:
    shop_id = await add_shop(program_id)
    async with transaction() as connection:
        await connection.execute(ADD_ACTIVITY, program_id, shop_id, NOW)


# ------------------------------------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize(
    ("measure", "given", "kinds"),
    [
        (Measure.AMOUNT, None, ("SALE",)),
        (Measure.COUNT, ["VISIT", "SALE"], ("SALE", "VISIT")),
        (Measure.POINTS_EARNED, None, ()),
        (Measure.POINTS_ALL, [], ()),
        (Measure.POINTS_EARNED, ["TRAINING"], ("TRAINING",)),
    ],
)
async def test_a_metric_counts_its_kinds(
    measure: Measure, given: list[str] | None, kinds: tuple[str, ...]
) -> None:
    program = await make_program()
    metric = MetricInput("m", "M", measure, activity_kinds=given)
    assert (await create_metric(program_id=program.id, metric=metric, now=NOW)).activity_kinds == kinds


async def test_a_filter_is_stored_as_the_rules_read_it() -> None:
    program = await make_program()
    await upsert_products(program_id=program.id, products=[ProductInput("b", "B"), ProductInput("a", "A")])
    given = FilterInput(skus=["b", "a"], categories=["later"], brands=["x"], min_amount=Decimal("5.00"))
    await create_metric(program_id=program.id, metric=replace(SALES, filter=given), now=NOW)
    [(_, stored)] = await rows(STORED, program.id, "sales")
    assert LineFilter.from_json(orjson.loads(stored)) == LineFilter(
        skus=frozenset({"a", "b"}),
        categories=frozenset({"later"}),
        brands=frozenset({"x"}),
        min_amount=Decimal(5),
    )


async def test_the_same_metric_again_is_the_same() -> None:
    program = await make_program()
    metric = replace(SALES, activity_kinds=["VISIT", "SALE"], filter=FilterInput(brands=["y", "x"]))
    made = await create_metric(program_id=program.id, metric=metric, now=NOW)
    version = await config_version(program.id)
    again = replace(metric, activity_kinds=["SALE", "VISIT"], filter=FilterInput(brands=["x", "y"]))
    assert await create_metric(program_id=program.id, metric=again, now=NOW) == made
    assert await config_version(program.id) == version


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Other"},
        {"measure": Measure.QUANTITY},
        {"activity_kinds": ["VISIT"]},
        {"filter": FilterInput(min_amount=Decimal(1))},
    ],
)
async def test_another_content_under_a_key_is_refused(changes: dict[str, Any]) -> None:
    program = await make_program()
    await create_metric(program_id=program.id, metric=SALES, now=NOW)
    call = create_metric(program_id=program.id, metric=replace(SALES, **changes), now=NOW)
    assert await refused(call, program_id=program.id) == ("KEY_TAKEN", ("key",))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"key": ""}, ("INVALID_CODE", ("key",))),
        ({"name": ""}, ("INVALID_NAME", ("name",))),
        ({"activity_kinds": ["SALE", "PARTY"]}, ("UNKNOWN_KIND", ("activityKinds", "1"))),
        ({"activity_kinds": ["SALE", "SALE"]}, ("DUPLICATE", ("activityKinds", "1"))),
        ({"activity_kinds": ["SALE", "RETURN"]}, ("NOT_SUPPORTED", ("activityKinds", "1"))),
        ({"activity_kinds": []}, ("REQUIRED", ("activityKinds",))),
        ({"measure": Measure.POINTS_ALL, "filter": FilterInput()}, ("NOT_SUPPORTED", ("filter",))),
        ({"filter": FilterInput(skus=["tea", "soap"])}, ("UNKNOWN_SKU", ("filter", "skus", "1"))),
        ({"filter": FilterInput(skus=["tea", "tea"])}, ("DUPLICATE", ("filter", "skus", "1"))),
        ({"filter": FilterInput(categories=[""])}, ("INVALID_CODE", ("filter", "categories", "0"))),
        ({"filter": FilterInput(brands=["x"] * 10_001)}, ("TOO_MANY", ("filter", "brands"))),
        ({"filter": FilterInput(min_amount=Decimal(-1))}, ("NEGATIVE", ("filter", "minAmount"))),
        ({"filter": FilterInput(min_amount=Decimal("NaN"))}, ("INVALID_NUMBER", ("filter", "minAmount"))),
        ({"filter": FilterInput(min_amount=Decimal("1e-7"))}, ("TOO_PRECISE", ("filter", "minAmount"))),
        ({"filter": FilterInput(min_amount=Decimal("1e18"))}, ("TOO_LARGE", ("filter", "minAmount"))),
    ],
)
async def test_a_wrong_metric_is_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    program, other = await make_program(), await make_program()
    await upsert_products(program_id=program.id, products=[ProductInput("tea", "Tea")])
    await upsert_products(program_id=other.id, products=[ProductInput("soap", "Soap")])
    call = create_metric(program_id=program.id, metric=replace(SALES, **changes), now=NOW)
    assert await refused(call, program_id=program.id) == refusal


# -------------------------------------------------------------------------------------------------------------- series

SPECS = [
    WindowSpec(Period.LIFETIME),
    WindowSpec(Period.MONTHLY),
    WindowSpec(Period.MONTHLY, time_zone="Asia/Jakarta"),
    WindowSpec(Period.FIXED, starts_at=NOW, ends_at=NOW + timedelta(days=1)),
    WindowSpec(Period.FIXED, starts_at=NOW, ends_at=NOW + timedelta(days=2)),
]


async def test_a_series_is_made_once_for_its_windows() -> None:
    program = await make_program()
    metric = await create_metric(program_id=program.id, metric=SALES, now=NOW)
    made = [await ensure(program.id, metric.id, spec) for spec in SPECS]
    assert len(set(made)) == len(SPECS)
    assert [await ensure(program.id, metric.id, spec) for spec in SPECS] == made


async def test_the_same_instants_in_another_zone_are_the_same_series() -> None:
    program = await make_program()
    metric = await create_metric(program_id=program.id, metric=SALES, now=NOW)
    jakarta = timezone(timedelta(hours=7))
    first, last = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    made = await ensure(program.id, metric.id, WindowSpec(Period.FIXED, None, first, last))
    local = WindowSpec(Period.FIXED, None, first.astimezone(jakarta), last.astimezone(jakarta))
    assert await ensure(program.id, metric.id, local) == made


async def test_a_series_is_filled_at_once_where_there_is_nothing_to_fill_it_with() -> None:
    program, busy = await make_program(), await make_program()
    await add_activity(busy.id)
    filled = []
    for program_id in (program.id, busy.id):
        metric = await create_metric(program_id=program_id, metric=SALES, now=NOW)
        id_ = await ensure(program_id, metric.id, WindowSpec(Period.MONTHLY))
        filled.append(await value("SELECT filled_at IS NOT NULL FROM meter_series WHERE id = $1", id_))
    assert filled == [True, False]


async def test_a_series_waits_for_the_first_activity_that_is_on_its_way(database_url: str) -> None:
    """The activity is being booked by a plan without the series: were that missed, its meter would never be right."""
    program = await make_program()
    metric = await create_metric(program_id=program.id, metric=SALES, now=NOW)
    shop_id = await add_shop(program.id)
    async with another_transaction(database_url) as booking:
        await booking.fetch("SELECT FROM partner WHERE id = $1 FOR UPDATE", shop_id)
        making = asyncio.create_task(ensure(program.id, metric.id, WindowSpec(Period.MONTHLY)))
        await wait_for_lock(database_url, making, "%FROM partner%FOR NO KEY UPDATE%")
        await booking.execute(ADD_ACTIVITY, program.id, shop_id, NOW)
    assert await value("SELECT filled_at FROM meter_series WHERE id = $1", await making) is None


async def test_a_series_over_another_programs_metric_is_impossible() -> None:
    program, other = await make_program(), await make_program()
    metric = await create_metric(program_id=other.id, metric=SALES, now=NOW)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await ensure(program.id, metric.id, WindowSpec(Period.MONTHLY))
    with pytest.raises(Invalid):
        await create_metric(program_id=other.id, metric=replace(SALES, name="Mine"), now=NOW)
