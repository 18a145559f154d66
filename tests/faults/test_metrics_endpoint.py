"""`/metrics` of real processes: they add up, a dead one comes back, a worker has its own, and `mitra top` finds all."""

import json
import os
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.command import Mitra, Running, free_port, wait_until

REQUESTS = 20


@pytest.fixture(scope="module")
def mitra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitra]:
    with Mitra(tmp_path_factory.mktemp("metrics") / ".mitra") as command:
        yield command


def page(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples of a page; none where nothing answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            assert response.headers["content-type"].startswith("text/plain")
            text = response.read().decode()
    except OSError:
        return {}
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(port: int, name: str, **labels: str) -> float:
    return sum(
        value for (found, held), value in page(port).items() if found == name and labels.items() <= held
    )


def processes(port: int) -> set[str]:
    return {dict(labels)["process"] for name, labels in page(port) if name == "process_cpu_seconds_total"}


def children(of: Running) -> list[int]:
    """The API processes of a parent."""
    path = Path(f"/proc/{of.process.pid}/task/{of.process.pid}/children")
    return [int(pid) for pid in path.read_text().split() if b"ops.api_process" in command_of(pid)]


def command_of(pid: str) -> bytes:
    """Its command line; none where it has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_processes_of_one_parent_add_up(mitra: Mitra) -> None:
    port = free_port()
    serving = mitra.start("serve", "--workers", "2", MITRA_METRICS_PORT=str(port)).wait_ready()
    wait_until(lambda: processes(port) == {"worker", "api-1", "api-2"}, "all are told of")
    wait_until(lambda: total(port, "mitra_scheduler_leader") == 1, "one of them runs the schedule")
    wait_until(lambda: total(port, "mitra_database_up") == 1, "the database answers")
    before = total(port, "mitra_requests_total", code="NOT_FOUND")
    for _ in range(REQUESTS):
        assert serving.get("/nowhere")[0] == 404
    wait_until(
        lambda: total(port, "mitra_requests_total", code="NOT_FOUND") == before + REQUESTS,
        "the requests of both add up",
    )

    lost = children(serving)[0]
    os.kill(lost, signal.SIGKILL)
    wait_until(lambda: lost not in children(serving) and len(children(serving)) == 2, "it is started again")
    wait_until(lambda: processes(port) == {"worker", "api-1", "api-2"}, "and is told of again")

    shown = mitra.run("top", "--once")
    assert shown.returncode == 0, shown.stderr
    for words in ("activities/s", "to boards", "api-1", "api-2", "worker", "schedule"):
        assert words in shown.stdout, shown.stdout
    assert serving.stop(signal.SIGTERM) == 0
    assert page(port) == {}


def test_a_worker_alone_and_an_api_alone_are_found(mitra: Mitra) -> None:
    api = mitra.start("serve", "--only", "api").wait_ready()
    port = free_port()
    worker = mitra.start("serve", "--only", "worker", MITRA_METRICS_PORT=str(port))
    wait_until(lambda: processes(port) == {"worker"}, f"the worker tells of itself: {worker.output}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as response:
        assert response.status == 200
    wait_until(lambda: total(port, "mitra_scheduler_leader") == 1, "the worker runs the schedule")
    shown = mitra.run("top", "--once")
    assert re.search(r"^api ", shown.stdout, re.MULTILINE), shown.stdout
    assert re.search(r"^worker .*schedule", shown.stdout, re.MULTILINE), shown.stdout
    alone = mitra.run("top", "--once", "--url", f"127.0.0.1:{port}")
    assert re.search(r"^worker ", alone.stdout, re.MULTILINE), alone.stdout
    assert not re.search(r"^api ", alone.stdout, re.MULTILINE), alone.stdout
    assert api.stop(signal.SIGTERM) == 0
    assert worker.stop(signal.SIGTERM) == 0


def test_a_port_in_use_is_said_in_one_line(mitra: Mitra) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = mitra.run("serve", "--port", str(free_port()), MITRA_METRICS_PORT=str(port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {port} is in use (set MITRA_METRICS_PORT)" in done.stderr


def test_none_where_none_is_wanted_and_logs_are_json(mitra: Mitra) -> None:
    serving = mitra.start("serve", MITRA_METRICS_PORT="0").wait_ready()
    serving.get("/nowhere")
    shown = mitra.run("top", "--once")
    assert "is `mitra serve` running?" in shown.stdout
    assert serving.stop(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in serving.output.splitlines() if line.startswith("{")]
    (told,) = [line for line in lines if line["event"] == "request" and line["path"] == "/nowhere"]
    assert told["status"] == 404


def test_a_page_that_is_not_there_is_said(mitra: Mitra) -> None:
    port = free_port()
    shown = mitra.run("top", "--once", "--url", f"http://127.0.0.1:{port}")
    assert shown.returncode == 0
    assert f"http://127.0.0.1:{port}/metrics does not answer" in " ".join(shown.stdout.split())
    refused = mitra.run("top", "--url", "ftp://127.0.0.1")
    assert refused.returncode == 1
    assert refused.stderr.startswith("mitra: ftp://127.0.0.1 is no address")
