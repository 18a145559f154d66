"""An installation that may be broken: servers of its own, API and worker processes, and whoever starts them again."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg

from base.settings import PREFIX
from ops.embedded import EmbeddedServers
from ops.embedded.holding import remove_local_data
from ops.migrate import migrate
from tests.command import ROOT, free_port
from tests.servers import ROLE

KEY: Final = "the key of an installation that is broken on purpose"
MENDABLE: Final = 1
"""How a process ends that finds no database when it starts."""
KEEP_SECONDS: Final = 0.2
"""How often it is looked whether a process is gone."""


class Process:
    """A `mitra serve` that is started again whenever it is gone, as a service manager would."""

    def __init__(self, site: "Site", part: str) -> None:
        self._site = site
        self._arguments = ["serve", "--only", part]
        self.name = part
        self.port: int | None = None
        if part == "api":
            self.port = free_port()
            self._arguments += ["--port", str(self.port)]
        self._log = site.folder / f"{part}-{id(self):x}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.is_wanted = False
        self.deaths = 0

    def start(self, *, failpoints: str = "") -> None:
        """Start it; whoever starts it again leaves the failpoints out."""
        self.is_wanted = True
        with open(self._log, "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ops", *self._arguments],
                cwd=ROOT,
                env=self._site.environment | {f"{PREFIX}FAILPOINTS": failpoints},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it for good, or until it is started."""
        self.is_wanted = False
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)

    def kill(self) -> None:
        """SIGKILL; it is started again."""
        if self._process is not None:
            self._process.kill()

    def keep(self) -> int | None:
        """Start it again where it is gone and wanted; how it ended then."""
        status = self._process.poll() if self.is_wanted and self._process is not None else None
        if status is not None:
            self.deaths += 1
            self.start()
        return status

    @property
    def output(self) -> str:
        """What it has said, in all its lives."""
        return self._log.read_text(errors="replace")


class Site:
    """PostgreSQL and Valkey of its own under `folder`, and the processes that use them by URL."""

    def __init__(self, folder: Path, *, apis: int = 2, workers: int = 2) -> None:
        self.folder = folder
        self._data = folder / "servers-of-ours"
        self._servers = EmbeddedServers(self._data, durable=False)
        self._apis, self._workers = apis, workers
        self.apis: list[Process] = []
        self.workers: list[Process] = []
        self._paused: set[str] = set()
        self.faults: list[str] = []
        """What no process should have done."""

    @property
    def database_url(self) -> str:
        return self._servers.database_url

    @property
    def redis_url(self) -> str:
        return self._servers.redis_url

    @property
    def environment(self) -> dict[str, str]:
        """Of the processes."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return inherited | {
            f"{PREFIX}DATABASE_URL": self.database_url,
            f"{PREFIX}REDIS_URL": self.redis_url,
            f"{PREFIX}SECRET_KEY": KEY,
            f"{PREFIX}DATA_DIR": str(self.folder / "unused"),
        }

    @property
    def processes(self) -> list[Process]:
        return [*self.apis, *self.workers]

    @contextmanager
    def open(self) -> Iterator["Site"]:
        """Servers that run and are migrated, for the length of the block; nothing is left of them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._servers.start()
        try:
            yield self
        finally:
            for process in self.processes:
                process.stop(signal.SIGKILL)
            for name in list(self._paused):
                self.resume(name)
            self._servers.stop()
            remove_local_data(self._data)

    async def migrate(self) -> None:
        await migrate(self.database_url, role=ROLE)

    def start_processes(self) -> None:
        self.apis = [Process(self, "api") for _ in range(self._apis)]
        self.workers = [Process(self, "worker") for _ in range(self._workers)]
        for process in self.processes:
            process.start()

    async def keep(self, say: Callable[[str], None]) -> None:
        """Start again what is gone, for ever, and say so."""
        while True:
            for number, process in enumerate(self.processes):
                status = process.keep()
                if status is not None:
                    say(f"    process {number} ({process.name}) is started again: it ended with {status}")
                    if status not in (-signal.SIGKILL, MENDABLE):
                        self.faults.append(
                            f"process {number} ({process.name}) ended by itself, with {status}"
                        )
            await asyncio.sleep(KEEP_SECONDS)

    # -------------------------------------------------------------------------------------------------- the servers

    def _pid(self, name: str) -> int:
        file = {"postgres": "postgres/postmaster.pid", "valkey": "valkey/valkey.pid"}[name]
        return int((self._data / "servers" / file).read_text().splitlines()[0])

    def _family(self, name: str) -> list[int]:
        """The server's process, and those that it has started."""
        parent = self._pid(name)
        found = [parent]
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                    found.append(int(path.parent.name))
        return found

    async def end(self, name: str, number: signal.Signals) -> None:
        """Signal a server, and wait until it is gone."""
        pid = self._pid(name)
        os.kill(pid, number)
        title = {"postgres": "PostgreSQL", "valkey": "Valkey"}[name]
        while title in await asyncio.to_thread(self._alive):  # noqa: ASYNC110  # what is waited for is a process
            await asyncio.sleep(0.02)

    def _alive(self) -> list[str]:
        dead = self._servers.dead()
        return [name for name in ("PostgreSQL", "Valkey") if name not in dead]

    async def revive(self) -> None:
        """Start the servers that are gone."""
        await asyncio.to_thread(self._servers.revive)

    def pause(self, name: str) -> None:
        """SIGSTOP: it holds its connections, and answers nothing."""
        self._paused.add(name)
        for pid in self._family(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let it go on."""
        self._paused.discard(name)
        for pid in self._family(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def cut_connections(self) -> int:
        """End every connection of the service, in whatever it is doing; how many there were."""
        connection = await asyncpg.connect(self.database_url, timeout=5)
        try:
            ended = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return int(ended)
        finally:
            await connection.close()

    def keep_dump(self) -> None:
        """Keep the snapshot that Valkey has just saved."""
        shutil.copy2(self._valkey / "dump.rdb", self._valkey / "old.rdb")

    def restore_dump(self) -> None:
        """Let a Valkey that is down start from the snapshot that was kept."""
        home = (self._data / "servers").stat()
        shutil.copy2(self._valkey / "old.rdb", self._valkey / "dump.rdb")
        os.chown(self._valkey / "dump.rdb", home.st_uid, home.st_gid)

    @property
    def _valkey(self) -> Path:
        return self._data / "servers" / "valkey"
