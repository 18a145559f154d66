"""What rules ask beside kind, lines and audience, and how much they give at most."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from activity.rules import Activity
from loyalty.earning.counters import Budget, Counters, Usage, UsageKey
from loyalty.earning.grants import Decision
from loyalty.earning.rules import Earning
from loyalty.earning.shares import RateBasis
from loyalty.earning.terms import Band, Cap, CapPeriod, Hours, Nth, Terms
from loyalty.earning.versions import EarningRule
from metrics.rules import LineFilter
from partners.rules import Audience
from tests.rules.pieces import AT, COFFEE, SHOP, SOAP, TEA, make_activity

D = Decimal
MONTH = date(2026, 11, 1)
DAY = date(2026, 11, 20)
BANDS = (Band(D(0), D(0)), Band(D(10), D(2)), Band(D(50), D("3.5")))


def make_rule(terms: Terms, basis: RateBasis = RateBasis.QUANTITY, rate: int = 1, **more: Any) -> EarningRule:
    given: dict[str, Any] = {
        "id": 1,
        "key": "r1",
        "version": 1,
        "activity_kind": "SALE",
        "filter": LineFilter(),
    }
    given |= {"audience": Audience(), "starts_at": None, "ends_at": None, "terms": terms}
    return EarningRule(basis=basis, rate=D(rate), **{**given, **more})


def decide(
    *rules: EarningRule,
    sold: Activity | None = None,
    multiplier: str = "1",
    usage: Mapping[UsageKey, Usage] | None = None,
    budgets: Mapping[int, Budget] | None = None,
    zone: str = "UTC",
) -> Decision:
    activity = sold or make_activity((TEA, 60, 100))
    return Earning(rules).decide(
        activity,
        partner=replace(SHOP, time_zone=zone),
        multiplier=D(multiplier),
        counters=Counters(usage or {}, budgets or {}),
    )


def points(decision: Decision) -> list[int]:
    return [one.points for one in decision.grants]


def test_terms_are_stored_as_they_are_read() -> None:
    full = Terms(
        step=D(10),
        bands=BANDS,
        min_basket=D(5),
        max_basket=D("1000.5"),
        nth=Nth(5, True, CapPeriod.MONTH),
        group="welcome",
        priority=-2,
        weekdays=(1, 7),
        hours=Hours(time(22), time(2, 30)),
        caps=(Cap(CapPeriod.ACTIVITY, 5), Cap(CapPeriod.PARTNER, 50)),
        budget=1000,
        lock_days=3,
        unit="USD",
        tier_multiplier=False,
    )
    assert Terms.from_json(full.to_json()) == full
    assert Terms().to_json() == {}
    assert Terms.from_json({}) == Terms()


@pytest.mark.parametrize(("amount", "paid"), [("9999.99", []), (10000, [3]), ("29999.99", [6]), (30000, [9])])
def test_only_full_steps_earn(amount: str | int, paid: list[int]) -> None:
    rule = make_rule(Terms(step=D(10000)), RateBasis.AMOUNT, 3)
    assert points(decide(rule, sold=make_activity((TEA, 1, amount)))) == paid


@pytest.mark.parametrize(("quantity", "paid"), [("9.9", []), (10, [20]), ("49.5", [99]), (50, [175])])
def test_the_whole_earns_at_the_rate_of_its_band(quantity: str | int, paid: list[int]) -> None:
    assert points(decide(make_rule(Terms(bands=BANDS)), sold=make_activity((TEA, quantity, 1)))) == paid


def test_below_the_first_band_the_rule_has_its_own_rate() -> None:
    rule = make_rule(Terms(bands=BANDS[1:]), rate=1)
    assert points(decide(rule, sold=make_activity((TEA, 3, 1), (SOAP, 4, 1)))) == [7]


def test_the_basket_is_the_whole_activity() -> None:
    tea = LineFilter(skus=frozenset({"tea"}))
    sold = make_activity((TEA, 1, 30), (COFFEE, 1, 70))
    for least, most, paid in (
        (100, None, [1]),
        (101, None, []),
        (None, 100, [1]),
        (None, 99, []),
        (1, 2, []),
    ):
        terms = Terms(
            min_basket=None if least is None else D(least), max_basket=None if most is None else D(most)
        )
        assert points(decide(make_rule(terms, RateBasis.ACTIVITY, filter=tea), sold=sold)) == paid


@pytest.mark.parametrize(
    ("terms", "utc", "zone", "holds"),
    [
        (Terms(weekdays=(5,)), "2026-11-20T16:59", "Asia/Jakarta", True),  # Friday 23:59
        (Terms(weekdays=(5,)), "2026-11-20T17:00", "Asia/Jakarta", False),
        (Terms(hours=Hours(time(16), time(18))), "2026-11-20T09:00", "Asia/Jakarta", True),
        (Terms(hours=Hours(time(16), time(18))), "2026-11-20T11:00", "Asia/Jakarta", False),
        (Terms(hours=Hours(time(16), time(18))), "2026-11-20T08:59", "Asia/Jakarta", False),
        (Terms(hours=Hours(time(22), time(2)), weekdays=(5,)), "2026-11-20T23:00", "UTC", True),
        (Terms(hours=Hours(time(22), time(2)), weekdays=(5,)), "2026-11-21T01:59", "UTC", True),
        (Terms(hours=Hours(time(22), time(2)), weekdays=(5,)), "2026-11-20T01:59", "UTC", False),
        (Terms(hours=Hours(time(22), time(2)), weekdays=(5,)), "2026-11-21T02:00", "UTC", False),
        # The hour that New York has twice, and the day that Kiritimati is ahead by.
        (Terms(hours=Hours(time(1), time(2))), "2026-11-01T05:30", "America/New_York", True),
        (Terms(hours=Hours(time(1), time(2))), "2026-11-01T06:30", "America/New_York", True),
        (Terms(weekdays=(6,)), "2026-11-20T10:00", "Pacific/Kiritimati", True),
        (Terms(weekdays=(4,)), "2026-11-20T10:59", "Pacific/Niue", True),
    ],
)
def test_weekdays_and_hours_are_the_partners_own(terms: Terms, utc: str, zone: str, holds: bool) -> None:
    at = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    sold = make_activity((TEA, 2, 1), at=at)
    assert bool(decide(make_rule(terms), sold=sold, zone=zone).grants) is holds


def test_caps_cut_what_is_paid_after_the_multiplier_and_say_so() -> None:
    terms = Terms(caps=(Cap(CapPeriod.ACTIVITY, 100), Cap(CapPeriod.DAY, 500), Cap(CapPeriod.MONTH, 1000)))
    used = {(1, SHOP.id, "DAY", DAY): Usage(430), (1, SHOP.id, "MONTH", MONTH): Usage(950)}
    (found,) = decide(make_rule(terms), multiplier="2", usage=used).grants
    assert (found.worth.points, found.points) == (120, 50)
    assert [(one.per, one.limit, one.used, one.points) for one in found.limits] == [
        (CapPeriod.ACTIVITY, 100, 0, 100),
        (CapPeriod.DAY, 500, 430, 70),
        (CapPeriod.MONTH, 1000, 950, 50),
    ]


def test_a_cap_that_is_reached_withholds_with_its_numbers() -> None:
    rule = make_rule(Terms(caps=(Cap(CapPeriod.DAY, 500),)))
    decided = decide(rule, usage={(1, SHOP.id, "DAY", DAY): Usage(500)})
    (withheld,) = decided.withheld
    assert not decided.grants
    assert (withheld.why, withheld.numbers) == ("cap", {"per": "DAY", "limit": 500, "used": 500})


def test_the_cap_of_another_day_is_another() -> None:
    rule = make_rule(Terms(caps=(Cap(CapPeriod.DAY, 500),)))
    assert points(decide(rule, usage={(1, SHOP.id, "DAY", date(2026, 11, 19)): Usage(500)})) == [60]


def test_a_budget_pays_what_is_left_and_then_stops() -> None:
    rule = make_rule(Terms(budget=100))
    assert points(decide(rule, budgets={1: Budget(100, 40)})) == [60]
    (cut,) = decide(rule, budgets={1: Budget(100, 40, taken=10)}).grants
    assert (cut.points, cut.limits[0].limit, cut.limits[0].used) == (50, 100, 50)
    gone = decide(rule, budgets={1: Budget(100, 120)})
    assert [(one.why, one.numbers) for one in gone.withheld] == [("budget", {"limit": 100})]


@pytest.mark.parametrize(
    ("nth", "places"),
    [
        (Nth(1, False, CapPeriod.PARTNER), [1]),
        (Nth(3, False, CapPeriod.PARTNER), [3]),
        (Nth(3, True, CapPeriod.PARTNER), [3, 6]),
        (Nth(1, True, CapPeriod.PARTNER), [1, 2, 3, 4, 5, 6]),
    ],
)
def test_only_purchases_of_some_numbers_earn(nth: Nth, places: list[int]) -> None:
    rule = make_rule(Terms(nth=nth))
    paid = []
    for place in range(1, 7):
        decided = decide(rule, usage={(1, SHOP.id, "PARTNER", date(1, 1, 1)): Usage(0, place - 1)})
        assert decided.counted == [rule]
        assert bool(decided.grants) is not bool(decided.withheld)
        paid += [place] * len(decided.grants)
    assert paid == places


def test_one_of_a_group_pays() -> None:
    def one(id_: int, priority: int, *caps: Cap, group: str | None = "g") -> EarningRule:
        terms = Terms(group=group, priority=priority, caps=caps)
        return make_rule(terms, RateBasis.ACTIVITY, 10 * id_, id=id_, key=f"r{id_}")

    decided = decide(one(1, 0), one(2, 5), one(3, 5), one(4, 9, group="other"), one(5, 0, group=None))
    assert [found.rule.key for found in decided.grants] == ["r2", "r4", "r5"]
    assert [(found.rule.key, found.why, found.numbers["winner"]) for found in decided.withheld] == [
        ("r1", "group", "r2"),
        ("r3", "group", "r2"),
    ]
    # One whose cap is reached leaves the group to the next.
    full = {(2, SHOP.id, "DAY", DAY): Usage(20)}
    decided = decide(one(1, 0), one(2, 5, Cap(CapPeriod.DAY, 20)), usage=full)
    assert points(decided) == [10]


def test_the_audience_is_told_and_what_anybody_can_look_up_is_not() -> None:
    outside = make_rule(Terms(), audience=Audience(regions=frozenset({"BALI"})))
    assert [(one.why, one.numbers) for one in decide(outside).withheld] == [
        ("audience", {"condition": "region"})
    ]
    for terms in (
        Terms(step=D(1000)),
        Terms(min_basket=D(1000)),
        Terms(weekdays=(1,)),
        Terms(bands=BANDS[:1]),
    ):
        assert decide(make_rule(terms)) == ([], [], [])


def test_the_tiers_multiplier_may_be_left_out() -> None:
    assert points(decide(make_rule(Terms(tier_multiplier=False)), multiplier="2")) == [60]


def test_the_version_of_then_decides() -> None:
    before, after = AT.replace(hour=1), AT.replace(hour=23)
    first = make_rule(Terms(), rate=1, until=AT)
    second = make_rule(Terms(), rate=2, id=2, version=2, root=1, effective_from=AT, ended_at=after)
    assert second.root == first.root == 1
    for at, paid in ((before, [2]), (AT, [4]), (after, [])):
        assert points(decide(first, second, sold=make_activity((TEA, 2, 1), at=at))) == paid
    assert Earning([first, second]).most_grants == 1
