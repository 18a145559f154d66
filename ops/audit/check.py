"""What a check is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from base.database import reading

SHOWN: Final = 5
"""How many offenders are named."""


WITHOUT_HASTE: Final = "SET statement_timeout = 0; SET transaction_timeout = 0"
LONGEST: Final = 86_400.0
"""Seconds. A statement over all books takes as long as they are; it only reads, and nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw: rows looked at, how many of them break it, the first of those, and what it had to leave out."""

    looked: int
    violations: int
    offending: tuple[str, ...] = ()
    note: str = ""

    def add(self, looked: int, offending: Sequence[str]) -> "Finding":
        """With so much more looked at, and these more that break it."""
        first = (*self.offending, *offending)[:SHOWN]
        return replace(
            self, looked=self.looked + looked, violations=self.violations + len(offending), offending=first
        )


@dataclass(frozen=True, slots=True)
class Check:
    """An invariant: a name, what must hold, and how to look whether it does in a program, by id."""

    name: str
    sentence: str
    look: Callable[[int], Awaitable[Finding]]


def sql_check(name: str, sentence: str, *, rows: str, wrong: str, note: str = "SELECT ''") -> Check:
    """A check that is one statement, and so sees one state of the database.

    `rows` counts what it looks at; `wrong` answers a text that names each offender; `note` says what is left out.
    $1 is the program.
    """
    statement = f"""
    WITH wrong (offender) AS ({wrong})
    SELECT ({rows}) AS looked, (SELECT count(*) FROM wrong) AS violations,
           ARRAY(SELECT offender FROM wrong ORDER BY offender LIMIT {SHOWN}) AS offending, ({note}) AS note
    """  # noqa: S608  # put together from this package's constants

    async def look(program_id: int) -> Finding:
        async with reading() as connection:
            await connection.execute(WITHOUT_HASTE)  # the pool takes it back when the connection is released
            row = await connection.fetchrow(statement, program_id, timeout=LONGEST)
        assert row is not None
        return Finding(row["looked"], row["violations"], tuple(row["offending"]), row["note"] or "")

    return Check(name, sentence, look)
