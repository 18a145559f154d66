"""What the embedded servers survive: a killed server, a killed Mitra, a stale pid file, a second process."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

import base.redis
from base.settings import Settings
from ops.embedded import EmbeddedServers, embedded_servers
from ops.embedded.holding import remove_local_data
from ops.embedded.home import socket_folder
from ops.errors import OperatorError, ServerFailed
from tests.command import wait_until


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for the tests of this module, made once; each leaves its servers stopped."""
    path = tmp_path_factory.mktemp("data") / ".mitra"
    yield path
    remove_local_data(path)


@pytest.fixture
def own_data_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder of the test's own."""
    yield tmp_path / ("n" * 60) / ".mitra"
    remove_local_data(tmp_path / ("n" * 60) / ".mitra")


@pytest.fixture
async def held(data_dir: Path) -> AsyncIterator[EmbeddedServers]:
    servers = EmbeddedServers(data_dir, durable=False)
    await asyncio.to_thread(servers.start)
    yield servers
    await asyncio.to_thread(servers.stop)


def pid_of(data_dir: Path, name: str) -> int:
    file = {"postgres": "postgres/postmaster.pid", "valkey": "valkey/valkey.pid"}[name]
    return int((data_dir / "servers" / file).read_text().splitlines()[0])


async def execute(url: str, *statements: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            answer = await connection.fetchval(statement)
        return answer
    finally:
        await connection.close()


async def test_the_checkout_stays_as_closed_as_it_was(held: EmbeddedServers, data_dir: Path) -> None:
    home = (data_dir / "servers").resolve()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE(data_dir.parent.stat().st_mode) & 0o077 == 0, "made private by pytest, and left so"
    assert not await execute(held.database_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if os.geteuid() == 0:
        status = Path(f"/proc/{pid_of(data_dir, 'postgres')}/status").read_text()
        assert "Uid:\t0" not in status
        assert home.parent == Path("/var/lib/mitra")


async def test_two_processes_share_and_the_last_one_stops(data_dir: Path) -> None:
    first, second = (EmbeddedServers(data_dir, durable=False) for _ in range(2))
    first.start()
    pid = pid_of(data_dir, "postgres")
    second.start()
    assert pid_of(data_dir, "postgres") == pid
    first.stop()
    assert second.dead() == []
    with pytest.raises(OperatorError, match="running Mitra"):
        remove_local_data(data_dir)
    second.stop()
    assert sorted(second.dead()) == ["PostgreSQL", "Valkey"]


async def test_servers_left_by_a_killed_process_are_used_again(data_dir: Path) -> None:
    left = EmbeddedServers(data_dir, durable=False)
    left.start()
    pids = [pid_of(data_dir, name) for name in ("postgres", "valkey")]
    os.close(left._users or -1)  # what the kernel does to a killed process
    found = EmbeddedServers(data_dir, durable=False)
    found.start()
    assert [pid_of(data_dir, name) for name in ("postgres", "valkey")] == pids
    found.stop()
    assert len(found.dead()) == 2


async def test_committed_data_survives_a_kill_of_the_server(held: EmbeddedServers, data_dir: Path) -> None:
    await execute(held.database_url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)")
    os.kill(pid_of(data_dir, "postgres"), signal.SIGKILL)
    wait_until(lambda: held.dead() == ["PostgreSQL"], "PostgreSQL is seen to be dead")
    await asyncio.to_thread(held.revive)
    assert await execute(held.database_url, "SELECT n FROM kept") == 42


async def test_a_pid_file_whose_number_is_someone_elses_is_no_obstacle(data_dir: Path) -> None:
    servers = EmbeddedServers(data_dir, durable=False)
    servers.start()
    pid_file = data_dir / "servers" / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    servers.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert "PostgreSQL" in servers.dead()
    servers.start()
    assert servers.dead() == []
    servers.stop()


async def test_a_clean_stop_keeps_the_projection_and_a_kill_empties_it(data_dir: Path) -> None:
    servers = EmbeddedServers(data_dir, postgres=False)

    async def stored() -> object:
        client = base.redis.client(servers.redis_url)
        try:
            return await client.get("standing")
        finally:
            await client.aclose()

    servers.start()
    client = base.redis.client(servers.redis_url)
    await client.set("standing", 7)
    await client.aclose()
    servers.stop()
    servers.start()
    assert await stored() == b"7"
    os.kill(pid_of(data_dir, "valkey"), signal.SIGKILL)
    wait_until(lambda: servers.dead() == ["Valkey"], "Valkey is seen to be dead")
    servers.revive()
    assert await stored() is None  # never the snapshot from before: it would be quietly out of date
    servers.stop()


async def test_dead_servers_are_started_again(data_dir: Path) -> None:
    async with embedded_servers(Settings(data_dir=data_dir), durable=False) as servers:
        pids = {name: pid_of(data_dir, name) for name in ("postgres", "valkey")}
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)

        async def alive_again() -> None:
            client = base.redis.client(servers.redis_url)
            while True:
                try:
                    await execute(servers.database_url, "SELECT 1")
                    await client.ping()
                except (OSError, asyncpg.PostgresError, *base.redis.UNAVAILABLE):
                    await asyncio.sleep(0.02)  # a refused connection does not yield
                    continue
                if all(pid_of(data_dir, name) != pid for name, pid in pids.items()):
                    break
            await client.aclose()

        await asyncio.wait_for(servers.guard(alive_again()), 60)


async def test_work_ends_with_one_line_where_postgres_cannot_be_started(data_dir: Path) -> None:
    async with embedded_servers(Settings(data_dir=data_dir), durable=False) as servers:
        (data_dir / "servers" / "postgres" / "PG_VERSION").write_text("1\n")
        os.kill(pid_of(data_dir, "postgres"), signal.SIGKILL)
        with pytest.raises(ServerFailed, match="PostgreSQL does not start") as caught:
            await asyncio.wait_for(servers.guard(asyncio.Event().wait()), 60)
        assert "\n" not in str(caught.value)
        (data_dir / "servers" / "postgres" / "PG_VERSION").write_text("18\n")


async def test_a_configured_server_is_not_started(own_data_dir: Path, database_url: str) -> None:
    settings = Settings(data_dir=own_data_dir, database_url=database_url)
    async with embedded_servers(settings, durable=False) as servers:
        assert servers.database_url == database_url
        assert (own_data_dir / "servers" / "valkey").exists()
        assert not (own_data_dir / "servers" / "postgres").exists()


async def test_nothing_is_made_where_both_are_configured(own_data_dir: Path) -> None:
    settings = Settings(data_dir=own_data_dir, database_url="postgresql://there/x", redis_url="redis://there")
    async with embedded_servers(settings) as servers:
        assert (servers.database_url, servers.redis_url) == ("postgresql://there/x", "redis://there")
    assert not own_data_dir.exists()


async def test_removing_the_data_leaves_what_is_not_ours(own_data_dir: Path) -> None:
    servers = EmbeddedServers(own_data_dir, postgres=False)
    servers.start()
    servers.stop()
    home = (own_data_dir / "servers").resolve()
    (own_data_dir / "notes.txt").write_text("keep")
    remove_local_data(own_data_dir)
    assert not home.exists()
    assert [path.name for path in own_data_dir.iterdir()] == ["notes.txt"]


def test_sockets_move_where_the_data_folder_has_a_long_name(own_data_dir: Path) -> None:
    home = own_data_dir / ("m" * 60)
    home.mkdir(parents=True)
    folder = socket_folder(home)
    try:
        assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= 107
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert socket_folder(home) == folder
        folder.chmod(0o755)
        with pytest.raises(OperatorError, match="not private"):
            socket_folder(home)
    finally:
        folder.rmdir()
        home.rmdir()
