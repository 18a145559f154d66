"""Why a rule paid nothing, of what anybody can look up; and which version was asked."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty.earning.reasons import consider, failure
from loyalty.earning.shares import RateBasis
from loyalty.earning.terms import Band, Hours, Terms
from loyalty.earning.versions import EarningRule
from loyalty.words import Reader, explain
from metrics.rules import LineFilter
from partners.rules import Audience
from tests.rules.pieces import AT, TEA, make_activity

D = Decimal
DAY = timedelta(days=1)
SOLD = make_activity((TEA, 3, 40))


def make_rule(terms: Terms | None = None, basis: RateBasis = RateBasis.AMOUNT, **more: Any) -> EarningRule:
    given: dict[str, Any] = {
        "id": 1, "key": "r1", "version": 1, "activity_kind": "SALE", "filter": LineFilter(), "audience": Audience(),
        "rate": D(1), "starts_at": None, "ends_at": None, "terms": terms or Terms(),
    }  # fmt: skip
    return EarningRule(basis=basis, **{**given, **more})


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (make_rule(activity_kind="VISIT"), "it is for another kind of activity: Visit"),
        (make_rule(starts_at=AT + DAY), "it begins on 21 November 2026"),
        (make_rule(ends_at=datetime(2026, 11, 1, tzinfo=UTC)), "it ended on 31 October 2026"),
        (make_rule(ended_at=AT - DAY), "it ended on 19 November 2026"),
        (make_rule(filter=LineFilter(skus=frozenset({"soap"}))), "none of the lines counts for it"),
        (
            make_rule(Terms(hours=Hours(time(16), time(18)))),
            "it applies from 16:00 to 18:00 only, and this was at 08:00",
        ),
        (make_rule(Terms(weekdays=(1, 6))), "it applies on Monday, Saturday only, and this was a Friday"),
        (make_rule(Terms(min_basket=D(100))), "the activity is worth 40, and must be worth 100 at least"),
        (make_rule(Terms(max_basket=D(30))), "the activity is worth 40, and may be worth 30 at most"),
        (make_rule(Terms(step=D(50))), "40 counted: less than a full 50"),
        (make_rule(Terms(bands=(Band(D(0), D(0)), Band(D(10), D(2))))), "a quantity of 3 earns nothing"),
        (
            make_rule(starts_at=AT + timedelta(hours=2)),
            "it begins on 20 November 2026 at 10:00, and this was at 08:00",
        ),
        (
            make_rule(ended_at=AT - timedelta(seconds=30)),
            "it ended on 20 November 2026 at 07:59:30, and this was at 08:00",
        ),
        (
            make_rule(starts_at=AT + DAY, ended_at=AT - DAY),
            "it was ended on 19 November 2026, before it began",
        ),
        (make_rule(rate=D("0.02")), "0.8 is less than one point"),
    ],
)
def test_the_condition_that_failed_is_told_with_its_numbers(rule: EarningRule, told: str) -> None:
    (found,) = consider([rule], SOLD, [])
    assert found.points == 0
    assert [one.detail for one in explain(found.because, Reader("en"))] == [
        "Sale x1, reported by pos",
        f"“r1”, version 1: {told}",
    ]
    assert "None" not in explain(found.because, Reader("id"))[1].detail
    assert failure(rule, SOLD)["why"] == found.because[1]["why"]


def test_after_midnight_the_night_that_counted_is_told() -> None:
    """On a Sunday at 01:30 it is still the night of Saturday."""
    rule = make_rule(Terms(weekdays=(7,), hours=Hours(time(22), time(2))))
    sold = make_activity((TEA, 3, 40), at=datetime(2026, 11, 22, 1, 30, tzinfo=UTC))
    (found,) = consider([rule], sold, [])
    assert explain(found.because, Reader("en"))[1].detail == (
        "“r1”, version 1: it applies on Sunday only, and this was in the night of Saturday"
    )
    assert explain(found.because, Reader("id"))[1].detail == (
        "“r1”, versi 1: hanya berlaku pada hari Minggu, dan ini masih terhitung malam hari Sabtu"
    )


def test_the_version_that_existed_and_held_was_asked() -> None:
    early, late = AT - DAY, AT + DAY
    first = make_rule(created_at=early, until=AT)
    second = make_rule(id=2, version=2, root=1, created_at=AT, effective_from=AT)
    third = make_rule(id=3, version=3, root=1, created_at=late, effective_from=late)
    assert [one.rule.version for one in consider([first, second, third], SOLD, [])] == [2]
    (found,) = consider([make_rule(created_at=late)], SOLD, [])
    assert found.because[1]["why"] == "later"
    (found,) = consider([make_rule(created_at=AT + timedelta(minutes=5))], SOLD, [])
    assert explain(found.because, Reader("en"))[1].detail == (
        "“r1”, version 1: it did not exist yet: it was created on 20 November 2026 at 08:05,"
        " and this was recorded at 08:00"
    )


def test_a_return_is_considered_by_no_rule() -> None:
    assert consider([make_rule()], make_activity((TEA, 1, 1), kind="RETURN"), []) == []
