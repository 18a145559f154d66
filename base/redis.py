"""Redis or Valkey, and what of redis-py's defaults must not stand.

redis-py gives up a blocking read after 5 s and repeats each command up to 10 times: an INCR may then run twice, and an
outage is felt only after a minute. So a client here repeats nothing (the pool replaces a dead connection when it is
taken, which is what a restart of the server needs), and `base.feed` listens with a client of its own that waits.

Nothing tells the plain client that it talks to a cluster, so the server is asked. In a cluster there is only database 0
and the keys of a script or pipeline share a hash tag; code written so runs on both. A cluster's client repeats once:
only so does it learn where the keys are now, and what we write may be written twice.

Values are bytes: members and scores are numbers, and decoding them costs more than reading them.
"""

from typing import Final, TypeAlias
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    ClusterError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

Client: TypeAlias = Redis | RedisCluster

UNAVAILABLE: Final = (
    RedisConnectionError, RedisTimeoutError, AuthenticationError, NoPermissionError, OutOfMemoryError, ReadOnlyError,
    TryAgainError, ClusterError, RedisClusterException,
)  # fmt: skip
"""What says that Redis, or a part of the cluster, is away or takes nothing: standings wait for it, nothing else."""

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0

__all__ = [
    "UNAVAILABLE", "Client", "Redis", "RedisCluster", "RedisError",
    "client", "close", "connect", "connected", "is_cluster", "nodes_of", "ping",
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


async def nodes_of(plain: Redis, url: str) -> list[str]:
    """The URLs of all nodes of the cluster that `plain`, opened at `url`, belongs to; `url` alone without one."""
    if not await is_cluster(plain):
        return [url]
    parts = urlsplit(url)
    signed_in, at, _ = parts.netloc.rpartition("@")
    found = [url]
    slots = await plain.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
    for _, _, *nodes in slots:
        for name, port, *_ in nodes:
            host = name.decode() if name else parts.hostname or ""
            netloc = f"{signed_in}{at}{f'[{host}]' if ':' in host else host}:{port}"
            found.append(parts._replace(netloc=netloc).geturl())
    return list(dict.fromkeys(found))


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
    cluster = RedisCluster.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    await cluster.initialize()
    return cluster


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
    """Raise where Redis does not answer; a cluster, where it does not serve all keys."""
    shared = connected()
    if isinstance(shared, Redis):
        await shared.execute_command("PING")  # type: ignore[no-untyped-call]
        return
    state = await shared.execute_command("CLUSTER INFO")
    if state["cluster_state"] != "ok":
        raise ClusterDownError("the cluster does not serve all keys")
