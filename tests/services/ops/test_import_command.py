"""`mitra import`: what it says, what it writes beside the file, and how it is taken up again."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from partners.queries import ProgramRow
from partners.service import RegionInput, upsert_regions
from tests.command import ROOT, SECONDS, Mitra
from tests.services.programs import make_program, value

pytestmark = pytest.mark.usefixtures("database")

ROWS = 8_000
PARTNERS = """\
code,name,kind,region,parent
S1,"Shop, one",RETAILER,java,D1
S2,Shop,SHOP,java,
D1,Distributor,DISTRIBUTOR,java,
D1,Distributor,DISTRIBUTOR,java,
S3,Shop,SHOP,java,
"""


@pytest.fixture
def where(database_url: str, redis_url: str) -> dict[str, str]:
    """The servers of the tests, as an operator names servers."""
    return {"MITRA_DATABASE_URL": database_url, "MITRA_REDIS_URL": redis_url}


@pytest.fixture
async def program() -> ProgramRow:
    made = await make_program()
    await upsert_regions(program_id=made.id, regions=[RegionInput("java", "Java")])
    return made


def told(text: str, name: str) -> int:
    """The count in the line of a table that begins so."""
    found = re.search(rf"^ *{name} +([\d,]+)", text, re.MULTILINE)
    assert found is not None, text
    return int(found[1].replace(",", ""))


def test_a_file_is_accounted_for_and_its_refused_rows_can_be_mended(
    mitra: Mitra, where: dict[str, str], program: ProgramRow, tmp_path: Path
) -> None:
    file = tmp_path / "partners [old].csv"
    file.write_text(PARTNERS)
    call = ("import", "partners", str(file), "--program", program.key)
    done = mitra.run(*call, **where)
    assert (done.returncode, done.stderr) == (0, "")
    counts = {name: told(done.stdout, name) for name in ("read", "recorded", "duplicates", "refused")}
    assert counts == {"read": 5, "recorded": 2, "duplicates": 1, "refused": 2}
    assert told(done.stdout, "UNKNOWN_KIND") == 2
    assert "1 repeats a row of this file" in done.stdout
    assert "line 3, kind: there is no kind 'SHOP'" in done.stdout

    number = re.search(r"Import (\d+) is done", done.stdout)
    assert number is not None
    refused = tmp_path / f"partners [old].csv.refused-{number[1]}.csv"
    text = refused.read_text(encoding="utf-8-sig")
    assert [line.split(",")[:2] for line in text.splitlines()[1:]] == [
        ["3", "UNKNOWN_KIND"],
        ["6", "UNKNOWN_KIND"],
    ]
    refused.write_text(text.replace(",SHOP,", ",RETAILER,"))
    mended = mitra.run("import", "partners", str(refused), "--program", program.key, **where)
    assert (mended.returncode, told(mended.stdout, "recorded")) == (0, 2)
    again = mitra.run(*call, **where)
    assert (again.returncode, told(again.stdout, "recorded"), told(again.stdout, "duplicates")) == (0, 0, 3)

    listed = mitra.run("import", "list", "--program", program.key, **where)
    assert listed.returncode == 0
    assert listed.stdout.count("DONE") == 3
    shown = mitra.run("import", "show", number[1], "--program", program.key, **where)
    assert (shown.returncode, told(shown.stdout, "refused")) == (0, 2)
    assert "state     DONE" in shown.stdout
    assert "rows/s" in shown.stdout


async def test_ctrl_c_leaves_an_import_that_the_same_command_completes(
    mitra: Mitra, where: dict[str, str], program: ProgramRow, tmp_path: Path
) -> None:
    file = tmp_path / "products.csv"
    file.write_text("sku,name\n" + "".join(f"sku-{number},Product\n" for number in range(ROWS)))
    call = ("import", "products", str(file), "--program", program.key)
    running = mitra.start(*call, **where)

    query = "SELECT coalesce(max(read), 0) FROM import WHERE program_id = $1"
    async with asyncio.timeout(SECONDS):
        while not await value(query, program.id):
            assert running.process.poll() is None, running.output
            await asyncio.sleep(0.01)
    assert await asyncio.to_thread(running.stop, signal.SIGINT) == 130
    assert "Stopped. Nothing is lost: the same command goes on with import" in running.output
    listed = await asyncio.to_thread(lambda: mitra.run("import", "list", "--program", program.key, **where))
    assert "STOPPED, " in listed.stdout
    done = await asyncio.to_thread(lambda: mitra.run(*call, **where))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Going on with import" in done.stdout
    assert (told(done.stdout, "recorded"), told(done.stdout, "duplicates")) == (ROWS, 0)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("partners", "-"), "mitra: Standard input cannot be imported: "),
        (("partners", "nothing.csv"), "mitra: There is no file nothing.csv"),
        (("products", "."), "mitra: . is no file that can be read twice"),
        (("products", "{file}", "--mapping", "nothing.toml"), "mitra: There is no file nothing.toml"),
        (("products", "{file}", "--mapping", "{file}"), "mitra: INVALID_MAPPING: {file}: this is no TOML"),
        (("products", "{file}"), "mitra: UNKNOWN_COLUMN: 'code' is no column of these"),
        (("show", "4000000000"), "mitra: NOT_FOUND: the program "),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(
    mitra: Mitra,
    where: dict[str, str],
    program: ProgramRow,
    tmp_path: Path,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    file = tmp_path / "file.csv"
    file.write_text(PARTNERS)
    named = [argument.format(file=file) for argument in arguments]
    done = mitra.run("import", *named, "--program", program.key, **where)
    assert done.returncode == 1
    assert done.stderr.startswith(line.format(file=file))
    assert done.stderr.count("\n") == 1
    if arguments == ("products", "{file}"):
        listed = mitra.run("import", "list", "--program", program.key, **where)
        assert "FAILED" in listed.stdout


def test_a_file_of_which_nothing_was_taken_says_so_by_its_exit_status(
    mitra: Mitra, where: dict[str, str], program: ProgramRow, tmp_path: Path
) -> None:
    file = tmp_path / "balances.csv"
    file.write_text("partner,points\nnobody,100\nnoone,200\n")
    done = mitra.run("import", "balances", str(file), "--program", program.key, **where)
    assert (done.returncode, done.stderr) == (3, "")
    assert "Import " in done.stdout
    assert "Warning: all 2 rows are refused." in done.stdout
    assert "UNKNOWN_PARTNER, 2 rows: import partners first (`mitra import partners`)" in done.stdout


@pytest.fixture
async def rivals() -> list[str]:
    return [(await make_program()).key for _ in range(2)]


def test_an_error_names_the_programs_there_are(
    mitra: Mitra, where: dict[str, str], rivals: list[str]
) -> None:
    done = mitra.run("import", "list", **where)
    assert done.returncode == 1
    assert re.match(
        r"mitra: NOT_FOUND: there are several programs: \S+, \S+.*; name one with --program", done.stderr
    )


def test_what_goes_to_a_pipe_is_not_wrapped(
    mitra: Mitra, where: dict[str, str], program: ProgramRow, tmp_path: Path
) -> None:
    file = tmp_path / f"{'partners-' * 20}.csv"
    file.write_text(PARTNERS)
    done = mitra.run("import", "partners", str(file), "--program", program.key, **where)
    assert any(
        line.startswith(f"The refused rows stand in {file}.refused-") for line in done.stdout.splitlines()
    )
    assert any(
        "there is no kind 'SHOP'" in line and "distributor" in line.lower()
        for line in done.stdout.splitlines()
    )


def test_a_pipe_that_nobody_reads_is_no_fault(
    mitra: Mitra, where: dict[str, str], program: ProgramRow, tmp_path: Path
) -> None:
    file = tmp_path / "partners.csv"
    file.write_text(PARTNERS)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ops", "import", "partners", str(file), "--program", program.key]
    environment = os.environ | where | {"MITRA_DATA_DIR": str(mitra.data_dir)}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    listed = mitra.run("import", "list", "--program", program.key, **where)
    assert "DONE" in listed.stdout
