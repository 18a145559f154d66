"""One pool of PostgreSQL connections, through Tortoise ORM, and the two ways to use it.

`transaction()` opens a transaction in which ORM calls and plain SQL see the same state; it yields the asyncpg
connection for the hot paths, which read and write in sets. `reading()` lends a connection for reads outside one.
`retrying()` repeats a whole unit of work on a serialization failure or a deadlock, which PostgreSQL asks clients to do.

Nothing here waits for ever: connecting, waiting for a free connection, a statement and a rollback each have their
limit, and what is raised then is an outage to `base.outages`.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.backends.base.client import TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections
from tortoise.exceptions import ConfigurationError
from tortoise.transactions import in_transaction

from base.outages import AWAY, outage_of

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

Result = TypeVar("Result")

RETRIED: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
ATTEMPTS: Final = 8
LIMITS: Final = {
    "statement_timeout": "2min",
    "idle_in_transaction_session_timeout": "1min",
    "transaction_timeout": "5min",
}
"""Of the service's connections: a transaction that hangs would hold locks, and the outbox, for ever."""

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 150.0
"""A little longer than the server takes to give a statement up: it passes where the server itself does not answer."""
ROLLBACK_SECONDS: Final = 5.0


def tortoise_config(
    url: str, *, role: str | None = None, min_size: int = 1, max_size: int = 10
) -> dict[str, Any]:
    """Tortoise's configuration for `url` (postgresql://…): one app, the models of all rooms."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    server_settings = {"application_name": "mitra", "timezone": "UTC", "jit": "off"}
    if role:
        server_settings["role"] = role
    credentials: dict[str, Any] = {
        "host": query.pop("host", None) or parts.hostname,
        "port": parts.port or int(query.pop("port", 5432)),
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.lstrip("/"),
        "minsize": min_size,
        "maxsize": max_size,
        "server_settings": server_settings,
        "timeout": CONNECT_SECONDS,
    }
    if "sslmode" in query:
        credentials["ssl"] = query["sslmode"]
    return {
        "connections": {"default": {"engine": "base.engine", "credentials": credentials}},
        "apps": {
            "mitra": {
                "models": list(MODELS),
                "default_connection": "default",
                "migrations": "ops.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


MODELS: Final = (
    "partners.models",
    "metrics.models",
    "loyalty.earning.models",
    "loyalty.tiers.models",
    "game.missions.models",
    "game.badges.models",
    "leaderboards.models",
    "push.models",
)
"""Modules that hold Tortoise models. Named, not imported: base knows no room."""


async def connect(url: str, *, role: str | None = None, min_size: int = 1, max_size: int = 10) -> None:
    """Open the pool. Once per process and loop."""
    config = tortoise_config(url, role=role, min_size=min_size, max_size=max_size)
    credentials = config["connections"]["default"]["credentials"]
    credentials["server_settings"] |= LIMITS
    credentials["command_timeout"] = STATEMENT_SECONDS
    await Tortoise.init(config=config, _enable_global_fallback=True)


async def close() -> None:
    """Close the pool."""
    await Tortoise.close_connections()


def pool_use() -> tuple[int, int]:
    """How many connections of the pool are lent, and how many are idle. None before `connect` and after `close`."""
    try:
        pool: Any = getattr(Tortoise.get_connection("default"), "_pool", None)
    except (ConfigurationError, KeyError):
        pool = None
    if pool is None:
        return 0, 0
    idle = pool.get_idle_size()
    return pool.get_size() - idle, idle


@asynccontextmanager
async def transaction() -> AsyncIterator[Connection]:
    """A READ COMMITTED transaction, committed where the block ends well. ORM calls inside take part in it.

    A connection that dies at any point costs this transaction and nothing else. (Tortoise's own context keeps the dead
    connection, for the task and in the pool, where BEGIN or the return to the pool fails.)
    """
    opened = in_transaction("default")
    try:
        client = await opened.__aenter__()
    except BaseException:
        _let_go(opened)
        raise
    try:
        yield client._connection
    except BaseException as error:
        await _leave(opened, error)
        raise
    else:
        await _leave(opened, None)


async def _leave(opened: TransactionContext, error: BaseException | None) -> None:
    """Roll back after an error, or commit. A rollback that takes long waits for a server that does not answer."""
    if error is not None and outage_of(error) is AWAY:
        _let_go(opened)  # there is nobody left to ask for a rollback
        return
    try:
        if error is None:
            await opened.__aexit__(None, None, None)
        else:
            async with asyncio.timeout(ROLLBACK_SECONDS):
                await opened.__aexit__(type(error), error, error.__traceback__)
    except asyncio.CancelledError:
        _forget(opened)  # the way back to the pool is shielded, and goes on by itself
        raise
    except BaseException as fault:
        _let_go(opened)
        if error is None:
            raise
        error.add_note(f"the rollback failed too: {fault!r}")


def _let_go(opened: TransactionContext) -> None:
    """Forget a transaction that could not be begun or ended: its connection is ended with it."""
    if isinstance(opened, TransactionContextPooled) and hasattr(opened, "token"):
        held: Any = opened.client._connection
        with suppress(Exception):
            held.terminate()
        _forget(opened)


def _forget(opened: TransactionContext) -> None:
    """The task is in no transaction any more. Where Tortoise has done it already, it cannot be done again."""
    if isinstance(opened, TransactionContextPooled) and hasattr(opened, "token"):
        with suppress(ValueError, RuntimeError):
            get_connections().reset(opened.token)


@asynccontextmanager
async def snapshot() -> AsyncIterator[Connection]:
    """A read-only transaction whose statements all see one moment."""
    async with transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


@asynccontextmanager
async def reading() -> AsyncIterator[Connection]:
    """A connection for reads; each statement sees its own snapshot."""
    async with Tortoise.get_connection("default").acquire_connection() as connection:
        yield connection


async def retrying(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run `work`, a whole unit with its own transaction, again where PostgreSQL says that another was in the way."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await work()
        except RETRIED:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and its arguments, to be sent with others. `$1` counts from its own first argument."""

    sql: str
    args: tuple[Any, ...]


Rows: TypeAlias = list[tuple[Any, ...]]
"""Rows by place, without names."""


@lru_cache(maxsize=256)
def _placed(sql: str, offset: int) -> str:
    """The statement with its arguments counted from `offset`."""
    return re.sub(r"\$(\d+)", lambda match: f"${int(match[1]) + offset}", sql)


def _together(statements: Sequence[Statement]) -> tuple[list[str], list[Any]]:
    texts: list[str] = []
    args: list[Any] = []
    for one in statements:
        texts.append(_placed(one.sql, len(args)))
        args += one.args
    return texts, args


async def fetch_together(connection: Connection, *reads: Statement) -> list[Rows]:
    """Several reads in one round trip and one snapshot; the rows of each, in the order given."""
    texts, args = _together(reads)
    # A column can hold an array of rows: that is what brings results of different shapes home in one row.
    arrays = ", ".join(f"ARRAY(SELECT r FROM ({text}) r)" for text in texts)  # noqa: S608  # constants
    return list(await connection.fetchrow(f"SELECT {arrays}", *args))


async def execute_together(connection: Connection, *writes: Statement) -> None:
    """Several writes in one round trip. None of them sees what another one writes, so no two touch the same row."""
    texts, args = _together(writes)
    parts = ", ".join(f"w{place} AS ({text})" for place, text in enumerate(texts))
    await connection.execute(f"WITH {parts} SELECT", *args)
