"""A return takes back the newest earlier sales of its partner and product."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity.rules import LineInput
from imports.matching import NEWEST, Missing, SoldLine, SoldLines

TEA = ("shop", "tea")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sold(
    name: str, quantity: int | str, amount: str, *, at: datetime = NOON, order: int = 0, line: int = 1
) -> SoldLine:
    return SoldLine("erp", name, line, at, order, Decimal(quantity), Decimal(amount))


def take(
    lines: SoldLines,
    quantity: int | str,
    amount: str,
    *,
    at: datetime = NOON,
    document: str | None = None,
    source: str = "erp",
) -> list[tuple[str, int, Decimal, Decimal]] | Decimal:
    """(document, line, quantity, amount) of each part; what is left where that is too little."""
    found = lines.take(
        TEA,
        quantity=Decimal(quantity),
        amount=Decimal(amount),
        occurred_at=at,
        document=(source, document) if document else None,
    )
    return found.left if isinstance(found, Missing) else [part(one) for one in found]


def part(line: LineInput) -> tuple[str, int, Decimal, Decimal]:
    assert line.reverses is not None
    assert line.reverses.source == "erp"
    return line.reverses.external_id, line.reverses.line, line.quantity, line.amount


def test_the_newest_sale_comes_back_first_and_the_rest_from_those_before() -> None:
    lines = SoldLines([(TEA, sold("old", 6, "12", at=NOON - HOUR)), (TEA, sold("new", 4, "8"))])
    assert take(lines, 5, "10") == [("new", 1, Decimal(4), Decimal(8)), ("old", 1, Decimal(1), Decimal(2))]
    assert take(lines, 5, "10") == [("old", 1, Decimal(5), Decimal(10))]
    assert take(lines, 1, "2") == 0


def test_of_one_instant_the_last_recorded_line_is_the_newest() -> None:
    lines = SoldLines(
        [
            (TEA, sold("a", 1, "2", order=7)),
            (TEA, sold("b", 1, "2", order=8)),
            (TEA, sold("b", 1, "2", order=8, line=2)),
        ]
    )
    lines.add(TEA, [sold("c", 1, "2", order=NEWEST)])
    found = take(lines, 4, "8")
    assert isinstance(found, list)
    assert [(name, line) for name, line, *_ in found] == [("c", 1), ("b", 2), ("b", 1), ("a", 1)]


def test_a_sale_after_it_or_of_other_goods_does_not_count() -> None:
    lines = SoldLines(
        [(TEA, sold("later", 9, "9", at=NOON + HOUR)), (("shop", "soap"), sold("soap", 9, "9"))]
    )
    lines.add(("other", "tea"), [sold("other", 9, "9")])
    assert take(lines, 1, "1") == 0


def test_more_than_is_left_takes_nothing() -> None:
    lines = SoldLines([(TEA, sold("a", 3, "6")), (TEA, sold("b", 2, "4"))])
    assert take(lines, 6, "12") == 5
    assert take(lines, 5, "10") is not None


def test_what_was_there_before_is_not_changed_by_taking() -> None:
    before = [(TEA, sold("a", 3, "6"))]
    take(SoldLines(before), 3, "6")
    assert take(SoldLines(before), 3, "6") == [("a", 1, Decimal(3), Decimal(6))]


def test_the_document_that_the_file_names_and_its_further_activities() -> None:
    lines = SoldLines(
        [
            (TEA, sold("9", 1, "1", at=NOON)),
            (TEA, sold("7", 1, "1")),
            (TEA, replace(sold("7/12", 1, "1"), document="7")),
            (TEA, sold("77", 1, "1")),
        ]
    )
    found = take(lines, 2, "2", document="7")
    assert isinstance(found, list)
    assert {name for name, *_ in found} == {"7", "7/12"}
    assert take(lines, 1, "1", document="7") == 0


def test_a_dearer_return_takes_no_more_amount_than_is_left() -> None:
    lines = SoldLines([(TEA, sold("old", 2, "4", at=NOON - HOUR)), (TEA, sold("new", 2, "2"))])
    assert take(lines, 4, "40") == [("new", 1, Decimal(2), Decimal(2)), ("old", 1, Decimal(2), Decimal(4))]


@given(
    sales=st.lists(
        st.tuples(st.decimals("0.001", 50, places=3), st.decimals(0, 100, places=2)), min_size=1, max_size=8
    ),
    wanted=st.decimals("0.001", 300, places=3),
    amount=st.decimals(0, 500, places=2),
)
def test_never_more_than_was_sold_and_all_that_came_back(
    sales: list[tuple[Decimal, Decimal]], wanted: Decimal, amount: Decimal
) -> None:
    lines = SoldLines(
        [(TEA, sold(f"s{n}", str(quantity), str(paid), order=n)) for n, (quantity, paid) in enumerate(sales)]
    )
    found = lines.take(TEA, quantity=wanted, amount=amount, occurred_at=NOON)
    available = sum((quantity for quantity, _ in sales), Decimal(0))
    if isinstance(found, Missing):
        assert found.left == available < wanted
        return
    assert sum(line.quantity for line in found) == wanted
    assert sum(line.amount for line in found) <= amount
    for line in found:
        name, _, quantity, paid = part(line)
        assert 0 < quantity <= sales[int(name[1:])][0]
        assert 0 <= paid <= sales[int(name[1:])][1]
        assert paid == paid.quantize(Decimal("0.0001"))


@pytest.mark.parametrize("amount", ["10", "9.99", "0"])
def test_a_price_as_sold_comes_back_to_the_last_part(amount: str) -> None:
    lines = SoldLines([(TEA, sold(f"s{n}", 1, "3.34", order=n)) for n in range(3)])
    found = lines.take(TEA, quantity=Decimal(3), amount=Decimal(amount), occurred_at=NOON)
    assert isinstance(found, list)
    assert sum(line.amount for line in found) == Decimal(amount)


def test_a_document_of_another_source_or_with_a_number_like_a_further_activity_is_another() -> None:
    lines = SoldLines([(TEA, sold("7", 1, "1"))])
    assert take(lines, 1, "1", document="7", source="till") == 0
    own = SoldLine("erp", "7/2025", 1, NOON, 0, Decimal(1), Decimal(1))
    lines = SoldLines([(TEA, own), (TEA, sold("7/x", 1, "1"))])
    assert take(lines, 1, "1", document="7") == 0
    further = SoldLine("erp", "7/12", 1, NOON, 0, Decimal(1), Decimal(1), document="7")
    assert isinstance(take(SoldLines([(TEA, further)]), 1, "1", document="7"), list)
    assert isinstance(take(lines, 1, "1", document="7/2025"), list)


def test_packs_come_back_as_what_they_held_when_they_were_sold() -> None:
    def cases(name: str, each: int, order: int) -> SoldLine:
        packs = {"CASE": Decimal(each)}
        return SoldLine("erp", name, 1, NOON, order, Decimal(2 * each), Decimal(100), packs)

    def back(lines: SoldLines, quantity: str) -> list[tuple[str, Decimal]] | Decimal:
        found = lines.take(TEA, quantity=Decimal(quantity), unit="CASE", amount=Decimal(50), occurred_at=NOON)
        return found.left if isinstance(found, Missing) else [(part(one)[0], one.quantity) for one in found]

    lines = SoldLines([(TEA, cases("old", 12, 1)), (TEA, cases("new", 24, 2))])
    assert back(lines, "5") == 4
    assert back(lines, "1") == [("new", 24)]
    assert back(lines, "2.5") == [("new", 24), ("old", 18)]
    assert back(lines, "0.5") == [("old", 6)]
    assert back(lines, "0.5") == 0
