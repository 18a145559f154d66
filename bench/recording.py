"""A connection that remembers what was written over it, so that the same can be written again without Mitra."""

import re
from typing import Any, Final, TypeAlias

import asyncpg

WRITING: Final = ("INSERT", "UPDATE", "DELETE", "WITH w0 AS")
LOCKING: Final = "FOR NO KEY UPDATE OF p"
"""How the partners are locked."""

Write: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]
"""The connection's method, and its arguments."""


class Recorder:
    """The writes of the transactions since `start`, in their order: one list a transaction.

    With `locks` it remembers how the partners were locked too: two that write again at once would else run into each
    other, as their statements take their rows in whatever order.
    """

    def __init__(self) -> None:
        self.transactions: list[list[Write]] = []
        self.on = False
        self.locks = False

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

    def is_due(self, query: str) -> bool:
        """Whether a query is to be remembered."""
        return query.lstrip().startswith(WRITING) or (self.locks and LOCKING in query)

    def rows(self) -> int:
        """How many rows these writes are of, inserted or changed."""
        return sum(_rows(*write) for one in self.transactions for write in one)


def _rows(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    if method == "copy_records_to_table":
        return len(kwargs["records"])
    query = args[0]
    if LOCKING in query:
        return 0
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
        elif recorder.is_due(query):
            recorder.note("execute", (query, *args), {})
        return str(await super().execute(query, *args, timeout=timeout))

    async def fetch(self, query: str, *args: Any, **kwargs: Any) -> Any:
        if recorder.is_due(query):
            recorder.note("fetch", (query, *args), {})
        return await super().fetch(query, *args, **kwargs)

    async def copy_records_to_table(self, table_name: str, **kwargs: Any) -> Any:
        recorder.note("copy_records_to_table", (table_name,), kwargs)
        return await super().copy_records_to_table(table_name, **kwargs)
