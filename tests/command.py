"""The `mitra` command as its users run it: processes of their own, a data folder of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ops.embedded.holding import remove_local_data

ROOT: Final = Path(__file__).parent.parent
SECONDS: Final = 60.0


def wait_until(condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait for `condition`; fail with `what` where it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Running:
    """A `mitra` process that was started and not waited for."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int | None) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def output(self) -> str:
        """What it wrote so far, on either stream."""
        return self._log.read_text()

    def get(self, path: str) -> tuple[int, Any]:
        """GET `path`: the status and the JSON; (0, None) where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, None

    def wait_ready(self) -> Self:
        """Wait until it can do its work."""
        wait_until(
            lambda: self.get("/readyz")[0] == 200 or self.process.poll() is not None, f"ready ({self.output})"
        )
        assert self.process.poll() is None, self.output
        return self

    def stop(self, signal_number: int) -> int:
        """Send a signal and wait for the end; answers the exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(SECONDS)


class Mitra:
    """Runs `mitra` on `data_dir`, and leaves nothing of it behind."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._started: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for running in self._started:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        remove_local_data(self.data_dir)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [sys.executable, "-m", "ops", *arguments],
            cwd=ROOT,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS * 4,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> Running:
        """Start it and return at once; `serve` gets a free port."""
        port = free_port() if arguments[:1] == ("serve",) and "worker" not in arguments else None
        self.data_dir.mkdir(parents=True, exist_ok=True)
        log = self.data_dir.parent / f"mitra-{len(self._started)}.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "ops", *arguments, *(["--port", str(port)] if port else [])],
                cwd=ROOT,
                env=self._environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        running = Running(process, log, port)
        self._started.append(running)
        return running

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        """Ours without Mitra's settings and our terminal's width, and those of this test; help is 120 wide."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("MITRA_") and name != "COLUMNS"
        }
        return {**inherited, "MITRA_DATA_DIR": str(self.data_dir), "TERMINAL_WIDTH": "120", **more}
