"""Worlds that play by `SETTING`, and what may be changed in them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.earning.inputs import DAYS, BandInput, BoostInput, CapInput, HoursInput, NthInput, TermsInput
from loyalty.earning.service import (
    EarningRuleInput,
    EarningRuleUpdate,
    PointsPer,
    create_earning_rule,
    end_earning_rule,
    update_earning_rule,
)
from loyalty.earning.terms import CapPeriod
from loyalty.ledger.expiry import Expiry
from metrics.service import FilterInput
from partners.audiences import AudienceInput
from partners.segments import SegmentInput
from partners.service import PartnerInput, PartnerKind
from tests.properties.setting import PACKS, SETTING, Rule
from tests.world import NOW, PRODUCTS, World, make_world


async def make_setting(*, watched: bool = True, has_budgets: bool = True) -> World:
    """A world configured by `SETTING`, without partners; without badges and missions where it is not `watched` yet."""
    world = await make_world(())
    await pack(world, PACKS[0])
    for key, metric in SETTING.metrics.items():
        conditions = FilterInput(skus=sorted(metric.skus), min_amount=metric.min_amount)
        await world.count(
            key,
            metric.measure,
            *metric.periods,
            kinds=metric.kinds or None,
            line_filter=conditions if metric.skus or metric.min_amount is not None else None,
        )
    await world.ladder(*SETTING.ladder, SETTING.tiers)
    segments = (
        SegmentInput(
            key, key.title(), partner_kinds=() if tiers else [PartnerKind.RETAILER], tiers=sorted(tiers)
        )
        for key, tiers in SETTING.segments.items()
    )
    await world.segments(*segments, tiers=list(SETTING.tiers))
    for key, rule in SETTING.rules.items():
        if rule.budget is None or has_budgets:
            asked = EarningRuleInput(key, key.title(), rule.kind, **content(rule))
            await create_earning_rule(
                program_id=world.program_id, rule=asked, tiers=list(SETTING.tiers), now=NOW
            )
    if watched:
        await watch(world)
    assert world.clock.now() == NOW
    return world


async def change(world: World, key: str, rule: Rule, since: datetime) -> None:
    """Let an earning rule say this from then on."""
    asked = EarningRuleUpdate(key, key.title(), **content(rule), effective_from=since)
    await update_earning_rule(
        program_id=world.program_id, rule=asked, tiers=list(SETTING.tiers), now=world.clock.now()
    )


async def end(world: World, key: str) -> None:
    """End an earning rule now."""
    await end_earning_rule(program_id=world.program_id, key=key, now=world.clock.now())


def content(rule: Rule) -> dict[str, Any]:
    """What a rule says, as the service takes it."""
    per: dict[str, Any] = {rule.basis.lower(): int(rule.rate) if rule.basis == "ACTIVITY" else rule.rate}
    terms = TermsInput(
        step=rule.step,
        bands=[BandInput(*band) for band in rule.bands],
        min_basket=rule.basket and rule.basket[0],
        max_basket=rule.basket and rule.basket[1],
        nth=rule.nth and NthInput(rule.nth[0], rule.nth[1], CapPeriod(rule.nth[2])),
        group=rule.group,
        priority=rule.priority,
        weekdays=[DAYS[day - 1] for day in sorted(rule.weekdays)],
        hours=rule.hours and HoursInput(*(f"{hour:02}:00" for hour in rule.hours)),
        caps=[CapInput(CapPeriod(per), points) for per, points in rule.caps.items()],
        budget=rule.budget,
        expiry=None if rule.good_days is None else Expiry.after(days=rule.good_days),
        tier_multiplier=rule.tier_multiplier,
        boosts=[BoostInput(*boost) for boost in rule.boosts.items()],
    )
    return {
        "points_per": PointsPer(**per),
        "filter": FilterInput(skus=sorted(rule.skus)) if rule.skus else None,
        "audience": AudienceInput(tiers=[rule.tier]) if rule.tier else None,
        "lock_days": rule.lock_days,
        "terms": terms,
    }


async def pack(world: World, packs: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Sell the products in these packs from now on."""
    stood = {one.sku: one for one in PRODUCTS}
    await world.products(*(replace(stood[sku], packs=held) for sku, held in packs.items()))


async def watch(world: World) -> None:
    """The badges and missions of `SETTING`."""
    for key, (metric, levels) in SETTING.badges.items():
        await world.badge(key, metric, levels if metric else ())
    for key, mission in SETTING.missions.items():
        await world.mission(
            key,
            mission.targets,
            points=mission.points,
            badge=mission.badge,
            starts_at=SETTING.mission_window[0],
            ends_at=SETTING.mission_window[1],
            audience=AudienceInput(tiers=[mission.tier]) if mission.tier else None,
        )


async def add_partners(world: World, zones: Mapping[str, str]) -> None:
    """New partners with their time zones."""
    await world.partners(
        [
            PartnerInput(code, code, PartnerKind.RETAILER, "JKT", time_zone=zone)
            for code, zone in zones.items()
        ]
    )
