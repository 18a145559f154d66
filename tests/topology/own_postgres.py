"""A PostgreSQL of a test's own: on a port, with passwords, and with an owner of the database who is no superuser."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg

from ops.embedded.holding import remove_local_data
from ops.embedded.home import open_home
from ops.embedded.processes import run, spawn, wait_until
from tests.topology.cluster import free_port

HOST: Final = "127.0.0.1"
OWNER: Final = "mitra_owner"
SERVICE: Final = "mitra_service"
PASSWORD: Final = "p@ss/word: ä"
CREATE: Final = (
    f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'",
    f"CREATE ROLE {SERVICE} NOLOGIN",
    f"GRANT {SERVICE} TO {OWNER}",
    f"CREATE DATABASE mitra OWNER {OWNER}",
)
"""What docs/how-to/own-servers.md tells an administrator to do."""


class OwnPostgres:
    """A server whose programs come from the wheel, and nothing else: no embedded server is started."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._home = open_home(data_dir)
        self._cluster = self._home.path / "own-postgres"
        self._log = self._home.path / "own-postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port: Final = free_port()
        self.url: Final = self._url_of(OWNER, PASSWORD)

    async def start(self) -> None:
        """Make the cluster, start it, and make the roles and the database as an administrator would."""
        programs = self._home.programs()[0]
        password_file = self._home.path / "own-password"
        password_file.write_text(PASSWORD)
        self._home.give(password_file)
        run(
            self._home,
            [programs / "initdb", "-D", self._cluster, "-U", "postgres", "--auth=scram-sha-256", "--no-sync",
             f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C"],
            log=self._log,
        )  # fmt: skip
        options = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        set_to = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._process = spawn(
            self._home, [programs / "postgres", "-D", self._cluster, *set_to], log=self._log
        )
        pid_file = self._cluster / "postmaster.pid"
        wait_until(
            lambda: pid_file.exists() and "ready" in pid_file.read_text(),
            process=self._process, log=self._log, name="PostgreSQL",
        )  # fmt: skip
        administrator = await asyncpg.connect(self._url_of("postgres", PASSWORD, database="postgres"))
        for statement in CREATE:
            await administrator.execute(statement)
        await administrator.close()

    def stop(self) -> None:
        """End it, and remove what it held."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGINT)
            self._process.wait(20)
        remove_local_data(self._data_dir)

    def _url_of(self, user: str, password: str, *, database: str = "mitra") -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@{HOST}:{self.port}/{database}"
