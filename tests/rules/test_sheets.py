"""Tables for people: nothing of a cell is run, and everything can be read again."""

import csv
import io

import pytest

from api.schema.wallet import EntryKind
from api.sheets import Sheet, safe
from loyalty.ledger.books import Bucket
from loyalty.words import LANGUAGES
from loyalty.words.papers import LABELS


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "＝1", "＋1", "－1", "＠x",
        '=HYPERLINK("http://x","y")',
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Sale 5 = 10", "a-b", "“Dairy”", "'=1", "2026-11-20", "30 points"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_a_sheet_is_read_back_as_it_was_written() -> None:
    stream = io.BytesIO()
    sheet = Sheet(stream)
    sheet.write([("a", None, -5), ('say "x", or\ny', "=1", 2**53)])
    sheet.end()
    assert stream.getvalue().startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(stream.getvalue().decode("utf-8-sig"), newline="")))
    assert read == [["a", "", "-5"], ['say "x", or\ny', "'=1", str(2**53)]]


def test_every_language_has_every_label() -> None:
    assert set(LABELS) == set(LANGUAGES)
    for labels in LABELS.values():
        assert set(labels.kinds) == set(EntryKind)
        assert set(labels.buckets) == set(Bucket)
        assert len(labels.columns) == len(LABELS["en"].columns)
