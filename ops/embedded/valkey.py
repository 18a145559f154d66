"""The embedded Valkey: a projection's store, on a private socket only.

It saves nothing while it runs. A clean stop writes a snapshot, so that the next start need not rebuild the boards, and
that snapshot is consumed by the start: a Valkey that was killed comes back empty, never quietly out of date.
"""

import os
import signal
import socket
import subprocess
from typing import Final

from ops.embedded.home import Home
from ops.embedded.processes import running_pid, spawn, terminate, wait_until

DATABASES: Final = 64
"""More than the default 16: each test worker takes one."""


class Valkey:
    """One server under `home`."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._folder = home.folder("valkey")
        self._config = self._folder / "valkey.conf"
        self._snapshot = self._folder / "dump.rdb"
        self._pid_file = self._folder / "valkey.pid"
        self._log = home.path / "valkey.log"
        self._socket = home.sockets / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        """Where clients find it."""
        return f"unix://{self._socket}"

    def is_running(self) -> bool:
        """Whether its process is alive, whoever started it."""
        if self._process is not None:
            self._process.poll()
        return running_pid(self._pid_file, self._config) is not None

    def ensure(self) -> None:
        """Start it, or wait for the one that is starting; then forget the snapshot that it was started from."""
        if not self.is_running():
            self._pid_file.unlink(missing_ok=True)
            self._socket.unlink(missing_ok=True)
            self._write_config()
            self._process = spawn(self._home, [self._home.programs()[1], self._config], log=self._log)
        wait_until(self._answers, process=self._process, log=self._log, name="Valkey")
        self._snapshot.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop it with a snapshot; by signal where it does not take the command."""
        terminate(self._pid_file, self._config, stop=self._shut_down)

    def _shut_down(self, pid: int) -> None:
        try:
            self._ask(b"SHUTDOWN SAVE\r\n", seconds=15)
        except OSError:
            os.kill(pid, signal.SIGTERM)

    def _write_config(self) -> None:
        self._config.write_text(
            "port 0\n"
            f'unixsocket "{self._socket}"\n'
            "unixsocketperm 700\n"
            f'dir "{self._folder}"\n'
            f'pidfile "{self._pid_file}"\n'
            "daemonize no\n"
            f"databases {DATABASES}\n"
            'save ""\n'
            "appendonly no\n"
            "maxmemory-policy noeviction\n"
            "set-proc-title no\n"  # the command line keeps our configuration's path: see ops.embedded.processes
        )
        self._home.give(self._config)

    def _answers(self) -> bool:
        try:
            return self._ask(b"PING\r\n", seconds=1).startswith(b"+PONG")
        except OSError:
            return False

    def _ask(self, command: bytes, *, seconds: float) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self._socket))
            connection.sendall(command)
            return connection.recv(64)
