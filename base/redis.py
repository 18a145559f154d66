"""Redis or Valkey, and what of redis-py's defaults must not stand.

redis-py gives up a blocking read after 5 s and repeats each command up to 10 times: an INCR may then run twice, and an
outage is felt only after a minute. So a client here repeats nothing (the pool replaces a dead connection when it is
taken, which is what a restart of the server needs), and `base.feed` listens with a client of its own that waits.

Nothing tells the plain client that it talks to a cluster, so the server is asked. In a cluster there is only database 0
and the keys of a script or pipeline share a hash tag; code written so runs on both.

Values are bytes: members and scores are numbers, and decoding them costs more than reading them.
"""

from typing import Final, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Client: TypeAlias = Redis | RedisCluster

UNAVAILABLE: Final = (RedisConnectionError, RedisTimeoutError)
"""What says that Redis is away: standings wait until it is back, nothing else does."""

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0

__all__ = [
    "UNAVAILABLE", "Client", "Redis", "RedisCluster", "RedisError",
    "client", "close", "connect", "connected", "is_cluster", "ping",
]  # fmt: skip

_shared: Client | None = None


def client(url: str) -> Redis:
    """A client of one server that neither waits long nor repeats."""
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


async def is_cluster(plain: Redis) -> bool:
    """Whether the server belongs to a cluster. A server that will not say (a proxy) is taken for one server."""
    try:
        return (await plain.info("cluster")).get("cluster_enabled") == 1
    except ResponseError:
        return False


async def open_client(url: str) -> Client:
    """The client that suits the server at `url`; it has answered once."""
    plain = client(url)
    try:
        await plain.ping()
        if not await is_cluster(plain):
            return plain
    except BaseException:
        await plain.aclose()
        raise
    await plain.aclose()
    return RedisCluster.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)


async def connect(url: str) -> None:
    """Open this process's shared client."""
    global _shared
    assert _shared is None, "Redis is connected already"
    _shared = await open_client(url)


async def close() -> None:
    """Close the shared client."""
    global _shared
    if _shared is not None:
        held, _shared = _shared, None
        await held.aclose()


def connected() -> Client:
    """The shared client, between `connect` and `close`."""
    assert _shared is not None, "Redis is not connected"
    return _shared


async def ping() -> None:
    """Raise where Redis does not answer."""
    await connected().execute_command("PING")
