"""`mitra serve` from its start to its end: signals, faults of its surroundings, several processes."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import ValidationError

from base.settings import Settings
from ops.errors import OperatorError, describe
from ops.installation import prepared_servers
from tests.command import Mitra, free_port, wait_until


@pytest.fixture(scope="module")
def mitra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitra]:
    """One data folder for the whole module; each test leaves its servers stopped."""
    with Mitra(tmp_path_factory.mktemp("serve") / ".mitra") as command:
        yield command


def running_servers(mitra: Mitra) -> list[str]:
    """The command lines of the servers on this data folder."""
    home = os.fsencode((mitra.data_dir / "servers").resolve())
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if home in command:
            found.append(command.decode().replace("\0", " "))
    return found


def test_an_interrupt_stops_everything(mitra: Mitra) -> None:
    serving = mitra.start("serve").wait_ready()
    assert serving.get("/healthz") == (200, {"status": "ok"})
    assert len(running_servers(mitra)) == 2
    assert serving.stop(signal.SIGINT) == 0
    assert running_servers(mitra) == []
    assert f"http://127.0.0.1:{serving.port}/graphql" in serving.output
    assert "Traceback" not in serving.output


def test_a_signal_during_the_start_stops_everything(mitra: Mitra) -> None:
    serving = mitra.start("serve")
    wait_until(lambda: running_servers(mitra), "the servers are starting")
    assert serving.stop(signal.SIGTERM) == 0
    assert running_servers(mitra) == []
    assert "Traceback" not in serving.output


def test_after_a_kill_the_next_start_takes_over_and_sigterm_ends_it(mitra: Mitra) -> None:
    killed = mitra.start("serve").wait_ready()
    killed.stop(signal.SIGKILL)
    assert len(running_servers(mitra)) == 2
    serving = mitra.start("serve").wait_ready()
    assert serving.stop(signal.SIGTERM) == 0
    assert running_servers(mitra) == []


def test_several_api_processes_answer_and_all_end(mitra: Mitra) -> None:
    serving = mitra.start("serve", "--workers", "2").wait_ready()

    def api_processes() -> list[int]:
        return [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if is_child(path, parent=serving.process.pid)
        ]

    wait_until(lambda: len(api_processes()) == 2, "both processes run")
    lost = api_processes()[0]
    os.kill(lost, signal.SIGKILL)
    wait_until(lambda: len(set(api_processes()) - {lost}) == 2, "the lost process is started again")
    serving.wait_ready()
    children = api_processes()
    serving.stop(signal.SIGKILL)
    wait_until(
        lambda: not any(Path(f"/proc/{child}").exists() for child in children), "orphans end by themselves"
    )
    assert mitra.run("reset", "--yes").returncode == 0


def is_child(cmdline: Path, *, parent: int) -> bool:
    """Whether that process is an API process of `parent`."""
    try:
        stat = cmdline.with_name("stat").read_text()
        return b"ops.api_process" in cmdline.read_bytes() and int(stat.rsplit(")", 1)[1].split()[1]) == parent
    except OSError:
        return False


def test_parts_run_alone(mitra: Mitra) -> None:
    worker = mitra.start("serve", "--only", "worker")
    api = mitra.start("serve", "--only", "api").wait_ready()
    assert api.stop(signal.SIGTERM) == 0
    assert len(running_servers(mitra)) == 2
    assert worker.stop(signal.SIGTERM) == 0
    assert running_servers(mitra) == []


def test_a_port_in_use_is_said_before_anything_is_started(mitra: Mitra) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = mitra.run("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert_one_line(done.stderr, "is in use")
    assert running_servers(mitra) == []


def test_a_redis_that_does_not_answer_is_said_in_one_line(mitra: Mitra) -> None:
    redis = f"redis://127.0.0.1:{free_port()}/0"
    done = mitra.run("serve", "--port", str(free_port()), MITRA_REDIS_URL=redis)
    assert done.returncode == 1
    assert_one_line(done.stderr, "Redis cannot be used: check MITRA_REDIS_URL")
    assert running_servers(mitra) == []


def test_a_traceback_is_shown_to_who_asks_for_it(mitra: Mitra) -> None:
    done = mitra.run("migrate", MITRA_DATABASE_URL="mysql://there/name", MITRA_LOG_LEVEL="debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mitra: The database cannot be used")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DATABASE_URL": "postgresql://mitra@127.0.0.1:1/mitra"}, "check MITRA_DATABASE_URL"),
        ({"DATABASE_URL": "mysql://mitra@127.0.0.1/mitra"}, "check MITRA_DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://mitra@127.0.0.1:abc/mitra"}, "check MITRA_DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://mitra@no.such.host.invalid/mitra"}, "check MITRA_DATABASE_URL"),
        ({"DATA_DIR": "/dev/null/mitra", "DATABASE_URL": ""}, "set MITRA_DATA_DIR"),
        ({"PORT": "http"}, "MITRA_PORT: "),
        ({"SECRET_KEY": "short"}, "MITRA_SECRET_KEY: "),
    ],
    ids=["refused", "not PostgreSQL", "no port", "no such host", "data folder", "port", "key"],
)
async def test_a_wrong_setting_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: str
) -> None:
    for name, value in {"REDIS_URL": "redis://127.0.0.1:1", **environment}.items():
        monkeypatch.setenv(f"MITRA_{name}", value)
    with pytest.raises((OperatorError, ValidationError)) as caught:
        async with prepared_servers(Settings()):
            pass
    line = describe(caught.value)
    assert line is not None
    assert words in line
    assert "\n" not in line


async def test_a_half_migrated_database_is_refused_by_name(mitra: Mitra, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            record = await connection.fetchrow(
                "SELECT app, name, applied_at FROM tortoise_migrations ORDER BY name DESC LIMIT 1"
            )
            await connection.execute("DELETE FROM tortoise_migrations WHERE name = $1", record["name"])
        try:
            done = mitra.run("serve", "--port", str(free_port()), MITRA_DATABASE_URL=database_url)
        finally:
            await connection.execute(
                "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ($1, $2, $3)",
                *record.values(),
            )
    finally:
        await connection.close()
    assert done.returncode == 1
    assert_one_line(done.stderr, f"{record['name']} missing): run `mitra migrate`")


def test_dead_servers_come_back_or_the_process_ends(mitra: Mitra) -> None:
    serving = mitra.start("serve").wait_ready()
    servers = mitra.data_dir / "servers"
    lost = (servers / "valkey" / "valkey.pid").read_text()
    os.kill(int(lost), signal.SIGKILL)
    wait_until(lambda: valkey_pid(servers) not in ("", lost), "Valkey is started again")
    serving.wait_ready()

    version = servers / "postgres" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("1\n")  # what no start gets past
    os.kill(int((servers / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    assert serving.process.wait(60) == 1
    version.write_text(kept)
    said = [line for line in serving.output.splitlines() if line.startswith("mitra: ")]
    assert len(said) == 1
    assert "The embedded PostgreSQL does not start" in said[0]
    assert running_servers(mitra) == []


def valkey_pid(servers: Path) -> str:
    """What its pid file says; nothing while there is none."""
    try:
        return (servers / "valkey" / "valkey.pid").read_text()
    except OSError:
        return ""


def assert_one_line(stderr: str, words: str) -> None:
    """One line that names the matter."""
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith("mitra: ")
    assert words in stderr
