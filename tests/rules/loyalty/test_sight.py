"""What a partner is shown of reasons: all of its own, nobody's name, and no rule that is for others."""

from typing import Any

import pytest

from loyalty.because import chain
from loyalty.sight import OWN, WHOLE, Sight, show
from loyalty.words import LANGUAGES, Reader, explain

STEPS: list[dict[str, Any]] = [
    {"step": "activity", "on": None, "kind": "SALE", "source": "pos", "externalId": "A-1"},
    {"step": "withheld", "on": 0, "rule": "base", "version": 1, "why": "budget", "limit": 100},
    {"step": "outside", "on": 0, "rules": [["vip", 1, "tier"], ["secret", 2, "region"]]},
    {"step": "approval", "on": None, "askedBy": "zoe@brand.test", "approvedBy": "bob@brand.test"},
    {"step": "adjustment", "on": 3, "reason": "a display", "amount": 5, "actor": "zoe@brand.test"},
    {
        "step": "withheld",
        "on": 0,
        "rule": "secret",
        "version": 2,
        "why": "audience",
        "condition": "region",
    },
    {"step": "hold", "on": None, "purpose": "a kettle", "points": 5, "unit": "POINT", "actor": "zoe"},
]


def test_staff_see_what_is_kept() -> None:
    assert show(STEPS, WHOLE) is STEPS


def test_a_partner_sees_as_many_steps_that_point_where_they_did() -> None:
    shown = show(STEPS, OWN)
    assert [step["on"] for step in shown] == [step["on"] for step in STEPS]
    assert [step["step"] for step in chain(shown, 4)] == ["approval", "adjustment"]
    assert "zoe" in str(STEPS), "what is kept is as it was"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_partner_is_told_of_nobody_and_of_no_rule_of_others(language: str) -> None:
    told = explain(STEPS, Reader(language, sight=OWN))
    assert len(told) == len(STEPS)
    written = str(told)
    for hidden in ("brand.test", "zoe", "bob", "vip", "secret", "region", "wilayah"):
        assert hidden not in written
    for kept in ("A-1", "base", "100", "a display", "a kettle"):
        assert kept in written


def test_a_rule_that_is_for_the_partner_now_is_told_though_it_was_not_then() -> None:
    shown = show(STEPS, Sight(is_own=True, rules=frozenset({"vip"})))
    assert shown[2]["rules"] == [["vip", 1, "tier"]]
    named = show([STEPS[5]], Sight(is_own=True, rules=frozenset({"secret"})))
    assert named == [STEPS[5]]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Asked for by one person, and approved by another", "Adjusted by hand: a display"]),
        (
            "id",
            [
                "Diminta oleh satu orang, dan disetujui oleh orang lain",
                "Disesuaikan secara manual: a display",
            ],
        ),
    ],
)
def test_an_adjustment_without_names_reads_well(language: str, expected: list[str]) -> None:
    told = explain(chain(STEPS, 4), Reader(language, sight=OWN))
    assert [one.detail for one in told] == expected
    assert [one.value for one in told] == [None, "5"]
