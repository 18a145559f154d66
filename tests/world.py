"""Worlds to play in: a program with regions, partners, products and whatever a test configures, through the services.

    world = await make_world(partners={"shop": "Asia/Jakarta"})
    await world.count("amount", Measure.AMOUNT, Period.MONTHLY)
    await world.earn("base", amount="1.5")
    (outcome,) = await world.record(sale("x1", "shop", [line("tea", 2, "9.50")]))
    assert (await world.wallet("shop")).available == 14

Time stands still at `NOW` until `world.clock` is set. What a test reads back is named by codes and keys, never by ids,
so that two worlds can be compared: `world.everything()` is all that came of what was recorded.
"""

import uuid
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import orjson

from activity.rules import EARLIEST, RETURN, SALE, ActivityInput, LineInput, LineReference
from base.clock import SetClock
from base.database import reading, transaction
from game.badges.service import BadgeInput, create_badge
from game.missions.service import (
    MissionInput,
    MissionRewardInput,
    ObjectiveInput,
    create_mission,
    end_mission,
    publish_mission,
)
from game.outcome import Outcome
from game.pipeline import record
from game.review import review_program
from loyalty.earning.inputs import TermsInput
from loyalty.earning.service import EarningRuleInput, PointsPer, create_earning_rule
from loyalty.tiers.service import TierInput, TierLadderInput, set_tier_ladder
from metrics.rules import Measure
from metrics.service import FilterInput, MetricInput, create_metric, ensure_series, find_metric
from metrics.windows import Period, WindowSpec
from partners.audiences import AudienceInput
from partners.configuration import raise_config_version
from partners.segments import SegmentInput, upsert_segments
from partners.service import (
    PartnerInput,
    PartnerKind,
    PartnerStatus,
    ProductInput,
    ProgramInput,
    RegionInput,
    create_program,
    upsert_partners,
    upsert_products,
    upsert_regions,
)

NOW: Final = datetime(2026, 11, 20, 8, tzinfo=UTC)
SOURCE: Final = "pos"

PRODUCTS: Final = (
    ProductInput("tea", "Tea", category="drinks", brand="Harbour", packs={"CASE": Decimal(12)}),
    ProductInput("coffee", "Coffee", category="drinks", brand="Roast"),
    ProductInput("soap", "Soap", category="household", brand="Harbour"),
    ProductInput("rice", "Rice", category="food", brand="Field", unit="KG"),
)

Amount = str | int | Decimal


def line(sku: str, quantity: Amount = 1, amount: Amount = 10, *, unit: str | None = None) -> LineInput:
    """A line that was sold."""
    return LineInput(sku, Decimal(quantity), Decimal(amount), unit)


def back(
    of: str,
    number: int,
    sku: str,
    quantity: Amount,
    amount: Amount,
    *,
    source: str | None = None,
    unit: str | None = None,
) -> LineInput:
    """A line that takes back part of line `number` of the activity `of`."""
    return LineInput(sku, Decimal(quantity), Decimal(amount), unit, LineReference(of, number, source))


def activity(
    external_id: str,
    partner: str,
    lines: Sequence[LineInput] = (),
    *,
    kind: str = SALE,
    at: datetime = NOW,
    source: str = SOURCE,
    **more: Any,
) -> ActivityInput:
    """An activity as a source reports it."""
    return ActivityInput(source, external_id, kind, partner, at, lines, **more)


def sale(
    external_id: str,
    partner: str,
    lines: Sequence[LineInput] | Amount = 10,
    *,
    at: datetime = NOW,
    **more: Any,
) -> ActivityInput:
    """A sale; an amount instead of lines is one piece of tea for so much."""
    sold = lines if isinstance(lines, Sequence) and not isinstance(lines, str) else [line("tea", 1, lines)]
    return activity(external_id, partner, sold, at=at, **more)


def return_of(
    external_id: str, partner: str, what: str | Sequence[LineInput], *, at: datetime = NOW, **more: Any
) -> ActivityInput:
    """A return: of a whole activity by its external id, or of the lines."""
    if isinstance(what, str):
        return activity(external_id, partner, kind=RETURN, at=at, reverses=what, **more)
    return activity(external_id, partner, what, kind=RETURN, at=at, **more)


@dataclass(frozen=True, slots=True)
class Balance:
    """What a wallet holds."""

    available: int = 0
    debt: int = 0
    version: int = 0
    pending: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter shows."""

    value: Decimal
    reached_at: datetime


@dataclass
class World:
    """A program to play in."""

    program_id: int
    clock: SetClock = field(default_factory=lambda: SetClock(NOW))

    # ---------------------------------------------------------------------------------------- how it is configured

    async def partner(self, code: str, time_zone: str = "UTC", **more: Any) -> None:
        """A retailer in JKT."""
        given = {"kind": PartnerKind.RETAILER, "region": "JKT", "time_zone": time_zone, **more}
        await self.partners([PartnerInput(code, f"Shop {code}", **given)])

    async def partners(self, partners: Sequence[PartnerInput]) -> None:
        """Partners as they are from now on."""
        await upsert_partners(program_id=self.program_id, partners=partners, now=self.clock.now())

    async def close(self, code: str) -> None:
        """The partner leaves."""
        await self.partner(code, status=PartnerStatus.CLOSED)

    async def segments(self, *segments: SegmentInput, tiers: Sequence[str] = ()) -> None:
        """Segments as they are from now on."""
        await upsert_segments(program_id=self.program_id, segments=segments, tiers=tiers)

    async def products(self, *products: ProductInput) -> None:
        """Products as they are from now on."""
        await upsert_products(program_id=self.program_id, products=products)

    async def count(
        self,
        key: str,
        measure: Measure = Measure.AMOUNT,
        *periods: Period,
        kinds: Sequence[str] | None = None,
        line_filter: FilterInput | None = None,
        time_zone: str | None = None,
    ) -> None:
        """A metric, and its meters kept over these periods."""
        metric = MetricInput(key, key.title(), measure, kinds, line_filter)
        await create_metric(program_id=self.program_id, metric=metric, now=self.clock.now())
        async with transaction() as connection:
            found = await find_metric(connection, program_id=self.program_id, key=key)
            for period in periods:
                spec = WindowSpec(period, time_zone)
                await ensure_series(connection, program_id=self.program_id, metric_id=found.id, spec=spec)
            await raise_config_version(connection, self.program_id)

    async def earn(
        self,
        key: str = "base",
        *,
        kind: str = SALE,
        activity: int | None = None,
        quantity: Amount | None = None,
        amount: Amount | None = None,
        tiers: Sequence[str] = (),
        audience: AudienceInput | None = None,
        terms: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """An earning rule: so many points per activity, unit or money unit. `terms` are those of `TermsInput`."""
        per = PointsPer(
            activity=activity,
            quantity=None if quantity is None else Decimal(quantity),
            amount=None if amount is None else Decimal(amount),
        )
        audience = AudienceInput(tiers=list(tiers)) if tiers else audience
        asked = TermsInput(**(terms or {}))
        rule = EarningRuleInput(key, key.title(), kind, per, audience=audience, terms=asked, **more)
        await create_earning_rule(program_id=self.program_id, rule=rule, tiers=tiers, now=self.clock.now())

    async def ladder(
        self, metric: str, period: Period, tiers: Mapping[str, tuple[Amount, Amount]], **more: Any
    ) -> None:
        """The ladder: by key, threshold and multiplier."""
        steps = [
            TierInput(key, key.title(), Decimal(threshold), Decimal(multiplier))
            for key, (threshold, multiplier) in tiers.items()
        ]
        ladder = TierLadderInput(metric, period, steps, **more)
        await set_tier_ladder(program_id=self.program_id, ladder=ladder)

    async def badge(self, key: str, metric: str | None = None, levels: Sequence[Amount] = ()) -> None:
        """A badge, by levels of a metric or for missions to award."""
        badge = BadgeInput(key, key.title(), metric, [Decimal(level) for level in levels] or None)
        await create_badge(program_id=self.program_id, badge=badge, now=self.clock.now())

    async def mission(
        self,
        key: str,
        targets: Mapping[str, Amount],
        *,
        points: int | None = None,
        badge: str | None = None,
        starts_at: datetime = NOW - timedelta(days=90),
        ends_at: datetime = NOW + timedelta(days=90),
        publish: bool = True,
        audience: AudienceInput | None = None,
    ) -> None:
        """A mission with a target for each metric, published unless told otherwise."""
        rewards = [MissionRewardInput(points=points)] if points else []
        rewards += [MissionRewardInput(badge=badge)] if badge else []
        objectives = [
            ObjectiveInput(metric, metric.title(), metric, Decimal(target))
            for metric, target in targets.items()
        ]
        mission = MissionInput(key, key.title(), starts_at, ends_at, objectives, rewards, audience=audience)
        await create_mission(program_id=self.program_id, mission=mission, now=self.clock.now())
        if publish:
            await self.publish(key)

    async def publish(self, key: str) -> None:
        """Let a mission run."""
        await publish_mission(program_id=self.program_id, key=key, now=self.clock.now())

    async def review(self) -> None:
        """Have the past gone through again for whatever began late."""
        await review_program(self.program_id, self.clock)

    async def end(self, key: str) -> None:
        """End a mission now."""
        await end_mission(program_id=self.program_id, key=key, now=self.clock.now())

    # ---------------------------------------------------------------------------------------------- what happens

    async def record(self, *activities: ActivityInput, history: bool = False) -> list[Outcome]:
        """Record activities as one batch."""
        return await record(
            program_id=self.program_id,
            activities=activities,
            clock=self.clock,
            history=EARLIEST if history else None,
        )

    async def accept(self, *activities: ActivityInput, history: bool = False) -> list[Outcome]:
        """Record activities of which none may be refused."""
        outcomes = await self.record(*activities, history=history)
        assert [one for one in outcomes if one.status == "REJECTED"] == []
        return outcomes

    async def refusal(self, given: ActivityInput) -> tuple[str, tuple[str, ...]]:
        """The code and the path with which a single activity is refused."""
        (outcome,) = await self.record(given)
        assert outcome.status == "REJECTED", outcome
        assert outcome.message
        assert outcome.activity_id is None
        assert not outcome.facts
        return outcome.code, outcome.field

    # ------------------------------------------------------------------------------------------- what came of it

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """What a query answers; $1 is the program."""
        async with reading() as connection:
            found: list[asyncpg.Record] = await connection.fetch(query, self.program_id, *arguments)
            return found

    async def wallet(self, partner: str) -> Balance:
        """The partner's points."""
        rows = await self.rows(f"{WALLETS} AND p.code = $2", partner)
        return Balance(*list(rows[0])[1:]) if rows else Balance()

    async def meters(self, metric: str, period: Period, partner: str) -> dict[date, Reading]:
        """A metric's meters by the start of their window."""
        rows = await self.rows(
            f"{METERS} AND m.key = $2 AND s.period = $3 AND p.code = $4", metric, period, partner
        )
        return {row["window_start"]: Reading(row["value"], row["reached_at"]) for row in rows}

    async def value(self, metric: str, period: Period, partner: str) -> Decimal:
        """The value of the metric's only meter over that period; zero where there is none."""
        found = list((await self.meters(metric, period, partner)).values())
        assert len(found) <= 1
        return found[0].value if found else Decimal(0)

    async def tier(self, partner: str) -> int:
        """The partner's level on the ladder."""
        rows = await self.rows(f"{STANDINGS} AND p.code = $2", partner)
        return rows[0]["level"] if rows else 0

    async def completions(self, partner: str) -> dict[str, tuple[int, bool]]:
        """By mission: which completion it is, and whether it stands."""
        rows = await self.rows(f"{COMPLETIONS} AND p.code = $2", partner)
        return {row["key"]: (row["n"], row["stands"]) for row in rows}

    async def badges(self, partner: str) -> set[tuple[str, int]]:
        """The badges and levels that the partner has."""
        rows = await self.rows(f"{AWARDS} AND p.code = $2", partner)
        return {(row["key"], row["level"]) for row in rows if row["stands"]}

    async def everything(self, partners: Iterable[str] | None = None) -> dict[str, list[tuple[Any, ...]]]:
        """All that came of what was recorded, without ids: the same for two worlds in which the same happened."""
        chosen = None if partners is None else list(partners)
        found = {}
        for name, query in EVERYTHING.items():
            narrowed = f"{query} AND ($2::text[] IS NULL OR p.code = ANY($2::text[]))"
            found[name] = sorted(map(_comparable, await self.rows(narrowed, chosen)), key=repr)
        return found


def _comparable(row: asyncpg.Record) -> tuple[Any, ...]:
    return tuple(
        orjson.loads(value) if name in ("because", "facts") else value for name, value in row.items()
    )


WALLETS: Final = """
SELECT p.code, w.available, w.debt, w.version, w.pending, w.held
FROM wallet w JOIN partner p ON p.program_id = w.program_id AND p.id = w.partner_id WHERE w.program_id = $1
"""
METERS: Final = """
SELECT p.code, m.key, s.period, s.time_zone, s.starts_at, t.window_start, t.value, t.reached_at
FROM meter t JOIN meter_series s ON s.program_id = t.program_id AND s.id = t.series_id
JOIN metric m ON m.program_id = t.program_id AND m.id = s.metric_id
JOIN partner p ON p.program_id = t.program_id AND p.id = t.partner_id WHERE t.program_id = $1
"""
STANDINGS: Final = """
SELECT p.code, s.level FROM tier_standing s JOIN partner p ON p.program_id = s.program_id AND p.id = s.partner_id
WHERE s.program_id = $1
"""
COMPLETIONS: Final = """
SELECT p.code, m.key, c.n, c.revoked_at IS NULL AS stands
FROM mission_completion c JOIN mission m ON m.program_id = c.program_id AND m.id = c.mission_id
JOIN partner p ON p.program_id = c.program_id AND p.id = c.partner_id WHERE c.program_id = $1
"""
AWARDS: Final = """
SELECT p.code, b.key, a.level, a.revoked_at IS NULL AS stands
FROM badge_award a JOIN badge b ON b.program_id = a.program_id AND b.id = a.badge_id
JOIN partner p ON p.program_id = a.program_id AND p.id = a.partner_id WHERE a.program_id = $1
"""
EVERYTHING: Final = {
    "wallets": WALLETS,
    "meters": METERS,
    "standings": STANDINGS,
    "completions": COMPLETIONS,
    "awards": AWARDS,
    "parts": """
        SELECT p.code, m.key, s.period, s.starts_at, t.window_start, t.part, t.count
        FROM meter_part t JOIN meter_series s ON s.program_id = t.program_id AND s.id = t.series_id
        JOIN metric m ON m.program_id = t.program_id AND m.id = s.metric_id
        JOIN partner p ON p.program_id = t.program_id AND p.id = t.partner_id WHERE t.program_id = $1
    """,
    "partners": "SELECT p.code, p.activities, p.version FROM partner p WHERE p.program_id = $1",
    "activities": """
        SELECT p.code, a.number, a.kind, a.source, a.external_id, a.occurred_at, a.local_date, a.time_zone
        FROM activity a JOIN partner p ON p.program_id = a.program_id AND p.id = a.partner_id WHERE a.program_id = $1
    """,
    "lines": """
        SELECT p.code, a.external_id, l.line, g.sku, l.quantity, l.amount, l.unit, l.unit_quantity, l.reverses_line
        FROM activity_line l JOIN activity a ON a.program_id = l.program_id AND a.id = l.activity_id
        JOIN product g ON g.program_id = l.program_id AND g.id = l.product_id
        JOIN partner p ON p.program_id = a.program_id AND p.id = a.partner_id WHERE a.program_id = $1
    """,
    "entries": """
        SELECT p.code, e.version, e.kind, e.bucket, e.amount, e.balance_after
        FROM ledger_entry e JOIN partner p ON p.program_id = e.program_id AND p.id = e.partner_id
        WHERE e.program_id = $1
    """,
    "lots": """
        SELECT p.code, a.external_id, r.key, l.granted, l.remaining, l.held, l.spent, l.expired, l.reversed, l.repaid,
               l.recalled, l.waived, l.matured, l.sliding, l.matures_at, l.expires_at
        FROM lot l JOIN partner p ON p.program_id = l.program_id AND p.id = l.partner_id
        LEFT JOIN activity a ON a.program_id = l.program_id AND a.id = l.activity_id
        LEFT JOIN earning_rule r ON r.program_id = l.program_id AND r.id = l.rule_id WHERE l.program_id = $1
    """,
    "usage": """
        SELECT p.code, r.key, u.period, u.starts_on, u.points, u.activities
        FROM earning_usage u JOIN partner p ON p.program_id = u.program_id AND p.id = u.partner_id
        JOIN earning_rule r ON r.program_id = u.program_id AND r.id = u.rule_id
        WHERE u.program_id = $1 AND (u.points, u.activities) <> (0, 0)
    """,
    "facts": """
        SELECT p.code, a.external_id, t.because, t.facts
        FROM ledger_transaction t JOIN partner p ON p.program_id = t.program_id AND p.id = t.partner_id
        LEFT JOIN activity a ON a.program_id = t.program_id AND a.id = t.activity_id WHERE t.program_id = $1
    """,
}


async def make_world(partners: Mapping[str, str] | Iterable[str] = ("shop",)) -> World:
    """A program with regions ID ⊃ JKT, BALI, four products, and partners (with their time zones) in JKT."""
    key = f"world-{uuid.uuid4()}"
    program = await create_program(program=ProgramInput(key, "Harbour Foods"), now=NOW)
    world = World(program.id)
    regions = [
        RegionInput("ID", "Indonesia"),
        RegionInput("JKT", "Jakarta", "ID"),
        RegionInput("BALI", "Bali", "ID"),
    ]
    await upsert_regions(program_id=program.id, regions=regions)
    await world.products(*PRODUCTS)
    zones = partners if isinstance(partners, Mapping) else dict.fromkeys(partners, "UTC")
    given = [
        PartnerInput(code, f"Shop {code}", PartnerKind.RETAILER, "JKT", time_zone=zone)
        for code, zone in zones.items()
    ]
    if given:
        await world.partners(given)
    return world


async def in_turn(calls: Iterable[Awaitable[object]]) -> None:
    """Await one after the other."""
    for call in calls:
        await call
