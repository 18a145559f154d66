"""Server processes that may outlive whoever started them, so they are known by their pid file, not by a handle.

A pid file alone proves nothing: after a crash its number may belong to someone else. A server counts as running
while the process of that number has the server's own folder on its command line, which is readable where another
user's working directory is not (a container without CAP_SYS_PTRACE).
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ops.embedded.home import Home
from ops.errors import ServerFailed

POLL: Final = 0.02
LOG_LIMIT: Final = 8 * 1024 * 1024


def spawn(
    home: Home, argv: Sequence[str | Path], *, log: Path, stdin: bytes | None = None
) -> subprocess.Popen[bytes]:
    """Start `argv` as the home's user, in a session of its own, so that a Ctrl-C reaches us first and alone.

    The environment is bare: a PGDATA or PGPORT of the user's means another server.
    """
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".old.log"))
    with open(log, "ab") as output:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home.path,
            env={"PATH": os.defpath, "LANG": "C", "TZ": "UTC"},
            start_new_session=True,
            user=home.user.uid if home.user else None,
            group=home.user.gid if home.user else None,
            extra_groups=[] if home.user else None,
            umask=0o077,
        )


def run(home: Home, argv: Sequence[str | Path], *, log: Path, stdin: bytes | None = None) -> None:
    """Run a short-lived program to its end; ServerFailed with its last words where it fails."""
    process = spawn(home, argv, log=log, stdin=stdin)
    process.communicate(stdin)
    if process.returncode:
        raise ServerFailed(f"{Path(argv[0]).name} failed: {last_words(log)}")


def running_pid(pid_file: Path, folder: Path) -> int | None:
    """The pid in `pid_file`, while that process is alive and is the server of `folder`."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(folder) in command else None


def wait_until(
    ready: Callable[[], bool],
    *,
    process: subprocess.Popen[bytes] | None,
    log: Path,
    name: str,
    seconds: float = 60,
) -> None:
    """Wait for `ready`; ServerFailed where the process ends first, or time does."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process is not None and process.poll() is not None:
            raise ServerFailed(f"The embedded {name} does not start: {last_words(log)} (see {log})")
        if time.monotonic() > deadline:
            raise ServerFailed(f"The embedded {name} is not ready after {seconds:.0f} s (see {log})")
        time.sleep(POLL)


def terminate(pid_file: Path, folder: Path, *, stop: Callable[[int], None], seconds: float = 20) -> None:
    """Ask the server to stop, by `stop(pid)`, and kill it where it does not in `seconds`."""
    pid = running_pid(pid_file, folder)
    if pid is None:
        return
    with suppress(OSError):
        stop(pid)
    deadline = time.monotonic() + seconds
    while running_pid(pid_file, folder) == pid and not _reaped(pid):
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            deadline += seconds
        time.sleep(POLL)


def _reaped(pid: int) -> bool:
    """Take the end of `pid`, if it is a child of ours; a grandchild or a stranger answers False."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def last_words(log: Path) -> str:
    """The last line that a server wrote about what went wrong."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-30:] if line.strip()]
    except OSError:
        return "no log"
    telling = [line for line in lines if "FATAL" in line or "rror" in line]
    return (telling or lines or ["no log"])[-1]
