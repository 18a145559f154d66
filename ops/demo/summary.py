"""What the load came to: a table that accounts for every row that was read."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from base.database import reading
from ops.demo.catalog import BRAND, PROGRAM
from ops.demo.progress import Progress
from ops.demo.source import SOURCE, Reading
from ops.errors import OperatorError

# Everything that the load wrote, counted from what stands in the database.
COUNTS: Final = """
SELECT (SELECT count(*) FROM activity WHERE program_id = $1 AND source = $2) AS activities,
       (SELECT count(*) FROM activity_line l JOIN activity a ON a.program_id = l.program_id AND a.id = l.activity_id
        WHERE a.program_id = $1 AND a.source = $2) AS lines,
       (SELECT count(*) FROM partner WHERE program_id = $1) AS partners,
       (SELECT count(*) FROM partner WHERE program_id = $1 AND activities > 0) AS active,
       (SELECT coalesce(sum(available + pending + held), 0)::bigint FROM wallet
        WHERE program_id = $1 AND unit = 'POINT') AS points,
       (SELECT count(*) FROM mission_completion WHERE program_id = $1 AND revoked_at IS NULL) AS completions,
       (SELECT count(*) FROM badge_award WHERE program_id = $1 AND revoked_at IS NULL) AS badges,
       (SELECT count(*) FROM season WHERE program_id = $1 AND state = 'CLOSED') AS closed_seasons
"""
TIERS: Final = """
SELECT t.name, count(p.id) AS partners
FROM tier t
LEFT JOIN (SELECT p.id, coalesce(s.level, 0) AS level FROM partner p
           LEFT JOIN tier_standing s ON s.program_id = p.program_id AND s.partner_id = p.id
           WHERE p.program_id = $1) p ON p.level = t.level
WHERE t.program_id = $1 GROUP BY t.name, t.level ORDER BY t.level DESC
"""


async def print_loaded(console: Console, program_id: int) -> None:
    """One line where there is nothing to do."""
    counts, _ = await _count(program_id)
    console.print(
        f"The demo is loaded: {BRAND} ({PROGRAM}), {counts['partners']:,} partners, "
        f"{counts['activities']:,} baskets, {counts['points']:,} points."
    )


async def print_summary(
    console: Console, program_id: int, data: Reading, progress: Progress, *, sent: int, seconds: float
) -> None:
    """The closing table. Raises where it does not add up to the rows read."""
    counts, tiers = await _count(program_id)
    rows = account(data, progress, lines=counts["lines"])
    table = Table("", title=f"{BRAND}: the rows read, and what became of them", show_edge=False)
    table.add_column("rows", justify="right")
    for name, count in rows:
        table.add_row(name, f"{count:,}")
    table.add_section()
    table.add_row("read", f"{data.rows:,}", style="bold")
    console.print(table)
    console.print()
    console.print(_result(counts, tiers, sent=sent, seconds=seconds))
    if sum(count for _, count in rows) != data.rows:
        raise OperatorError(f"The rows of the demo do not add up to the {data.rows:,} that were read")


def account(data: Reading, progress: Progress, *, lines: int) -> list[tuple[str, int]]:
    """Where the rows went, by what became of them."""
    refused = dict(data.refused)
    for code, count in progress.refused.items():
        refused[code] = refused.get(code, 0) + count
    return [
        ("lines recorded", lines),
        *((f"refused: {code}", count) for code, count in sorted(refused.items())),
        *((f"left out: {reason}", count) for reason, count in sorted(data.left_out.items())),
    ]


def _result(counts: Mapping[str, Any], tiers: list[tuple[str, int]], *, sent: int, seconds: float) -> Table:
    table = Table(title="What came of them", show_header=False, show_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("activities", f"{counts['activities']:,}")
    table.add_row("partners, of which with sales", f"{counts['partners']:,}, {counts['active']:,}")
    table.add_row("points", f"{counts['points']:,}")
    table.add_row("mission completions", f"{counts['completions']:,}")
    table.add_row("badge levels", f"{counts['badges']:,}")
    table.add_row("tiers", ", ".join(f"{name} {partners:,}" for name, partners in tiers))
    table.add_row("closed seasons", f"{counts['closed_seasons']:,}")
    table.add_row("seconds", f"{seconds:.1f}")
    table.add_row("activities a second", f"{sent / seconds:,.0f}")
    return table


async def _count(program_id: int) -> tuple[Mapping[str, Any], list[tuple[str, int]]]:
    async with reading() as connection:
        counts = await connection.fetchrow(COUNTS, program_id, SOURCE)
        tiers = await connection.fetch(TIERS, program_id)
    assert counts is not None
    return counts, [(row["name"], row["partners"]) for row in tiers]
