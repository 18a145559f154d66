"""`mitra program create`: the same again changes nothing, and what is wrong is said in one line."""

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


def test_the_command_shows_an_example(mitra: Mitra) -> None:
    shown = mitra.run("program", "create", "--help")
    assert shown.returncode == 0
    assert "Example: mitra program create" in shown.stdout
