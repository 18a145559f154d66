"""What can go wrong for whoever runs Mitra, and how it is said: one line, and a non-zero exit status.

    OperatorError           the message says what is wrong and how to mend it
    ├── ServerUnreachable   a configured server does not answer, or not as it should
    └── ServerFailed        an embedded server does not start, or died and cannot be started again

`describe` turns what the libraries underneath raise into such a line; what it does not know is a bug of ours.
"""

import errno
import socket

import asyncpg
from pydantic import ValidationError

from base.errors import DomainError
from base.outages import outage_of
from base.settings import PREFIX


class OperatorError(Exception):
    """Something that the operator can mend; the message is one line."""


class ServerUnreachable(OperatorError):
    """A configured server does not answer."""


class ServerFailed(OperatorError):
    """An embedded server does not start or does not stay up."""


def describe(error: BaseException) -> str | None:
    """The one line for `error`, or None where it is not one that an operator can mend."""
    match error:
        case OperatorError():
            return one_line(error)
        case DomainError():
            where = f" ({'.'.join(error.field)})" if error.field else ""
            return f"{error.code}: {one_line(error)}{where}"
        case ValidationError():
            first = error.errors()[0]
            name = "".join(f"{PREFIX}{part}".upper() for part in first["loc"][:1])
            return f"{name or 'Settings'}: {first['msg']}"
        case asyncpg.UndefinedTableError():
            return f"The database is not fully migrated: run `mitra migrate` ({one_line(error)})"
        case asyncpg.InsufficientPrivilegeError() | asyncpg.InvalidParameterValueError():
            return (
                f"The database refuses: check {PREFIX}DATABASE_ROLE, run `mitra migrate` ({one_line(error)})"
            )
        case asyncpg.TooManyConnectionsError():
            return f"The database has no connection left: lower {PREFIX}DATABASE_POOL_MAX, or raise its own limit"
        case asyncpg.QueryCanceledError():
            return f"The database took too long ({one_line(error)})"
        case asyncpg.PostgresConnectionError() | asyncpg.OperatorInterventionError():
            return f"The database went away ({one_line(error)})"
        case asyncpg.PostgresError() if outage := outage_of(error):
            return f"{outage.message} ({one_line(error)})"
        case OSError() if error.errno == errno.ENOSPC:
            return f"The disk is full ({one_line(error)})"
        case PermissionError():
            return f"Not allowed: {one_line(error)}"
        case ConnectionError() | TimeoutError() | socket.gaierror():
            return f"A server cannot be reached ({one_line(error)})"
        case _:
            return _redis_line(error)


def _redis_line(error: BaseException) -> str | None:
    """redis-py's errors by their names: `ops` reaches Redis through `base.redis` only, and imports no redis."""
    if not type(error).__module__.startswith("redis."):
        return None
    return f"Redis cannot be used: check MITRA_REDIS_URL ({one_line(error)})"


def one_line(error: BaseException) -> str:
    """The error's own words on one line, or its name where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
