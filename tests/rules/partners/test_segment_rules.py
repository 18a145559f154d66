"""Segments and conditions on attributes, over frozen views."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import Invalid
from metrics.rules import LineFilter
from partners.attributes import (
    MOST_NAMES,
    MOST_VALUES,
    are_met,
    check_conditions,
    read_attributes,
    read_conditions,
    write_conditions,
    write_value,
)
from partners.rules import NO_SEGMENTS, Audience, Segment, Segments
from tests.rules.pieces import SHOP

EVERYBODY = Audience()
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = TEXTS | st.booleans() | NUMBERS


def meets(asked: Any, has: Any) -> bool:
    conditions = read_conditions(check_conditions({"x": asked}, ["attributes"]))
    return are_met(conditions, read_attributes(json.dumps({"x": has, "y": "other"})))


@pytest.mark.parametrize(
    ("asked", "has", "met"),
    [
        ("GT", "GT", True),
        ("GT", "gt", False),
        (["GT", "MT"], "MT", True),
        (["GT", "MT"], "HORECA", False),
        (5, 5.0, True),
        (5.0, 5, True),
        (0.5, 0.50, True),
        (0, -0.0, True),
        (100, 1e2, True),
        (2**53 + 1, float(2**53), False),
        (1e300, 1e300, True),
        (5, "5", False),
        ("5", 5, False),
        (True, 1, False),
        (1, True, False),
        (False, False, True),
        ("true", True, False),
        ("GT", ["GT"], False),
        ("GT", [], False),
        ("GT", {}, False),
        ("GT", None, False),
    ],
)
def test_values_are_compared_as_what_they_are(asked: Any, has: Any, met: bool) -> None:
    assert meets(asked, has) is met


def test_every_name_asks_for_itself() -> None:
    conditions = read_conditions(check_conditions({"channel": ["GT", "MT"], "stars": 5}, []))
    for attributes, met in (
        ({"channel": "GT", "stars": 5}, True),
        ({"channel": "GT", "stars": 4}, False),
        ({"stars": 5}, False),
        ({"channel": "GT", "level": 5}, False),
        ({}, False),
    ):
        assert are_met(conditions, read_attributes(json.dumps(attributes))) is met
    assert are_met((), frozenset())


def test_only_the_names_that_are_wanted_are_read() -> None:
    stored = json.dumps({"channel": "GT", "stars": 5})
    assert read_attributes(stored, {"stars"}) == {("stars", "5")}
    assert read_attributes(stored, frozenset()) == frozenset()


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(VALUES, min_size=1, max_size=4, unique_by=write_value))
)
def test_conditions_are_read_as_they_were_stored(drawn: dict[str, list[Any]]) -> None:
    stored = check_conditions(drawn, [])
    conditions = read_conditions(json.loads(json.dumps(stored)))
    assert write_conditions(conditions) == stored
    assert check_conditions(stored, []) == stored
    for name, values in drawn.items():
        for value in values:
            has = read_attributes(json.dumps({name: value}))
            assert are_met(tuple(one for one in conditions if {name} == {pair[0] for pair in one}), has)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"x": []}, "INVALID_ATTRIBUTES", ("a", "x")),
        ({"x": None}, "INVALID_ATTRIBUTES", ("a", "x", "0")),
        ({"x": ["a", {"b": 1}]}, "INVALID_ATTRIBUTES", ("a", "x", "1")),
        ({"x": [["a"]]}, "INVALID_ATTRIBUTES", ("a", "x", "0")),
        ({"x": float("nan")}, "INVALID_ATTRIBUTES", ("a",)),
        ({"x": "\0"}, "INVALID_ATTRIBUTES", ("a",)),
        ({"x": [5, 5.0]}, "DUPLICATE", ("a", "x", "1")),
        ({" x": "a"}, "INVALID_CODE", ("a",)),
        ({"x": list(range(MOST_VALUES + 1))}, "TOO_MANY", ("a", "x")),
        ({str(name): 1 for name in range(MOST_NAMES + 1)}, "TOO_MANY", ("a",)),
    ],
)
def test_wrong_conditions_are_refused(given: dict[str, Any], code: str, field: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as caught:
        check_conditions(given, ["a"])
    assert (caught.value.code, tuple(caught.value.field)) == (code, field)


def segment(key: str, audience: Audience = EVERYBODY, **attributes: Any) -> Segment:
    return Segment.from_json(key, {**audience.to_json(), "attributes": check_conditions(attributes, [])})


def test_a_partner_is_in_the_segments_whose_conditions_it_meets() -> None:
    segments = Segments(
        [
            segment("all"),
            segment("retailers", Audience(kinds=frozenset({"RETAILER"}))),
            segment("agents", Audience(kinds=frozenset({"AGENT"}))),
            segment("golden", Audience(tiers=frozenset({"gold"}))),
            segment("modern", Audience(regions=frozenset({"ID"})), channel="MT"),
            segment("general", channel="GT"),
        ]
    )
    assert segments.attributes == {"channel"}
    view = segments.place(replace(SHOP, attributes=read_attributes('{"channel": "MT"}', segments.attributes)))
    assert view.segments == {"all", "retailers", "modern"}
    assert segments.move(view, tier="gold").segments == {"all", "retailers", "modern", "golden"}
    assert segments.move(segments.move(view, tier="gold"), tier="bronze") == view


def test_an_audience_admits_whoever_is_in_one_of_its_segments() -> None:
    audience = Audience(segments=frozenset({"a", "b"}))
    assert audience.failure(replace(SHOP, segments=frozenset({"b", "c"}))) is None
    assert audience.failure(replace(SHOP, segments=frozenset({"c"}))) == "segment"
    assert Audience.from_json(audience.to_json()) == audience
    assert Audience(tiers=frozenset({"gold"}), segments=frozenset({"a"})).failure(SHOP) == "tier"


def test_without_segments_nothing_is_done() -> None:
    assert NO_SEGMENTS.place(SHOP) is SHOP
    assert NO_SEGMENTS.move(SHOP, tier="gold") == replace(SHOP, tier="gold")


def test_a_line_filter_is_read_as_it_was_stored() -> None:
    stored = {
        "skus": ["tea"],
        "min_amount": "5",
        "max_amount": "9.5",
        "attributes": {"organic": [True], "size": ["L", "M"], "year": [2026, 2025.5]},
    }
    line_filter = LineFilter.from_json(stored)
    assert LineFilter.from_json(line_filter.to_json()) == line_filter
    assert not line_filter.is_empty
    assert not LineFilter.from_json({"attributes": {"a": [1]}}).is_empty
    assert LineFilter().is_empty
