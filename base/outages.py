"""What says that a server is away or refuses for now, so that the same thing is worth doing again.

One place decides it: the API answers `UNAVAILABLE`, the relay waits and parks nothing, the command says it in one line.
What is no outage is a fault of the data or of ours, and doing it again would end the same.
"""

import socket
from dataclasses import dataclass
from typing import Final

import asyncpg
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from tortoise.exceptions import BaseORMException

from base.redis import UNAVAILABLE as REDIS_AWAY


@dataclass(frozen=True, slots=True)
class Outage:
    """Why something cannot be done just now, for a person, and after how many seconds it is worth trying again."""

    message: str
    retry_after: int

    def __str__(self) -> str:
        seconds = f"{self.retry_after} second{'s' if self.retry_after > 1 else ''}"
        return f"{self.message} Send the same again in {seconds}."


AWAY: Final = Outage("The database cannot be reached just now.", 5)
CROWDED: Final = Outage("The database has no connection free just now.", 2)
SLOW: Final = Outage("The database took too long.", 5)
CONTESTED: Final = Outage("Too many changes meet in one place just now.", 1)
FULL: Final = Outage("The database has no room left.", 30)
READ_ONLY: Final = Outage("The database takes no changes just now: another server may be taking over.", 5)
NO_REDIS: Final = Outage("Redis cannot be reached just now.", 5)

STATES: Final = {
    "25006": READ_ONLY,  # read_only_sql_transaction
    "25P03": SLOW,  # idle_in_transaction_session_timeout
    "25P04": SLOW,  # transaction_timeout
    "40001": CONTESTED,  # serialization_failure
    "40003": AWAY,  # statement_completion_unknown
    "40P01": CONTESTED,  # deadlock_detected
    "53300": CROWDED,  # too_many_connections
    "55P03": CONTESTED,  # lock_not_available
    "57014": SLOW,  # query_canceled: by statement_timeout
}
CLASSES: Final = {
    "08": AWAY,  # connection exceptions
    "53": FULL,  # insufficient resources
    "57": AWAY,  # operator intervention: it shuts down, starts, or recovers from a crash
    "58": FULL,  # its files cannot be read or written
}
"""By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html, and by its class."""

LOST: Final = (
    "connection is closed",
    "connection was closed",
    "released back to the pool",
    "pool is closing",
    "cannot switch to state",  # the server said good-bye between two statements
)
"""How asyncpg says, without a SQLSTATE, that a connection ended before it was asked."""

REDIS_REFUSES: Final = (
    "BUSY",
    "LOADING",
    "MISCONF",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "OOM",
    "UNBLOCKED",
)


class NoConnection(TimeoutError):
    """The pool had no connection in time: all are at work, or the database does not answer."""


def outage_of(error: BaseException) -> Outage | None:
    """The outage behind an error, or None where it is none. What Tortoise wraps is looked into."""
    if isinstance(error, RedisError | RedisClusterException):
        return _of_redis(error)
    if state := sqlstate_of(error):
        return STATES.get(state) or CLASSES.get(state[:2])
    if isinstance(error, NoConnection):
        return CROWDED
    if isinstance(error, TimeoutError):
        return SLOW
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return AWAY if any(words in str(error) for words in LOST) else None
    if isinstance(error, ConnectionError | FileNotFoundError | socket.gaierror | BrokenPipeError):
        return AWAY
    wrapped = error.__cause__
    return outage_of(wrapped) if wrapped is not None else None


def sqlstate_of(error: BaseException) -> str:
    """PostgreSQL's five characters for an error, also where Tortoise wraps it; empty where it is not PostgreSQL's."""
    state = getattr(error, "sqlstate", None)
    if state is None and isinstance(error, BaseORMException) and error.__cause__ is not None:
        state = getattr(error.__cause__, "sqlstate", None)
    return state or ""


def _of_redis(error: Exception) -> Outage | None:
    if isinstance(error, REDIS_AWAY):
        return NO_REDIS
    if isinstance(error, ResponseError) and str(error).startswith(REDIS_REFUSES):
        return NO_REDIS
    return None
