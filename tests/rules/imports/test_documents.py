"""Which rows are new, where batches are cut, and which rows make one activity."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from activity.rules import MAX_LINES, RETURN, LineInput
from imports.documents import Drafting, Known, Sorted, sort_rows
from imports.rows import RawRow, Refused, SalesRow

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINE = 7


def row(
    line: int,
    document: str = "d1",
    *,
    digest: str | None = None,
    partner: str = "shop",
    is_return: bool = False,
    first_line: int | None = None,
) -> SalesRow:
    return SalesRow(
        raw=RawRow(line, first_line or line, (str(line),)),
        document=document,
        is_return=is_return,
        partner=partner,
        occurred_at=NOON + timedelta(minutes=line),
        sku="tea",
        quantity=Decimal(1),
        amount=Decimal(2),
        digest=(digest or str(line)).encode(),
    )


def refused(line: int) -> Refused:
    return Refused(RawRow(line, line, ()), "NO_PARTNER", "none")


def knowing(rows: dict[str, dict[bytes, int]]) -> Known:
    """By document and digest, the import that brought a row."""
    return Known(
        {(document, digest): one for document, found in rows.items() for digest, one in found.items()},
        {document: set(found.values()) for document, found in rows.items()},
    )


def sort(rows: Iterable[SalesRow | Refused], *, known: Known | None = None, further: bool = False) -> Sorted:
    return sort_rows(rows, known=known or Known(), faults={}, import_id=MINE, is_further=further)


def draft(
    rows: Iterable[SalesRow], *, known: Known | None = None, further: bool = False
) -> dict[str, list[int]]:
    """The lines of the file that make each activity."""
    drafting = Drafting(known=known or Known(), is_further=further)
    for one in rows:
        drafting.place(one).add(one, [LineInput("tea", one.quantity, one.amount)])
    return {one.external_id: [row.raw.line for row in one.rows] for one in drafting.drafts}


def test_a_row_counts_once() -> None:
    found = sort([row(2), row(3, digest="2"), row(4, "d2", digest="2"), refused(5)])
    assert [one.raw.line for one in found.fresh] == [2, 4]
    assert (found.duplicates, found.duplicates_in) == (1, 1)
    assert [one.code for one in found.refused] == ["NO_PARTNER"]


def test_a_row_that_another_import_brought_is_no_repeat_of_this_file() -> None:
    found = sort([row(2, digest="a"), row(3, digest="b")], known=knowing({"d1": {b"a": 1, b"b": MINE}}))
    assert (found.fresh, found.duplicates, found.duplicates_in) == ([], 2, 1)


def test_a_document_that_another_import_brought_is_closed() -> None:
    known = knowing({"d1": {b"a": 1}})
    found = sort([row(2, digest="a"), row(3, digest="c"), row(4, "d2")], known=known)
    assert [(one.raw.line, one.code) for one in found.refused] == [(3, "DOCUMENT_RECORDED")]
    assert found.refused[0].message.endswith("[documents] within)")
    assert [one.raw.line for one in found.fresh] == [4]
    mended = sort([row(2, digest="a"), row(3, digest="c")], known=known, further=True)
    assert [one.raw.line for one in mended.fresh] == [3]


def test_a_row_that_whoever_brought_its_document_had_refused_is_judged_anew() -> None:
    known = knowing({"d1": {b"a": 1, b"b": MINE}})
    again = [row(2, digest="a"), row(3, digest="c"), row(4, digest="d")]
    found = sort(again, known=replace(known, refused={("d1", b"c"): {1}, ("d1", b"d"): {5}}))
    assert [one.raw.line for one in found.fresh] == [3]
    assert [(one.raw.line, one.code) for one in found.refused] == [(4, "DOCUMENT_RECORDED")]
    mended = knowing({"d1": {b"a": 1, b"mended": 2}})  # by an import that had not the row as it was
    found = sort(again, known=replace(mended, refused={("d1", b"c"): {1}}))
    assert [one.raw.line for one in found.refused] == [3, 4]
    assert draft([row(3), row(4)], known=knowing({"d1": {b"a": 1}})) == {"d1/3": [3, 4]}


def test_a_repeat_of_a_row_that_is_refused_is_looked_at_for_itself() -> None:
    fault = Refused(row(2).raw, "UNKNOWN_SKU", "none")
    found = sort_rows(
        [row(2, digest="a"), row(3, digest="a")],
        known=Known(),
        faults={2: fault},
        import_id=MINE,
        is_further=False,
    )
    assert [one.raw.line for one in found.fresh] == [3]
    assert found.duplicates == 0


def test_a_document_is_one_activity_and_what_comes_apart_a_further_one() -> None:
    assert draft([row(2), row(3), row(4, "d2"), row(5)]) == {"d1": [2, 3, 5], "d2": [4]}
    kinds = [row(2), row(3, is_return=True), row(4, partner="other"), row(5), row(6, is_return=True)]
    assert draft(kinds) == {"d1": [2, 5], "d1/3": [3, 6], "d1/4": [4]}
    assert draft([row(9)], known=knowing({"d1": {b"2": MINE}})) == {"d1/9": [9]}
    assert draft([row(2, first_line=88), row(3, first_line=90)], further=True) == {"d1/88": [2, 3]}


def test_an_activity_takes_a_thousand_lines() -> None:
    drafts = draft(row(line) for line in range(2, MAX_LINES + 5))
    assert {name: len(lines) for name, lines in drafts.items()} == {"d1": MAX_LINES, f"d1/{MAX_LINES + 2}": 3}


def test_what_a_draft_becomes() -> None:
    drafting = Drafting(known=Known(), is_further=False)
    for one in (row(2, is_return=True), row(3, is_return=True)):
        drafting.place(one).add(one, [LineInput("tea", Decimal(1), Decimal(2))])
    finished = drafting.drafts[0].finished("erp")
    assert (finished.source, finished.external_id, finished.kind) == ("erp", "d1", RETURN)
    assert finished.occurred_at == row(2).occurred_at
    assert len(finished.lines) == 2
