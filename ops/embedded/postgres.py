"""The embedded PostgreSQL: made once, started, found again, stopped. It listens on a private socket only.

The cluster keeps no configuration of its own: `postgresql.conf` beside it is written at every start, so that a new
version of Mitra brings its settings along. `mitra` owns the database and may make the role of the service, but is no
superuser: what a real server would refuse is refused here too.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ops.embedded.home import Home
from ops.embedded.processes import run, running_pid, spawn, terminate, wait_until
from ops.errors import ServerFailed

DATABASE: Final = "mitra"

_SETTINGS: Final = """\
listen_addresses = ''
unix_socket_permissions = 0700
cluster_name = 'mitra'
max_connections = 100
shared_buffers = '256MB'
effective_cache_size = '1GB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
min_wal_size = '256MB'
max_wal_size = '4GB'
checkpoint_timeout = '15min'
random_page_cost = 1.1
jit = off
io_workers = 2
track_io_timing = on
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
"""

_CREATE: Final = """\
CREATE ROLE mitra LOGIN CREATEDB CREATEROLE
CREATE DATABASE mitra OWNER mitra
"""


class Postgres:
    """One cluster under `home`. `durable=False` trades safety in a power cut for speed, for tests; a
    commit survives the death of the server either way."""

    def __init__(self, home: Home, *, durable: bool = True) -> None:
        self._home = home
        self._durable = durable
        self._cluster = home.path / "postgres"
        self._config = home.path / "postgresql.conf"
        self._log = home.path / "postgres.log"
        self._pid_file = self._cluster / "postmaster.pid"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = DATABASE) -> str:
        """Where clients find it."""
        return f"postgresql://mitra@/{database}?host={quote(str(self._home.sockets))}"

    def is_running(self) -> bool:
        """Whether its process is alive, whoever started it."""
        if self._process is not None:
            self._process.poll()
        return running_pid(self._pid_file, self._cluster) is not None

    def ensure(self) -> None:
        """Start it, or wait for the one that is starting; a crash before is recovered from by PostgreSQL itself."""
        if not self.is_running():
            self._write_config()
            if not self._cluster.exists():
                self._create()
            self._start()
        wait_until(self._is_ready, process=self._process, log=self._log, name="PostgreSQL")

    def stop(self) -> None:
        """Stop fast: sessions are ended, the cluster is checkpointed."""
        terminate(self._pid_file, self._cluster, stop=lambda pid: os.kill(pid, signal.SIGINT))

    def _start(self) -> None:
        """Start the server. Backends of one that was killed need a moment to notice: until then the memory is taken."""
        for left in range(50, -1, -1):
            self._remove_stale_files()
            program = self._home.programs()[0] / "postgres"
            self._process = spawn(
                self._home, [program, "-D", self._cluster, "-c", f"config_file={self._config}"], log=self._log
            )
            try:
                wait_until(self._is_ready, process=self._process, log=self._log, name="PostgreSQL")
            except ServerFailed as error:
                if left and "shared memory block" in str(error):
                    continue
                raise
            return

    def _create(self) -> None:
        """Make the cluster beside its final place, with role and database in it, so that it is there whole or not."""
        draft = self._cluster.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        programs = self._home.programs()[0]
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        sync = [] if self._durable else ["--no-sync"]
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            draft,
            "-U",
            "postgres",
            "--auth=trust",
            "--no-instructions",
        ]
        run(self._home, [*initdb, *locale, *sync], log=self._log)
        single: list[str | Path] = [
            programs / "postgres",
            "--single",
            "-D",
            draft,
            "-c",
            f"config_file={self._config}",
            "postgres",
        ]
        run(self._home, single, log=self._log, stdin=_CREATE.encode())
        draft.rename(self._cluster)

    def _write_config(self) -> None:
        lines = [
            _SETTINGS,
            f"unix_socket_directories = '{str(self._home.sockets).replace(chr(39), chr(39) * 2)}'\n",
        ]
        if not self._durable:
            lines.append("fsync = off\nfull_page_writes = off\n")
        self._config.write_text("".join(lines))
        self._home.give(self._config)

    def _is_ready(self) -> bool:
        """The last line of its pid file says so."""
        with suppress(OSError, IndexError):
            return self._pid_file.read_text().splitlines()[7].strip() == "ready"
        return False

    def _remove_stale_files(self) -> None:
        """PostgreSQL refuses to start over a pid file whose number has since been given to another process."""
        if running_pid(self._pid_file, self._cluster) is None:
            self._pid_file.unlink(missing_ok=True)
            for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
                (self._home.sockets / name).unlink(missing_ok=True)
