"""What an activity is, what of it is left, and what makes two payloads the same."""

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal

import pytest

from activity.returns import Original, references
from activity.rules import ActivityInput, LineInput, LineReference, Share, is_storable, payload_hash
from base.numbers import plain
from tests.rules.pieces import AT, SOAP, TEA, make_activity, taken

D = Decimal
GIVEN = ActivityInput(
    "pos",
    "x1",
    "SALE",
    "shop",
    AT,
    [LineInput("tea", D("1.5"), D(10))],
    attributes={"a": 1, "b": {"c": [1, 2]}},
)


@pytest.mark.parametrize(
    "same",
    [
        replace(GIVEN, lines=[LineInput("tea", D("1.50"), D("1E1"))]),
        replace(GIVEN, occurred_at=AT.astimezone(timezone(timedelta(hours=-9, minutes=-30)))),
        replace(GIVEN, attributes={"b": {"c": [1, 2]}, "a": 1}),
        replace(GIVEN, lines=tuple(GIVEN.lines)),
        replace(GIVEN, source="erp", external_id="y1"),  # the key is no part of the payload
    ],
)
def test_the_same_payload_has_the_same_hash(same: ActivityInput) -> None:
    assert payload_hash(same) == payload_hash(GIVEN)


@pytest.mark.parametrize(
    "other",
    [
        replace(GIVEN, kind="RECEIPT"),
        replace(GIVEN, partner="shop2"),
        replace(GIVEN, occurred_at=AT + timedelta(microseconds=1)),
        replace(GIVEN, currency="USD"),
        replace(GIVEN, reverses="x0"),
        replace(GIVEN, attributes=None),
        replace(GIVEN, attributes={}),
        replace(GIVEN, lines=[]),
        replace(GIVEN, lines=[*GIVEN.lines, *GIVEN.lines]),
        replace(GIVEN, lines=[replace(GIVEN.lines[0], unit="EA")]),
        replace(GIVEN, lines=[replace(GIVEN.lines[0], quantity=D("1.500001"))]),
        replace(GIVEN, lines=[replace(GIVEN.lines[0], reverses=LineReference("x0", 1))]),
        replace(GIVEN, lines=[replace(GIVEN.lines[0], reverses=LineReference("x0", 2))]),
        replace(GIVEN, lines=[replace(GIVEN.lines[0], reverses=LineReference("x0", 1, "pos"))]),
    ],
)
def test_another_payload_has_another_hash(other: ActivityInput) -> None:
    assert payload_hash(other) != payload_hash(GIVEN)


@pytest.mark.parametrize(
    ("text", "storable"),
    [("", True), ("warung Sri 🍵", True), ("a\0b", False), ("\ud83d", False), ("tea \udc00", False)],
)
def test_what_can_be_stored(text: str, storable: bool) -> None:
    assert is_storable(text) is storable


@pytest.mark.parametrize(
    ("value", "text"),
    [("-0", "0"), ("0.000", "0"), ("1.50", "1.5"), ("1E+3", "1000"), ("-2.0", "-2"), ("0.000001", "0.000001"),
     ("123456789012345678901234567890.123456789012345678", "123456789012345678901234567890.123456789012345678")],
)  # fmt: skip
def test_equal_numbers_are_written_alike(value: str, text: str) -> None:
    assert plain(D(value)) == text


def test_the_activities_that_a_return_names() -> None:
    lines = [
        LineInput("tea", D(1), D(1), reverses=LineReference("x1", 1)),
        LineInput("tea", D(1), D(1), reverses=LineReference("x2", 1, "erp")),
    ]
    assert references(replace(GIVEN, kind="RETURN", lines=lines)) == [("pos", "x1"), ("erp", "x2")]
    assert references(replace(GIVEN, kind="RETURN", lines=[], reverses="x3")) == [("pos", "x3")]


def test_what_is_left_after_parts_came_back() -> None:
    original = Original.of(make_activity((TEA, 3, 30), (SOAP, 1, 5)))
    original.take(taken(original, (1, 1, 10), (1, "0.5", 0)))
    assert original.left == {1: (D("1.5"), D(20)), 2: (D(1), D(5))}
    assert original.stands
    original.take(taken(original, (1, "1.5", 20), (2, 1, 5)))
    assert not original.stands


def test_shares_say_what_counts_before_and_after() -> None:
    original = Original.of(make_activity((TEA, 3, 30), (SOAP, 1, 5)))
    tea, soap = original.activity.lines
    assert original.take(taken(original, (1, 1, 12))) == [
        Share(tea, D(3), D(30), D(2), D(18)),
        Share(soap, D(1), D(5), D(1), D(5)),
    ]
    assert original.take(taken(original, (1, 1, 8))) == [
        Share(tea, D(2), D(18), D(1), D(10)),
        Share(soap, D(1), D(5), D(1), D(5)),
    ]


def test_with_the_last_of_its_quantity_goes_what_is_left_of_a_lines_amount() -> None:
    original = Original.of(make_activity((TEA, 3, 30), (SOAP, 1, 5)))
    tea, soap = original.activity.lines
    original.take(taken(original, (1, 1, 10)))
    assert original.take(taken(original, (1, "0.5", 1), (1, "1.5", 0))) == [
        Share(tea, D(2), D(20), D(0), D(0)),
        Share(soap, D(1), D(5), D(1), D(5)),
    ]
    assert original.left == {1: (D(0), D(0)), 2: (D(1), D(5))}


def test_an_activity_without_lines_stands_until_it_comes_back() -> None:
    original = Original.of(make_activity(kind="VISIT"))
    assert original.stands
    original.take(())
    assert not original.stands
