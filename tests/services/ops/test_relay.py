"""The relay: an outage is waited for, and a row that cannot be handled is put aside for whoever mends it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError

import base.redis
from base import outbox, parked
from base.database import Connection, transaction
from base.outages import outage_of
from base.outbox import Depth, OutboxRow
from ops import worker
from ops.audit.outbox import PARKED
from tests.services.programs import make_program

pytestmark = pytest.mark.usefixtures("database")

SECONDS = 20.0
POISON = 7


@dataclass
class Witness:
    """A consumer that keeps what it was handed; `fault` is what it meets with a row."""

    program_id: int
    name: str
    handed: list[list[int]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    fault: Callable[[int], Exception | None] = lambda _: None

    async def handle(self, connection: Connection, rows: Sequence[OutboxRow]) -> None:
        ids = [row.partner_ids[0] for row in rows if row.program_id == self.program_id]
        self.handed.append(ids)
        for one in ids:
            await connection.execute("SELECT 1")
            if fault := self.fault(one):
                raise fault
        self.done += ids

    async def leave(self, *ids: int) -> None:
        for one in ids:
            async with transaction() as connection:
                await outbox.write(
                    connection, program_id=self.program_id, partner_ids=[one], transaction_ids=[]
                )

    async def depth(self) -> Depth:
        (found,) = [one for one in await outbox.depth() if one.consumer == self.name]
        return found

    async def relay_until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        stop = asyncio.Event()
        relaying = asyncio.create_task(worker.relay(self.name, self.handle, stop))
        async with asyncio.timeout(SECONDS):
            while not await holds():  # noqa: ASYNC110  # what is waited for stands in the database
                await asyncio.sleep(0.005)
        stop.set()
        await relaying

    async def is_through(self) -> bool:
        return (await self.depth()).rows == 0


@pytest.fixture
async def witness(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Witness]:
    """A consumer that has seen all that others left."""
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.001)
    monkeypatch.setattr(worker, "LONGEST_WAIT_SECONDS", 0.01)
    name = f"witness-{uuid.uuid4()}"
    found = Witness((await make_program(f"relay-{uuid.uuid4()}")).id, name)
    await outbox.register(name)
    while await outbox.consume(name, found.handle):
        found.handed.clear()
    yield found
    async with transaction() as connection:
        await connection.execute("DELETE FROM outbox_cursor WHERE consumer = $1", name)
        await connection.execute("DELETE FROM outbox_parked WHERE consumer = $1", name)


async def test_a_row_that_cannot_be_handled_is_parked_and_the_others_go_on(witness: Witness) -> None:
    witness.fault = lambda one: ValueError("no such thing") if one == POISON else None
    await witness.leave(*range(1, 11))
    await witness.relay_until(witness.is_through)
    assert sorted(witness.done) == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    alone = [ids for ids in witness.handed if ids == [POISON]]
    assert len(alone) == worker.FAULTS, "it is tried by itself before it is parked"
    assert (await witness.depth()).parked == 1
    (row,) = [row for row in await parked.list_parked() if row["consumer"] == witness.name]
    assert (row["partner_ids"], row["error"]) == ([POISON], "ValueError('no such thing')")

    finding = await PARKED.look(witness.program_id)
    assert finding.violations == 1
    assert finding.offending[0].startswith(f"{witness.name}: row ")


async def test_once_mended_what_is_parked_is_handled(witness: Witness) -> None:
    witness.fault = lambda one: ValueError("no such thing") if one % 2 else None
    await witness.leave(1, 2, 3)
    await witness.relay_until(witness.is_through)
    assert (await witness.depth()).parked == 2

    witness.fault = lambda one: LookupError("still not") if one == 3 else None
    assert await parked.retry({witness.name: witness.handle}) == parked.Retried(handled=1, failed=1)
    assert sorted(witness.done) == [1, 2]
    (row,) = [row for row in await parked.list_parked() if row["consumer"] == witness.name]
    assert row["error"] == "LookupError('still not')"

    witness.fault = lambda _: ConnectionRefusedError()
    with pytest.raises(ConnectionRefusedError):
        await parked.retry({witness.name: witness.handle})
    assert (await witness.depth()).parked == 1

    witness.fault = lambda _: None
    assert await parked.retry({witness.name: witness.handle}) == parked.Retried(handled=1, failed=0)
    assert (await PARKED.look(witness.program_id)).violations == 0


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        base.redis.UNAVAILABLE[0]("away"),
        asyncpg.DiskFullError("full"),
        asyncpg.AdminShutdownError("shut down"),
        asyncpg.UndefinedTableError("half migrated"),
        asyncpg.InsufficientPrivilegeError("not allowed"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_every_row_would_meet_parks_nothing(witness: Witness, error: Exception) -> None:
    witness.fault = lambda _: error
    await witness.leave(1, 2, 3)

    async def has_failed_often() -> bool:
        return len(witness.handed) > worker.FAULTS * 4

    await witness.relay_until(has_failed_often)
    assert (await witness.depth()).parked == 0
    witness.fault = lambda _: None
    await witness.relay_until(witness.is_through)
    assert sorted(witness.done) == [1, 2, 3]


async def test_what_a_failed_statement_left_behind_does_not_park_the_row_with_it(witness: Witness) -> None:
    """The row is parked in the transaction in which its handling failed, and that must still be of use."""

    async def fail(connection: Connection, rows: Sequence[OutboxRow]) -> None:
        await connection.execute("SELECT 1 / 0")

    await witness.leave(1)
    async with asyncio.timeout(SECONDS):
        # The row is not seen while an older transaction runs on this server, of whomever it is.
        while not await outbox.consume(witness.name, fail, limit=1, park=parked.park):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert (await witness.depth()).parked == 1


async def test_the_depth_tells_rows_and_their_age(witness: Witness) -> None:
    assert await witness.depth() == Depth(witness.name, 0, 0, 0)
    await witness.leave(1, 2)
    behind = await witness.depth()
    assert behind.rows == 2
    assert behind.seconds > 0


def test_outages_are_seen_through_what_wraps_them() -> None:
    """Tortoise's errors, and asyncpg's that have no SQLSTATE."""
    wrapped = IntegrityError("x")
    wrapped.__cause__ = asyncpg.SerializationError("y")
    assert outage_of(wrapped) is not None
    assert outage_of(asyncpg.InterfaceError("cannot perform operation: connection is closed")) is not None
    assert (
        outage_of(asyncpg.InterfaceError("cannot perform operation: another operation is in progress"))
        is None
    )
    for error in (
        ValueError("x"),
        asyncpg.UniqueViolationError("x"),
        asyncpg.DataError("x"),
        OSError(13, "x"),
    ):
        assert outage_of(error) is None, error
    said_good_bye = "cannot switch to state 21; another operation (2) is in progress"
    assert outage_of(asyncpg.InternalClientError(said_good_bye)) is not None
    assert outage_of(FileNotFoundError("the socket of a server that is down")) is not None
