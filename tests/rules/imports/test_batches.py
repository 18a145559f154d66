"""Where a file of sales is cut into batches."""

import gzip
import io
from collections.abc import Iterable
from itertools import pairwise

import pytest

from imports.batches import ACTIVITIES, MOST_ACTIVITIES, MOST_ROWS, ROWS, Batch, split_batches
from imports.files import read_rows
from imports.lines import BrokenFile
from imports.mapping_toml import parse_sales_mapping
from imports.rows import SalesRow
from imports.sales_rows import SalesReader

MAPPING = parse_sales_mapping("""
source = "erp"
[columns]
document = "doc"
partner = "shop"
date = "at"
sku = "sku"
quantity = "qty"
amount = "paid"
""")


def split(rows: Iterable[tuple[object, ...]], *, cut: int | None = None) -> list[Batch]:
    """The batches of a file of (document, partner) rows; of its first bytes, gzipped, with `cut`."""
    lines = (",".join(map(str, (*row, "2026-11-01", "tea", 1, 2))) for row in rows)
    content = "\n".join(("doc,shop,at,sku,qty,paid", *lines)).encode() + b"\n"
    stream = io.BytesIO(content if cut is None else gzip.compress(content)[:cut])
    file = read_rows(stream, MAPPING.file)
    found: list[Batch] = []
    try:
        found.extend(split_batches(file, SalesReader(MAPPING, file.header)))
    except BrokenFile:
        assert cut is not None
    assert all(batch.position == following.rows[0].raw.line for batch, following in pairwise(found))
    return found


def test_batches_are_cut_between_documents() -> None:
    count = 3 * (ACTIVITIES + 50)
    batches = split((f"d{line // 3}", "shop") for line in range(count))
    assert [row.raw.line for batch in batches for row in batch.rows] == list(range(2, count + 2))
    assert len(batches) > 1
    ends = [{row.document for row in batch.rows if isinstance(row, SalesRow)} for batch in batches]
    assert all(not first & second for first, second in pairwise(ends))
    assert batches[-1].position == count + 2


def test_a_long_document_and_one_of_many_partners_are_cut_all_the_same() -> None:
    assert [len(batch.rows) for batch in split(("d", "shop") for _ in range(MOST_ROWS + 10))] == [
        MOST_ROWS,
        10,
    ]
    many = split(("d", f"p{line}") for line in range(MOST_ACTIVITIES + 10))
    assert [len(batch.rows) for batch in many] == [MOST_ACTIVITIES, 10]


def test_refused_rows_alone_make_batches_too() -> None:
    assert [len(batch.rows) for batch in split(("d", "") for _ in range(ROWS + 1))] == [ROWS, 1]
    assert split([]) == []


def test_a_last_row_of_several_lines_ends_where_it_ends() -> None:
    (batch,) = split([("d", '"a\nshop\nof lines"')])
    assert (batch.rows[0].raw.line, batch.position) == (2, 5)


@pytest.mark.parametrize("cut", [300, 5_000])
def test_what_stands_before_a_break_is_given_before_it_is_raised(cut: int) -> None:
    rows = [(f"d{line}", f"shop{line * line}") for line in range(5_000)]
    found = [row for batch in split(rows, cut=cut) for row in batch.rows]
    assert 10 < len(found) < len(rows)
    assert [row.document for row in found if isinstance(row, SalesRow)] == [
        f"d{line}" for line in range(len(found))
    ]
