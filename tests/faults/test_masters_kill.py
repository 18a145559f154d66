"""`mitra import` killed in the middle of a file and started again: each row counts once, and nothing twice."""

import asyncio
import signal
from pathlib import Path

import orjson
import pytest

from base.clock import SystemClock
from partners.queries import ProgramRow
from partners.service import PartnerInput, PartnerKind, RegionInput, upsert_partners, upsert_regions
from tests.command import SECONDS, Mitra, Running
from tests.invariants import check_audit, check_invariants
from tests.services.programs import make_program, rows, value

pytestmark = pytest.mark.usefixtures("database")

ROWS = 5_000


async def make_channel() -> ProgramRow:
    program = await make_program()
    await upsert_regions(program_id=program.id, regions=[RegionInput("java", "Java")])
    shops = [PartnerInput(f"shop-{number}", "Shop", PartnerKind.RETAILER, "java") for number in range(50)]
    await upsert_partners(program_id=program.id, partners=shops, now=SystemClock().now())
    return program


async def kill_at(running: Running, program_id: int, wanted: int) -> int:
    """Kill it once its import has read so many rows; how many it had then."""
    query = "SELECT coalesce(max(read), 0) FROM import WHERE program_id = $1"
    async with asyncio.timeout(SECONDS):
        while (read := await value(query, program_id)) < wanted:  # type: ignore[operator]
            assert running.process.poll() is None, running.output
            await asyncio.sleep(0.01)
    assert await asyncio.to_thread(running.stop, signal.SIGKILL) == -signal.SIGKILL
    assert isinstance(read, int)
    return read


@pytest.mark.parametrize("kind", ["partners", "balances"])
async def test_a_killed_import_of_masters_counts_each_row_once(
    mitra: Mitra, database_url: str, redis_url: str, tmp_path: Path, kind: str
) -> None:
    program = await make_channel()
    if kind == "partners":
        lines = [f"S{number},Shop,RETAILER,java,D{number % 9}" for number in range(ROWS)]
        lines += [f"D{number},Distributor,DISTRIBUTOR,java," for number in range(9)]
        lines += [lines[0], "S1,Other,RETAILER,java,", "S,Shop,RETAILER,java,D10"]
        header = "code,name,kind,region,parent"
        expected = (ROWS + 12, ROWS + 9, 1, {"CONFLICTING_ROWS": 1, "UNKNOWN_PARTNER": 1})
    else:
        lines = [f"shop-{number % 50},{number % 7 + 1},ref-{number}" for number in range(ROWS)]
        lines += [lines[0], "shop-1,9,ref-1", "nobody,5,other"]
        header = "partner,points,reference"
        expected = (ROWS + 3, ROWS, 1, {"CONFLICTING_ROWS": 1, "UNKNOWN_PARTNER": 1})
    file = tmp_path / "file.csv"
    file.write_text("\n".join((header, *lines)) + "\n")
    call = ("import", kind, str(file), "--program", program.key)
    where = {"MITRA_DATABASE_URL": database_url, "MITRA_REDIS_URL": redis_url}

    reached = 0
    for wanted in (1, 2_000):
        reached = await kill_at(mitra.start(*call, **where), program.id, max(wanted, reached + 1))
        assert reached < len(lines), "it was to be killed before its end"
        await check_invariants(program.id)
    done = await asyncio.to_thread(lambda: mitra.run(*call, **where))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Going on with import" in done.stdout

    [found] = await rows(
        "SELECT state, read, recorded, duplicates, reasons::text FROM import WHERE program_id = $1",
        program.id,
    )
    assert found["state"] == "DONE"
    assert (found["read"], found["recorded"], found["duplicates"]) == expected[:3]
    assert orjson.loads(found["reasons"]) == expected[3]
    assert len(next(tmp_path.glob("file.csv.refused-*.csv")).read_text().splitlines()) == 3
    if kind == "partners":
        assert await value("SELECT count(*) FROM partner WHERE program_id = $1", program.id) == ROWS + 59
    else:
        posted = sum(number % 7 + 1 for number in range(ROWS))
        assert await value("SELECT sum(available) FROM wallet WHERE program_id = $1", program.id) == posted
        await check_audit(program.id)
