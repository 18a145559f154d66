"""What every test can ask for.

    database_url, redis_url   this worker's own database and Valkey database, migrated and empty at the start of the run
    empty_database_url        a database with nothing in it, not even tables
    own                       settings of the `mitra` command: a migrated database of the test's own, and Valkey
    database                  `base.database` connected to it, as the role of the service
    redis                     `base.redis` connected, and emptied before the test
    no_other_boards           the boards of earlier tests are over: what looks at all boards finds the test's own
    mitra                     the `mitra` command in processes of its own, on a data folder of its own

Databases are not emptied between tests: a test makes its own program, and sees that nothing leaks from another one.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import base.database
import base.redis
from ops.embedded import EmbeddedServers
from ops.embedded.holding import remove_local_data
from ops.errors import OperatorError
from tests.command import Mitra
from tests.order import arrange
from tests.servers import (
    ROLE,
    create_database,
    drop_database,
    empty_database,
    migrated_database,
    redis_database,
)

CLOSE_SEASONS = "UPDATE season SET state = 'CLOSED', generation = 0 WHERE state <> 'CLOSED' OR generation > 0"
DATA_DIR = Path(__file__).parent.parent / ".cache" / "test-servers"

# Tests start hundreds of processes: where bytecode is not kept, each of them compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says more of the machine than of the code.
settings.register_profile("mitra", deadline=None)
settings.load_profile("mitra")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--keep-servers", action="store_true", help="Keep the test servers' data: the next run starts sooner."
    )
    parser.addoption(
        "--whole-year", action="store_true", help="The wholesaler's year (`test_online_retail`) to its end."
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, for as many workers as there are."""
    items[:] = arrange(items, workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Forget the servers, after the last worker; another run on the same checkout keeps them."""
    if hasattr(session.config, "workerinput") or session.config.getoption("--keep-servers"):
        return
    try:
        remove_local_data(DATA_DIR)
    except OperatorError:
        return


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """The running servers; the first worker starts them, the last one stops them."""
    held = EmbeddedServers(DATA_DIR, durable=False)
    held.start()
    yield held
    held.stop()


@pytest.fixture(scope="session")
async def database_url(servers: EmbeddedServers) -> AsyncIterator[str]:
    """This worker's database."""
    yield await create_database(servers.database_url)
    await drop_database(servers.database_url)


@pytest.fixture
async def empty_database_url(servers: EmbeddedServers) -> AsyncIterator[str]:
    """A database with nothing in it."""
    async with empty_database(servers.database_url) as url:
        yield url


@pytest.fixture
async def own(servers: EmbeddedServers, redis_url: str) -> AsyncIterator[dict[str, str]]:
    """The servers of the tests as an operator names servers, with a migrated database in which nothing is."""
    async with migrated_database(servers.database_url) as url:
        yield {"MITRA_DATABASE_URL": url, "MITRA_DATABASE_ROLE": ROLE, "MITRA_REDIS_URL": redis_url}


@pytest.fixture(scope="session")
def redis_url(servers: EmbeddedServers) -> Iterator[str]:
    """This worker's Valkey database."""
    with redis_database(DATA_DIR) as number:
        yield f"{servers.redis_url}?db={number}"


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[None]:
    """`base.database`, connected as the service is."""
    await base.database.connect(database_url, role=ROLE, max_size=10)
    yield
    await base.database.close()


@pytest.fixture(scope="session")
async def _redis_connected(redis_url: str) -> AsyncIterator[base.redis.Client]:
    await base.redis.connect(redis_url)
    yield base.redis.connected()
    await base.redis.close()


@pytest.fixture
async def redis(_redis_connected: base.redis.Client) -> base.redis.Client:
    """The shared client, on an empty database."""
    await _redis_connected.execute_command("FLUSHDB")
    return _redis_connected


@pytest.fixture
async def no_other_boards(database: None) -> None:
    """Close the seasons that earlier tests left open."""
    async with base.database.transaction() as connection:
        await connection.execute(CLOSE_SEASONS)


@pytest.fixture
def mitra(tmp_path: Path) -> Iterator[Mitra]:
    """The command, on a data folder of its own; whatever it started is gone after the test."""
    with Mitra(tmp_path / ".mitra") as command:
        yield command
