"""`mitra program`: created twice is created once, what is wrong is said in one line, and all are listed."""

from pathlib import Path

from tests.command import Mitra


def test_a_program_is_created_once(mitra: Mitra) -> None:
    create = ("program", "create", "harbour", "--name", "Harbour [Foods]", "--time-zone", "Asia/Jakarta")
    for _ in range(2):
        done = mitra.run(*create, "--currency", "IDR", "--locale", "id")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "The program harbour (Harbour [Foods]) is there: IDR, Asia/Jakarta, id.\n"
    other = mitra.run(*create)
    assert other.returncode == 1
    assert other.stderr.startswith("mitra: KEY_TAKEN: ")
    assert other.stderr.count("\n") == 1


def test_programs_are_listed_with_how_many_partners_they_have(
    mitra: Mitra, own: dict[str, str], tmp_path: Path
) -> None:
    none = mitra.run("program", "list", **own)
    assert (none.returncode, none.stderr) == (0, "")
    assert "There is no program yet" in none.stdout
    mitra.run(
        "program",
        "create",
        "toko",
        "--name",
        "Toko [Kita]",
        "--currency",
        "IDR",
        "--time-zone",
        "Asia/Jakarta",
        **own,
    )
    mitra.run("program", "create", "harbour", "--name", "Harbour Foods", **own)
    file = tmp_path / "partners.csv"
    file.write_text("code,name,kind,region\nS1,Shop,RETAILER,java\nS2,Shop,RETAILER,java\n")
    mitra.run("import", "partners", str(file), "--create-regions", "--program", "toko", **own)
    listed = mitra.run("program", "list", **own)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split() for line in listed.stdout.splitlines() if "/" in line or "UTC" in line] == [
        ["harbour", "Harbour", "Foods", "USD", "UTC", "0"],
        ["toko", "Toko", "[Kita]", "IDR", "Asia/Jakarta", "2"],
    ]


def test_a_command_that_needs_what_is_there_sets_up_nothing(mitra: Mitra, tmp_path: Path) -> None:
    file = tmp_path / "partners.csv"
    file.write_text("code\nS1\n")
    for call in (("import", "partners", str(file)), ("program", "list"), ("top", "--once")):
        done = mitra.run(*call)
        assert done.returncode == 1
        assert done.stderr.startswith(f"mitra: There is no installation in {mitra.data_dir}: ")
        assert (done.stderr.count("\n"), "MITRA_DATA_DIR" in done.stderr) == (1, True)
        assert not (mitra.data_dir / "servers").exists()


def test_the_command_shows_an_example(mitra: Mitra) -> None:
    shown = mitra.run("program", "create", "--help")
    assert shown.returncode == 0
    assert "Example: mitra program create" in shown.stdout
