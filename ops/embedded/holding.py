"""How several processes share one pair of servers.

Two lock files stand in the servers' home. `users.lock` is held, shared, for as long as a process uses the servers;
the kernel lets go of it when the process dies, however it dies. `change.lock` is held, alone, while servers are
started or stopped. Who leaves tries for `users.lock` alone: it gets it if no one else uses the servers, and stops them.
Servers that a killed process left running are found by their pid files and simply used.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from base.settings import KEY_FILE
from ops.embedded.home import Home, find_packages, open_home
from ops.embedded.postgres import Postgres
from ops.embedded.valkey import Valkey
from ops.errors import OperatorError

LOCK_SECONDS: Final = 90


class EmbeddedServers:
    """This process's hold on the servers of `data_dir`. All methods block: call them in a thread."""

    def __init__(
        self, data_dir: Path, *, postgres: bool = True, valkey: bool = True, durable: bool = True
    ) -> None:
        self._data_dir = data_dir
        self._wanted = (postgres, valkey)
        self._durable = durable
        self._home: Home | None = None
        self._users: int | None = None
        self._servers: dict[str, Postgres | Valkey] = {}

    @property
    def database_url(self) -> str:
        """Of the embedded PostgreSQL, once started."""
        return self._servers["PostgreSQL"].url() if "PostgreSQL" in self._servers else ""

    @property
    def redis_url(self) -> str:
        """Of the embedded Valkey, once started."""
        return self._servers["Valkey"].url() if "Valkey" in self._servers else ""

    def start(self) -> None:
        """Join the running servers, or start them, both at once."""
        find_packages()  # before any folder is made
        home = self._home = open_home(self._data_dir)
        with _changing(home):
            self._users = _open_lock(home, "users.lock")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            if self._wanted[0]:
                self._servers["PostgreSQL"] = Postgres(home, durable=self._durable)
            if self._wanted[1]:
                self._servers["Valkey"] = Valkey(home)
            self._ensure()

    def dead(self) -> list[str]:
        """The names of the servers that should run and do not."""
        return [name for name, server in self._servers.items() if not server.is_running()]

    def revive(self) -> None:
        """Start what is dead."""
        assert self._home is not None
        with _changing(self._home):
            self._ensure()

    def stop(self) -> None:
        """Let go of the servers, and stop them where no other process uses them."""
        home, users = self._home, self._users
        if home is None or users is None:
            return
        self._users = None
        try:
            with _changing(home):
                if _try_alone(users):
                    _stop_all(home)
        finally:
            os.close(users)

    def _ensure(self) -> None:
        """Start both at the same time; the first fault wins."""
        assert self._home is not None
        self._home.programs()  # copied once, not by both threads
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(server.ensure) for server in self._servers.values()]:
                done.result()


def remove_local_data(data_dir: Path) -> None:
    """Stop the servers of `data_dir` and remove their data and the generated key; nothing else that lies there."""
    if not data_dir.exists():
        return
    if (data_dir / "servers").exists():
        home = open_home(data_dir)
        with _changing(home):
            users = _open_lock(home, "users.lock")
            if not _try_alone(users):
                raise OperatorError(f"A running Mitra uses {data_dir}: stop it first")
            _stop_all(home)
            # Moved aside first: whoever starts meanwhile makes a folder of its own, not files in one that is emptied.
            gone = home.path.with_name(f"{home.path.name}.gone-{os.getpid()}")
            home.path.rename(gone)
            shutil.rmtree(gone)
            os.close(users)
        shutil.rmtree(home.sockets, ignore_errors=True)
    link = data_dir / "servers"
    if link.is_symlink():
        link.unlink()
    (data_dir / KEY_FILE).unlink(missing_ok=True)
    if not any(data_dir.iterdir()):
        data_dir.rmdir()


def _stop_all(home: Home) -> None:
    """Valkey first: what it projects is still there."""
    for server in (Valkey(home), Postgres(home)):
        server.stop()


@contextmanager
def _changing(home: Home) -> Iterator[None]:
    """Alone in starting and stopping; OperatorError where another process is at it for too long."""
    lock = _open_lock(home, "change.lock")
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _try_alone(lock):
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"Another Mitra process is starting or stopping the servers in {home.path}"
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(lock)


def _open_lock(home: Home, name: str) -> int:
    return os.open(home.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_alone(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
