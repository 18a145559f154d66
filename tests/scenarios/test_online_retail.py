"""A year of a real wholesaler, as dirty as it came, compared with what the file alone says that it comes to.

The file is not ours to ship: the test is there where the file is, named by MITRA_TEST_ONLINE_RETAIL or standing as
`data/online_retail.csv.gz` in a folder beside the checkout. (`tests/services/imports` has each kind of its dirt in a
short file of our own.) Its first month has every reason for which it refuses rows; `make test-year` takes all of it in.
"""

import gzip
import io
import os
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import pytest

from base.clock import SetClock
from imports.sales import import_sales
from imports.store import Import, ImportKind, ImportState, begin_import
from metrics.rules import Measure
from metrics.windows import Period
from tests.invariants import check_audit
from tests.scenarios.online_retail import Totals, reckon
from tests.world import NOW, World, make_world

pytestmark = pytest.mark.usefixtures("database")

ROOT = Path(__file__).parent.parent.parent
MAPPING = (ROOT / "docs" / "examples" / "online-retail.toml").read_text()
NAMED = os.environ.get("MITRA_TEST_ONLINE_RETAIL")
FILES = [Path(NAMED)] if NAMED else sorted(ROOT.parent.glob("*/data/online_retail.csv.gz"))[:1]
MONTH = 42_481
"""Rows, to the end of the first December."""
AGAIN = 10_000
REASONS = {"NO_PARTNER", "NO_PRODUCT", "RETURN_WITHOUT_SALE", "MORE_THAN_LEFT"}

# What is left of each partner's sales by the journal, and what its meters and wallet say.
NET = """
SELECT p.code, n.pieces, coalesce(n.paid, 0) AS amount, coalesce(m.pieces, 0) AS pieces_metered,
       coalesce(m.amount, 0) AS amount_metered, coalesce(w.available, 0) AS available
FROM partner p
JOIN (SELECT a.partner_id, sum(l.quantity - coalesce(r.quantity, 0)) AS pieces,
             sum(l.amount - coalesce(r.amount, 0)) FILTER (WHERE l.quantity > coalesce(r.quantity, 0)) AS paid
      FROM activity a JOIN activity_line l ON l.program_id = a.program_id AND l.activity_id = a.id
      LEFT JOIN (SELECT reverses_id, reverses_line, sum(quantity) AS quantity, sum(amount) AS amount
                 FROM activity_line WHERE program_id = $1 AND reverses_id IS NOT NULL GROUP BY 1, 2) r
        ON r.reverses_id = l.activity_id AND r.reverses_line = l.line
      WHERE a.program_id = $1 AND a.kind = 'SALE' GROUP BY 1) n ON n.partner_id = p.id
LEFT JOIN (SELECT t.partner_id, sum(t.value) FILTER (WHERE m.measure = 'QUANTITY') AS pieces,
             sum(t.value) FILTER (WHERE m.measure = 'AMOUNT') AS amount
      FROM meter t JOIN meter_series s ON s.program_id = t.program_id AND s.id = t.series_id
      JOIN metric m ON m.program_id = t.program_id AND m.id = s.metric_id
      WHERE t.program_id = $1 GROUP BY 1) m ON m.partner_id = p.id
LEFT JOIN wallet w ON w.program_id = p.program_id AND w.partner_id = p.id
WHERE p.program_id = $1
"""
DOCUMENTS = (
    "SELECT DISTINCT kind, split_part(external_id, '/', 1) AS document FROM activity WHERE program_id = $1"
)


async def take(world: World, content: bytes) -> Import:
    """Take the file in, as a history."""
    one = await begin_import(
        program_id=world.program_id,
        kind=ImportKind.SALES,
        file_name="online_retail.csv",
        file_digest=blake2b(content).digest(),
        file_size=len(content),
        mapping=MAPPING,
        history=True,
        created_by="test",
        now=world.clock.now(),
    )
    return await import_sales(one, io.BytesIO(content), SetClock(NOW), lambda step: None)


def first_rows(content: bytes, rows: int) -> bytes:
    """The header and so many rows."""
    with gzip.open(io.BytesIO(content)) as lines:
        return b"".join(islice(lines, rows + 1))


def assert_accounted(one: Import, totals: Totals) -> None:
    """Every row became what the file alone says."""
    assert one.state is ImportState.DONE
    assert one.read == totals.rows == one.recorded + one.duplicates + one.refused
    assert (one.recorded, one.duplicates) == (totals.recorded, totals.duplicates)
    assert one.reasons == dict(totals.refused)


if FILES:

    async def test_a_wholesalers_sales_come_to_what_the_file_says(
        pytestconfig: pytest.Config, tmp_path: Path
    ) -> None:
        content, splits = FILES[0].read_bytes(), 50
        if not pytestconfig.getoption("--whole-year"):
            content, splits = gzip.compress(first_rows(content, MONTH), compresslevel=1), 0
        file = tmp_path / "online_retail.csv.gz"
        file.write_bytes(content)
        totals = reckon(file)
        assert set(totals.refused) == REASONS
        assert totals.split > splits
        assert totals.duplicates

        world = await make_world(())
        await world.count("amount", Measure.AMOUNT, Period.LIFETIME)
        await world.count("pieces", Measure.QUANTITY, Period.LIFETIME)
        await world.earn("base", quantity=1)
        one = await take(world, content)
        assert_accounted(one, totals)

        documents = {(row["kind"], row["document"]) for row in await world.rows(DOCUMENTS)}
        assert documents == {("SALE", name) for name in totals.invoices} | {
            ("RETURN", name) for name in totals.credit_notes
        }
        partners = await world.rows(NET)
        assert {row["code"]: (row["pieces"], row["amount"]) for row in partners} == totals.net
        for row in partners:
            assert (row["pieces_metered"], row["amount_metered"]) == (row["pieces"], row["amount"]), row
            assert row["available"] == row["pieces"], row
        await check_audit(world.program_id)

        again = await take(world, first_rows(content, AGAIN))
        assert (again.read, again.recorded) == (AGAIN, 0)
        assert await world.rows(NET) == partners
