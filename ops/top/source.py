"""Where the figures come from: the metrics pages of the running processes, and imports from the database.

A process that serves a page says where in the name of a database connection, so whoever reaches the database finds all
of them; with addresses given, nothing but those is asked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final

import asyncpg

from ops.top.frame import RunningImport
from ops.top.snapshot import Snapshot
from ops.watch.page import fetch
from ops.watch.readings import FAULTS, NAME

FETCH_SECONDS: Final = 10.0
DATABASE_SECONDS: Final = 5.0
MOST_IMPORTS: Final = 5

# The addresses in the names of this database's connections.
PAGES: Final = """
SELECT DISTINCT substr(application_name, length($1) + 2) AS address FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE $1 || ' %' ORDER BY address
"""
IMPORTS: Final = """
SELECT p.key AS program, i.program_id, i.id, file_name, kind, state, bytes_read, file_size, read, refused,
    extract(epoch FROM clock_timestamp() - coalesce(moved_at, started_at, i.created_at))::float8 AS unmoved
FROM import i JOIN program p ON p.id = i.program_id
WHERE state IN ('QUEUED', 'RUNNING', 'UPLOADING') ORDER BY state DESC, i.created_at DESC LIMIT $1
"""
HAS_IMPORTS: Final = "SELECT to_regclass('import') IS NOT NULL"


class Source:
    """Reads everything once. `urls` are asked where they are stated, else whatever `database_url` tells of."""

    def __init__(self, *, urls: Sequence[str] = (), database_url: str = "") -> None:
        self._given = tuple(urls)
        self._urls = tuple(urls)
        self._database_url = database_url
        self._connection: asyncpg.Connection | None = None
        self._read_before: Mapping[tuple[int, int], tuple[float, int]] = {}
        self.imports: Sequence[RunningImport] = ()
        self.problem = ""

    async def read(self) -> Snapshot:
        """What the pages say now. What does not answer is left out, and `problem` says so."""
        self.problem = ""
        if not self._given:
            await self._ask_database()
        answers = await asyncio.gather(
            *(asyncio.to_thread(fetch, url, FETCH_SECONDS) for url in self._urls), return_exceptions=True
        )
        pages: dict[str, str] = {}
        for url, answer in zip(self._urls, answers, strict=True):
            if isinstance(answer, str):
                pages[url] = answer
            else:
                self.problem = f"{url} does not answer"
        if not self._urls and not self.problem:
            self.problem = "no process of Mitra tells of itself here: is `mitra serve` running?"
        return Snapshot.of(monotonic(), pages)

    async def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.terminate()

    async def _ask_database(self) -> None:
        """Find the pages and the imports. Without the database the pages that are known already are asked."""
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncpg.connect(
                        self._database_url, server_settings={"application_name": "mitra top"}
                    )
                found = await self._connection.fetch(PAGES, NAME)
                self._urls = tuple(f"http://{row['address']}/metrics" for row in found)
                self.imports = await self._imports(self._connection)
        except FAULTS:
            self.problem = "the database does not answer"
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None

    async def _imports(self, connection: asyncpg.Connection) -> list[RunningImport]:
        if not await connection.fetchval(HAS_IMPORTS):
            return []
        now = monotonic()
        rows = await connection.fetch(IMPORTS, MOST_IMPORTS)
        before, self._read_before = (
            self._read_before,
            {(row["program_id"], row["id"]): (now, row["read"]) for row in rows},
        )
        found = []
        for row in rows:
            at, read = before.get((row["program_id"], row["id"]), (now, row["read"]))
            found.append(
                RunningImport(
                    program=row["program"],
                    id=row["id"],
                    file=row["file_name"],
                    kind=row["kind"],
                    state=row["state"],
                    share=row["bytes_read"] / row["file_size"] if row["file_size"] else 0.0,
                    read=row["read"],
                    refused=row["refused"],
                    rate=(row["read"] - read) / (now - at) if now > at else 0.0,
                    unmoved_seconds=max(row["unmoved"], 0.0),
                )
            )
        return found
