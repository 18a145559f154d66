"""How an activity becomes points, and how a return takes its share of them back."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity.returns import Original
from activity.rules import Activity
from base.numbers import EXACT
from loyalty.earning.counters import Counters
from loyalty.earning.grants import Grant
from loyalty.earning.rules import Earning
from loyalty.earning.shares import RateBasis, returned_share
from loyalty.earning.versions import EarningRule
from metrics.rules import LineFilter
from partners.rules import Audience
from tests.rules.pieces import AT, COFFEE, SHOP, SOAP, TEA, make_activity, make_lines, taken

D = Decimal
EVERYTHING, EVERYBODY = LineFilter(), Audience()
NOBODY = Audience(tiers=frozenset({"gold"}))


def make_rule(
    basis: RateBasis = RateBasis.AMOUNT,
    rate: str | int = 1,
    *,
    id_: int = 1,
    kind: str = "SALE",
    line_filter: LineFilter = EVERYTHING,
    audience: Audience = EVERYBODY,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> EarningRule:
    return EarningRule(id_, f"rule-{id_}", 1, kind, line_filter, audience, basis, D(rate), starts_at, ends_at)


def grants(*rules: EarningRule, multiplier: str | int = 1, of: Activity | None = None) -> list[Grant]:
    sold = of or make_activity((TEA, 2, "10.50"), (SOAP, 3, "4.25"), (COFFEE, 1, 0))
    decided = Earning(rules).decide(sold, partner=SHOP, multiplier=D(multiplier), counters=Counters({}, {}))
    return decided.grants


@pytest.mark.parametrize(
    ("rule", "points"),
    [
        (make_rule(RateBasis.AMOUNT, "1.5"), [22]),  # 22.125
        (make_rule(RateBasis.QUANTITY, "0.3"), [1]),  # 1.8
        (make_rule(RateBasis.ACTIVITY, 5), [5]),
        (make_rule(RateBasis.AMOUNT, "0.01"), []),  # less than a point is none
        (make_rule(line_filter=LineFilter(skus=frozenset({"tea"}))), [10]),
        (make_rule(line_filter=LineFilter(min_amount=D("4.25"))), [14]),
        (make_rule(RateBasis.ACTIVITY, 5, line_filter=LineFilter(skus=frozenset({"rice"}))), []),
        (make_rule(kind="VISIT"), []),
        (make_rule(audience=NOBODY), []),
        (make_rule(starts_at=AT), [14]),
        (make_rule(starts_at=AT + timedelta(microseconds=1)), []),
        (make_rule(ends_at=AT), []),
        (make_rule(ends_at=AT + timedelta(microseconds=1)), [14]),
    ],
)
def test_what_a_rule_grants(rule: EarningRule, points: list[int]) -> None:
    assert [one.points for one in grants(rule)] == points


def test_each_rule_is_floored_by_itself_after_the_multiplier() -> None:
    found = grants(make_rule(rate="0.1"), make_rule(rate="0.1", id_=2), multiplier="1.3")
    assert [(one.worth.exact, one.points) for one in found] == [(D("1.9175"), 1)] * 2


def test_an_activity_without_lines_earns_by_rules_that_ask_nothing_of_lines() -> None:
    visit = make_activity(kind="VISIT")
    plain = make_rule(RateBasis.ACTIVITY, 5, kind="VISIT")
    asking = make_rule(
        RateBasis.ACTIVITY, 5, kind="VISIT", id_=2, line_filter=LineFilter(skus=frozenset({"tea"}))
    )
    (found,) = grants(plain, asking, of=visit)
    assert (found.rule.id, found.points, found.basis) == (1, 5, [])
    assert returned_share(found.basis, lines=(), left={}) == 1


@pytest.mark.parametrize(
    ("basis", "weights"),
    [
        (RateBasis.AMOUNT, ["10.50", "4.25", "0"]),
        (RateBasis.QUANTITY, ["2", "3", "1"]),
        (RateBasis.ACTIVITY, ["10.50", "4.25", "0"]),
    ],
)
def test_what_the_lines_weigh(basis: RateBasis, weights: list[str]) -> None:
    (found,) = grants(make_rule(basis, 5))
    assert found.basis == list(enumerate(weights, start=1))


def test_free_lines_weigh_alike() -> None:
    free = make_activity((TEA, 5, 0), (SOAP, 1, 0))
    (found,) = grants(make_rule(RateBasis.ACTIVITY, 5), of=free)
    assert found.basis == [(1, "1"), (2, "1")]


def test_the_returned_share_is_exact_and_ends_at_one() -> None:
    original = Original.of(make_activity((TEA, 3, 10), (SOAP, 7, 20)))
    basis = [(1, "10"), (2, "20")]
    shares = []
    for parts in ([(1, 1, 0)], [(1, 1, 0), (2, 2, 0)], [(1, 1, 10), (2, 5, 20)]):
        original.take(taken(original, *parts))
        shares.append(returned_share(basis, lines=original.activity.lines, left=original.left))
    assert shares == [Fraction(1, 9), Fraction(2, 9) + Fraction(4, 21), 1]


weights = st.decimals(0, 10**12, places=6)
quantities = st.decimals(D("0.000001"), 10**12, places=6) | st.sampled_from([D(1), D("2.5"), D("0.000003")])
parts_left = st.sampled_from([D(0), D(1)]) | st.decimals(0, 1, places=6)


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(weights, quantities, parts_left), max_size=12),
    st.sets(st.integers(0, 11)),
)
def test_the_returned_share_is_the_sum_of_the_lines_shares(
    sold: list[tuple[D, D, D]], apart: set[int]
) -> None:
    """Line by line in fractions; lines `apart` are not in the basis."""
    lines = make_lines(*((TEA, format(quantity, "f"), 0) for _, quantity, _ in sold))
    left = {
        line.number: (EXACT.multiply(line.quantity, part).quantize(D("0.000001"), context=EXACT), D(0))
        for line, (_, _, part) in zip(lines, sold, strict=True)
    }
    inside = {
        line.number: weight
        for line, (weight, _, _) in zip(lines, sold, strict=True)
        if line.number - 1 not in apart
    }
    total = sum(map(Fraction, inside.values()), Fraction(0))
    gone = Fraction(0)
    for line in lines:
        if line.number in inside:
            kept = Fraction(left[line.number][0]) / Fraction(line.quantity)
            gone += Fraction(inside[line.number]) * (1 - kept)
    basis = [(number, format(weight, "f")) for number, weight in inside.items()]
    assert returned_share(basis, lines=lines, left=left) == (gone / total if total else 1)
