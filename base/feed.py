"""A live feed between processes over Redis PUBLISH and SUBSCRIBE: seen now, or missed.

Nothing here holds up or fails its caller. `publish` puts into a bounded queue that a task of its own empties, so a
transaction never waits for Redis; while Redis is away the queue drops what is oldest. A process has one subscribing
connection, whatever the number of listeners; it comes back by itself after a restart of Redis. Whoever needs to be
certain reads PostgreSQL: `GAP` in a subscription says that something may have been missed and that now is the moment.

In a cluster the servers pass messages on to one another, so one plain connection is enough there too, to whichever of
them: where one is away the next is asked.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from base.redis import CONNECT_SECONDS, Redis, RedisError, client, nodes_of

GAP: Final = b""
"""Stands in a subscription for what may have been missed: the connection was lost, or the listener was too slow."""

QUEUED: Final = 10_000  # messages that wait for Redis, and are dropped from the oldest beyond it
PIPELINED: Final = 500
WAITING: Final = 1_000  # messages that wait for one slow listener
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between attempts to reach Redis
READY_SECONDS: Final = 2.0

KEEPER: Final = (
    "mitra:feed"  # always subscribed to, so that a connection without listeners stays a subscribing one
)
FAULTS: Final = (RedisError, OSError, TimeoutError)
CANCEL_SECONDS: Final = 0.5
"""How long a canceled task may take before it is canceled again."""


class _Ear:
    """What one listener has yet to hear."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._arrived = asyncio.Event()

    def hear(self, payload: bytes) -> None:
        if len(self._waiting) >= WAITING:
            self._waiting.clear()
            payload = GAP
        self._waiting.append(payload)
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                yield self._waiting.popleft()


class _Servers:
    """The servers that the feed may be reached through: the one of the URL, and in a cluster all the others."""

    def __init__(self, url: str) -> None:
        self._urls = [url]
        self._place = 0

    @property
    def url(self) -> str:
        """The one to use at present."""
        return self._urls[self._place]

    async def learn(self, plain: Redis) -> None:
        """Ask the present one which others there are."""
        present = self.url
        known = await nodes_of(plain, present)
        if self.url == present:
            self._urls = list(dict.fromkeys([self._urls[0], *known]))
            self._place = self._urls.index(present)

    def leave(self, url: str) -> None:
        """Use another one than `url`, if there is one and nobody has left it yet."""
        if self.url == url:
            self._place = (self._place + 1) % len(self._urls)


class Feed:
    """One process's voice and ear on the Redis at `url`. Belongs to the event loop that it is opened in."""

    def __init__(self, url: str) -> None:
        self._servers = _Servers(url)
        self._closed = False
        self._outgoing: deque[tuple[str, bytes]] = deque(maxlen=QUEUED)
        self._outgoing_arrived = asyncio.Event()
        self._ears: dict[str, set[_Ear]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._missed: set[str] = set()
        self._subscriptions: PubSub | None = None
        self._speaking = _start(self._speak())
        self._listening: asyncio.Task[None] | None = None

    def publish(self, channel: str, payload: bytes) -> None:
        """Send `payload`, not empty, to whoever listens. Returns at once and never fails."""
        assert payload != GAP, "an empty payload means a gap"
        self._outgoing.append((channel, payload))
        self._outgoing_arrived.set()

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Payloads on `channel` from now on: what is published after this block was entered is heard in it.

        Where Redis is away the block is entered all the same, and hears `GAP` when Redis is back.
        """
        if self._listening is None:
            self._listening = _start(self._listen())
        ear = _Ear()
        self._ears.setdefault(channel, set()).add(ear)
        confirmed = self._confirmed.setdefault(channel, asyncio.Event())
        try:
            if not confirmed.is_set():
                await self._ask("subscribe", channel)
                try:
                    await asyncio.wait_for(confirmed.wait(), READY_SECONDS)
                except TimeoutError:
                    self._missed.add(channel)
            yield aiter(ear)
        finally:
            self._ears[channel].discard(ear)
            if not self._ears[channel]:
                del self._ears[channel], self._confirmed[channel]
                self._missed.discard(channel)
                await self._ask("unsubscribe", channel)

    async def close(self) -> None:
        """End both tasks and their connections. What is still queued is dropped."""
        self._closed = True
        for task in filter(None, (self._speaking, self._listening)):
            # redis-py may swallow a cancellation that meets it in the middle of a command: then it takes another.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_SECONDS)

    async def _ask(self, verb: str, channel: str) -> None:
        """Tell Redis, if it is there; otherwise the next connection begins with all channels that are wanted."""
        if self._subscriptions is not None:
            with suppress(*FAULTS):
                await getattr(self._subscriptions, verb)(channel)

    async def _speak(self) -> None:
        voice: Redis | None = None
        url, pause = "", FIRST_PAUSE
        try:
            while not self._closed:
                await self._outgoing_arrived.wait()
                self._outgoing_arrived.clear()
                while self._outgoing:
                    batch = [self._outgoing.popleft() for _ in range(min(PIPELINED, len(self._outgoing)))]
                    try:
                        if voice is None:
                            url = self._servers.url
                            voice = client(url)
                            await self._servers.learn(voice)
                        await _publish(voice, batch)
                        pause = FIRST_PAUSE
                    except FAULTS:
                        # The batch is gone: it was for those who look now, and repeating it would tell some twice.
                        if voice is not None:
                            await voice.aclose()
                            voice = None
                        self._servers.leave(url)
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            if voice is not None:
                await voice.aclose()

    async def _listen(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed:
            url = self._servers.url
            ear = _subscribing_client(url)
            try:
                async with ear.pubsub() as subscriptions:
                    await subscriptions.subscribe(KEEPER, *self._ears)
                    self._subscriptions = subscriptions
                    async with client(url) as plain:
                        await self._servers.learn(plain)
                    async for message in subscriptions.listen():
                        self._take(message)
                        pause = FIRST_PAUSE
            except FAULTS:
                self._servers.leave(url)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            finally:
                self._forget_confirmations()
                await ear.aclose()

    def _forget_confirmations(self) -> None:
        """Nothing is subscribed to any more; who listens has missed something when it is again."""
        self._subscriptions = None
        for channel, confirmed in self._confirmed.items():
            if confirmed.is_set():
                confirmed.clear()
                self._missed.add(channel)

    def _take(self, message: dict[str, Any]) -> None:
        channel = message["channel"].decode()
        if message["type"] == "message":
            self._tell(channel, message["data"])
        elif message["type"] == "subscribe" and channel in self._confirmed:
            self._confirmed[channel].set()
            if channel in self._missed:
                self._missed.discard(channel)
                self._tell(channel, GAP)

    def _tell(self, channel: str, payload: bytes) -> None:
        for ear in self._ears.get(channel, ()):
            ear.hear(payload)


async def _publish(voice: Redis, batch: Sequence[tuple[str, bytes]]) -> None:
    async with voice.pipeline(transaction=False) as pipeline:
        for channel, payload in batch:
            pipeline.publish(channel, payload)
        await pipeline.execute()


def _subscribing_client(url: str) -> Redis:
    """A client that waits for ever and repeats nothing. Keep-alive tells of a dead peer; a Unix socket refuses it."""
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        **keepalive,
    )


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run `work` beside the caller, in a context of its own: the caller's may hold a transaction's connection."""
    return asyncio.create_task(work, context=contextvars.Context())


_shared: Feed | None = None


async def connect(url: str) -> None:
    """Open this process's feed. It needs no Redis to be there yet."""
    global _shared
    assert _shared is None, "the feed is connected already"
    _shared = Feed(url)


async def close() -> None:
    """Close this process's feed."""
    global _shared
    if _shared is not None:
        held, _shared = _shared, None
        await held.close()


def connected() -> Feed:
    """This process's feed, between `connect` and `close`."""
    assert _shared is not None, "the feed is not connected"
    return _shared
