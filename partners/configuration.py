"""How a program's configuration changes: one change at a time, in one transaction, all or nothing.

A change holds the program's row lock from its first statement to its end, so that what it checked still stands when it
writes. The lock does not keep activities out (`hold_activities` does); processes learn of a change by `config_version`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

from base.database import Connection, retrying, transaction
from base.errors import Invalid, NotFound

Result = TypeVar("Result")

# Plans are made anew for each input: one that was kept from when tables were small crawls through ten thousand items.
LOCK: Final = """
SELECT id, activity_kinds, set_config('plan_cache_mode', 'force_custom_plan', true)
FROM program WHERE id = $1 FOR NO KEY UPDATE
"""
# Whoever books activities holds their partners' rows, and by then looks whether the configuration has moved.
HOLD_PARTNERS: Final = """
SELECT count(*) FROM (SELECT FROM partner WHERE program_id = $1 ORDER BY id FOR NO KEY UPDATE) AS held
"""
RAISE_VERSION: Final = (
    "UPDATE program SET config_version = config_version + 1 WHERE id = $1 RETURNING config_version"
)


@dataclass(frozen=True, slots=True)
class LockedProgram:
    """A program whose configuration is this transaction's to change."""

    id: int
    activity_kinds: frozenset[str]


async def lock_program(connection: Connection, program_id: int) -> LockedProgram:
    """Take the lock of the program's configuration, to the end of the transaction. `NotFound` where there is none."""
    row = await connection.fetchrow(LOCK, program_id)
    if row is None:
        raise NotFound("there is no such program")
    return LockedProgram(row["id"], frozenset(orjson.loads(row["activity_kinds"])))


async def hold_activities(connection: Connection, program_id: int) -> None:
    """Wait for what is being booked in the program, and let nothing more be booked to the end of the transaction.

    For the rare change that has to know what was booked before it.
    """
    await connection.execute(HOLD_PARTNERS, program_id)


async def raise_config_version(connection: Connection, program_id: int) -> int:
    """Tell the processes that what they compiled of the configuration is old; the new version."""
    version: int = await connection.fetchval(RAISE_VERSION, program_id)
    return version


async def configure(
    program_id: int, change: Callable[[Connection, LockedProgram], Awaitable[Result]]
) -> Result:
    """Run `change` in a transaction of its own that holds the program's lock."""

    async def work() -> Result:
        async with transaction() as connection:
            return await change(connection, await lock_program(connection, program_id))

    return await retrying(work)


def settle_key(
    key: str, *, stored: dict[str, Any], asked: dict[str, Any], field: Sequence[str] = ("key",)
) -> None:
    """A key that exists may be created again with the same content only. `stored` has all of `asked`. KEY_TAKEN."""
    differing = ", ".join(name for name in asked if stored[name] != asked[name])
    if differing:
        raise Invalid(f"{key!r} exists with another content ({differing})", code="KEY_TAKEN", field=field)
