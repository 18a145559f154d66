"""Earning rules are created, once each."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from base.database import reading
from base.errors import Invalid
from loyalty.earning.inputs import HoursInput, TermsInput
from loyalty.earning.queries import load_versions
from loyalty.earning.service import (
    EarningRuleInput,
    EarningRuleUpdate,
    PointsPer,
    create_earning_rule,
    end_earning_rule,
    update_earning_rule,
)
from loyalty.ledger.expiry import Expiry
from metrics.service import FilterInput
from partners.audiences import AudienceInput
from partners.queries import ProgramRow
from partners.service import (
    PartnerInput,
    PartnerKind,
    ProductInput,
    RegionInput,
    upsert_partners,
    upsert_products,
    upsert_regions,
)
from tests.services.programs import NOW, Refusal, config_version, make_program, refused, rows

pytestmark = pytest.mark.usefixtures("database")

RULE = EarningRuleInput("per-sale", "Per sale", "SALE", PointsPer(amount=Decimal("0.1")))
TIERS = frozenset({"bronze", "gold"})


async def make_channel() -> ProgramRow:
    program = await make_program()
    await upsert_regions(program_id=program.id, regions=[RegionInput("java", "Java")])
    shop = PartnerInput("shop", "Shop", PartnerKind.RETAILER, "java")
    await upsert_partners(program_id=program.id, partners=[shop], now=NOW)
    await upsert_products(program_id=program.id, products=[ProductInput("tea", "Tea")])
    return program


@pytest.mark.parametrize(
    ("per", "basis", "rate"),
    [
        (PointsPer(activity=50), "ACTIVITY", Decimal(50)),
        (PointsPer(quantity=Decimal("2.5")), "QUANTITY", Decimal("2.5")),
        (PointsPer(amount=Decimal("0.000001")), "AMOUNT", Decimal("0.000001")),
    ],
)
async def test_points_are_per_activity_unit_or_money_unit(per: PointsPer, basis: str, rate: Decimal) -> None:
    program = await make_program()
    made = await create_earning_rule(program_id=program.id, rule=replace(RULE, points_per=per), now=NOW)
    assert (made.version, made.basis, made.rate) == (1, basis, rate)


async def test_filter_and_audience_are_stored_as_they_are_read() -> None:
    program = await make_channel()
    rule = replace(
        RULE,
        filter=FilterInput(skus=["tea"], min_amount=Decimal(5)),
        audience=AudienceInput([PartnerKind.RETAILER], ["java"], ["gold"], ["shop"]),
    )
    await create_earning_rule(program_id=program.id, rule=rule, tiers=TIERS, now=NOW)
    query = """SELECT line_filter = '{"skus": ["tea"], "min_amount": "5"}',
                      audience = '{"kinds": ["RETAILER"], "regions": ["java"], "tiers": ["gold"], "partners": ["shop"]}'
               FROM earning_rule WHERE program_id = $1"""
    assert [tuple(row) for row in await rows(query, program.id)] == [(True, True)]


async def test_the_same_rule_again_is_the_same() -> None:
    program = await make_channel()
    rule = replace(
        RULE, starts_at=NOW, ends_at=NOW + timedelta(days=1), audience=AudienceInput(regions=["java"])
    )
    made = await create_earning_rule(program_id=program.id, rule=rule, now=NOW)
    version = await config_version(program.id)
    again = replace(rule, points_per=PointsPer(amount=Decimal("0.10")))
    assert await create_earning_rule(program_id=program.id, rule=again, now=NOW + timedelta(hours=1)) == made
    # Also once it is over.
    assert await create_earning_rule(program_id=program.id, rule=again, now=NOW + timedelta(days=2)) == made
    assert await config_version(program.id) == version


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Other"},
        {"activity_kind": "VISIT"},
        {"points_per": PointsPer(quantity=Decimal("0.1"))},
        {"points_per": PointsPer(amount=Decimal("0.2"))},
        {"starts_at": NOW},
        {"filter": FilterInput(skus=["tea"])},
        {"audience": AudienceInput(regions=["java"])},
    ],
)
async def test_another_content_under_a_key_is_refused(changes: dict[str, Any]) -> None:
    program = await make_channel()
    await create_earning_rule(program_id=program.id, rule=RULE, now=NOW)
    call = create_earning_rule(program_id=program.id, rule=replace(RULE, **changes), now=NOW)
    assert await refused(call, program_id=program.id) == ("KEY_TAKEN", ("key",))


async def test_what_differs_is_called_as_the_input_calls_it() -> None:
    program = await make_channel()
    await create_earning_rule(program_id=program.id, rule=RULE, now=NOW)
    other = replace(
        RULE,
        activity_kind="VISIT",
        points_per=PointsPer(activity=1),
        filter=FilterInput(skus=["tea"]),
        lock_days=3,
        terms=TermsInput(min_basket=Decimal(5), tier_multiplier=False),
    )
    with pytest.raises(Invalid) as refusal:
        await create_earning_rule(program_id=program.id, rule=other, now=NOW)
    assert str(refusal.value) == (
        "'per-sale' exists with another content"
        " (filter, pointsPer, activityKind, minBasketAmount, lockDays, tierMultiplier)"
    )


async def test_a_day_that_is_over_is_no_expiry() -> None:
    program = await make_channel()
    past = replace(RULE, terms=TermsInput(expiry=Expiry.with_day((NOW - timedelta(days=2)).date())))
    wrong = ("INVALID_EXPIRY", ("expiry", "on"))
    call = create_earning_rule(program_id=program.id, rule=past, now=NOW)
    assert await refused(call, program_id=program.id) == wrong
    # The same again stays the same, also once the day is over.
    soon = replace(RULE, terms=TermsInput(expiry=Expiry.with_day(NOW.date())))
    made = await create_earning_rule(program_id=program.id, rule=soon, now=NOW)
    later = NOW + timedelta(days=9)
    assert await create_earning_rule(program_id=program.id, rule=soon, now=later) == made
    update = EarningRuleUpdate(RULE.key, RULE.name, RULE.points_per, terms=soon.terms)
    assert await update_earning_rule(program_id=program.id, rule=update, now=later) == made
    call = update_earning_rule(program_id=program.id, rule=replace(update, name="Other"), now=later)
    assert await refused(call, program_id=program.id) == wrong


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"key": "\t"}, ("INVALID_CODE", ("key",))),
        ({"name": ""}, ("INVALID_NAME", ("name",))),
        ({"activity_kind": "PARTY"}, ("UNKNOWN_KIND", ("activityKind",))),
        ({"activity_kind": "RETURN"}, ("NOT_SUPPORTED", ("activityKind",))),
        ({"lock_days": -1}, ("NEGATIVE", ("lockDays",))),
        ({"lock_days": 36_501}, ("TOO_LARGE", ("lockDays",))),
        ({"points_per": PointsPer()}, ("EXACTLY_ONE", ("pointsPer",))),
        ({"points_per": PointsPer(activity=1, amount=Decimal(1))}, ("EXACTLY_ONE", ("pointsPer",))),
        ({"points_per": PointsPer(activity=0)}, ("NOT_POSITIVE", ("pointsPer", "activity"))),
        ({"points_per": PointsPer(activity=2**53)}, ("TOO_LARGE", ("pointsPer", "activity"))),
        ({"points_per": PointsPer(quantity=Decimal(0))}, ("NOT_POSITIVE", ("pointsPer", "quantity"))),
        ({"points_per": PointsPer(amount=Decimal("Infinity"))}, ("INVALID_NUMBER", ("pointsPer", "amount"))),
        ({"points_per": PointsPer(amount=Decimal("0.0000001"))}, ("TOO_PRECISE", ("pointsPer", "amount"))),
        ({"points_per": PointsPer(amount=Decimal("1e18"))}, ("TOO_LARGE", ("pointsPer", "amount"))),
        ({"starts_at": NOW, "ends_at": NOW}, ("ENDS_BEFORE_START", ("endsAt",))),
        ({"starts_at": NOW.replace(tzinfo=None)}, ("ZONE_MISSING", ("startsAt",))),
        ({"starts_at": NOW.replace(year=1)}, ("INVALID_DATE", ("startsAt",))),
        ({"ends_at": NOW.replace(year=9999)}, ("INVALID_DATE", ("endsAt",))),
        ({"ends_at": NOW}, ("NOT_IN_FUTURE", ("endsAt",))),
        ({"filter": FilterInput(skus=["soap"])}, ("UNKNOWN_SKU", ("filter", "skus", "0"))),
        (
            {"audience": AudienceInput(partner_kinds=[cast(PartnerKind, "SHOP")])},
            ("UNKNOWN_KIND", ("audience", "partnerKinds", "0")),
        ),
        (
            {"audience": AudienceInput(regions=["java", "bali"])},
            ("UNKNOWN_REGION", ("audience", "regions", "1")),
        ),
        ({"audience": AudienceInput(tiers=["gold", "iron"])}, ("UNKNOWN_TIER", ("audience", "tiers", "1"))),
        (
            {"audience": AudienceInput(partners=["shop", "x"])},
            ("UNKNOWN_PARTNER", ("audience", "partners", "1")),
        ),
    ],
)
async def test_a_wrong_rule_is_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    program, other = await make_channel(), await make_program()
    await upsert_regions(program_id=other.id, regions=[RegionInput("bali", "Bali")])
    await upsert_products(program_id=other.id, products=[ProductInput("soap", "Soap")])
    call = create_earning_rule(program_id=program.id, rule=replace(RULE, **changes), tiers=TIERS, now=NOW)
    assert await refused(call, program_id=program.id) == refusal


async def test_a_budget_holds_at_once_and_is_not_scheduled() -> None:
    program = await make_channel()
    rule = replace(RULE, key="push", terms=TermsInput(budget=1_000))
    await create_earning_rule(program_id=program.id, rule=rule, now=NOW)
    later = EarningRuleUpdate("push", "Push", rule.points_per, effective_from=NOW + timedelta(days=30))
    less = replace(later, terms=TermsInput(budget=400))
    with pytest.raises(Invalid) as raised:
        await update_earning_rule(program_id=program.id, rule=less, now=NOW)
    assert (raised.value.code, list(raised.value.field)) == ("NOT_SUPPORTED", ["budget"])
    same = replace(later, terms=rule.terms, points_per=PointsPer(amount=Decimal(2)))
    made = await update_earning_rule(program_id=program.id, rule=same, now=NOW)
    again = await update_earning_rule(program_id=program.id, rule=same, now=NOW + timedelta(days=60))
    assert (made.version, again.version) == (2, 2)


async def test_each_version_says_whether_it_holds() -> None:
    """A change replaces what was scheduled from its beginning on, and what holds until then goes on."""
    program = await make_channel()
    await create_earning_rule(program_id=program.id, rule=RULE, now=NOW)

    async def change(rate: int, *, days: int | None = None) -> None:
        starts = None if days is None else NOW + timedelta(days=days)
        per = PointsPer(amount=Decimal(rate))
        rule = EarningRuleUpdate(RULE.key, RULE.name, per, effective_from=starts)
        await update_earning_rule(program_id=program.id, rule=rule, now=NOW)

    async def states(*, days: int = 0) -> list[str]:
        """Of each version, the first one first."""
        async with reading() as connection:
            versions = await load_versions(connection, program_id=program.id, key=RULE.key)
        return [one.state(NOW + timedelta(days=days)) for one in reversed(versions)]

    await change(2, days=10)
    assert await states() == ["LIVE", "SCHEDULED"]
    assert await states(days=10) == ["ENDED", "LIVE"]
    await change(3, days=20)
    assert await states() == ["LIVE", "SCHEDULED", "SCHEDULED"]
    assert await states(days=20) == ["ENDED", "ENDED", "LIVE"]
    await change(4, days=15)
    assert await states() == ["LIVE", "SCHEDULED", "ENDED", "SCHEDULED"]
    await change(5)
    assert await states() == ["ENDED", "ENDED", "ENDED", "ENDED", "LIVE"]
    await change(6, days=10)
    assert await states() == ["ENDED", "ENDED", "ENDED", "ENDED", "LIVE", "SCHEDULED"]
    await end_earning_rule(program_id=program.id, key=RULE.key, now=NOW)
    assert set(await states()) == {"ENDED"}


@pytest.mark.parametrize(
    ("hours", "field", "message"),
    [
        (HoursInput("20:00", "24:00"), "to", "must be a time like 16:30, and 00:00 for midnight"),
        (HoursInput("9:00", "10:00"), "from", "must be a time like 16:30, and 00:00 for midnight"),
        (HoursInput("09:00", "09:00"), "to", "from and to must differ"),
    ],
)
async def test_wrong_hours_are_told_how_to_say_them(hours: HoursInput, field: str, message: str) -> None:
    program = await make_channel()
    rule = replace(RULE, terms=TermsInput(hours=hours))
    with pytest.raises(Invalid) as raised:
        await create_earning_rule(program_id=program.id, rule=rule, now=NOW)
    assert (raised.value.code, tuple(raised.value.field)) == ("INVALID_TIME", ("hours", field))
    assert str(raised.value) == message
