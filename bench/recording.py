"""A connection that remembers what was written over it, so that the same can be written again without Mitra."""

import re
from typing import Any

import asyncpg

WRITING = ("INSERT", "UPDATE", "DELETE", "WITH w0 AS")


class Recorder:
    """The writes of the transactions since `start`, in their order: one list a transaction."""

    def __init__(self) -> None:
        self.transactions: list[list[tuple[str, tuple[Any, ...], dict[str, Any]]]] = []
        self.on = False

    def start(self) -> None:
        """Remember from here on."""
        self.transactions.clear()
        self.on = True

    def begin(self) -> None:
        """A transaction begins."""
        if self.on:
            self.transactions.append([])

    def roll_back(self) -> None:
        """The last transaction wrote nothing."""
        if self.on:
            self.transactions.pop()

    def note(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Remember a write, in the last transaction."""
        if self.on:
            self.transactions[-1].append((method, args, kwargs))

    def rows(self) -> int:
        """How many rows these writes are of, inserted or changed."""
        return sum(_rows(method, args, kwargs) for one in self.transactions for method, args, kwargs in one)


def _rows(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    if method == "copy_records_to_table":
        return len(kwargs["records"])
    query = args[0]
    parts = re.split(r"\bw\d+ AS \(", query)[1:] or [query]
    first = [re.search(r"unnest\(\$(\d+)", part) for part in parts]
    return sum(1 if match is None else len(args[int(match[1])]) for match in first)


recorder = Recorder()


class RecordingConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg's own stubs leave its base untyped
    """An asyncpg connection whose writes are noted."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if query.startswith("BEGIN"):
            recorder.begin()
        elif query.startswith("ROLLBACK"):
            recorder.roll_back()
        elif query.lstrip().startswith(WRITING):
            recorder.note("execute", (query, *args), {})
        return str(await super().execute(query, *args, timeout=timeout))

    async def fetch(self, query: str, *args: Any, **kwargs: Any) -> Any:
        if query.lstrip().startswith(WRITING):
            recorder.note("fetch", (query, *args), {})
        return await super().fetch(query, *args, **kwargs)

    async def copy_records_to_table(self, table_name: str, **kwargs: Any) -> Any:
        recorder.note("copy_records_to_table", (table_name,), kwargs)
        return await super().copy_records_to_table(table_name, **kwargs)
