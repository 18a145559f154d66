"""A line of the report, and the report."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """Two figures of one run and their ratio, `measured` over `floor`. `target` says what the ratio should be."""

    name: str
    measured: float
    floor: float
    unit: str
    target: str
    remark: str


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the rows as a table, and under it what is to be said of each."""
    table = Table("row", "Mitra", "floor", "unit", "ratio", "target")
    for row in rows:
        table.add_row(
            row.name,
            _shown(row.measured),
            _shown(row.floor),
            row.unit,
            f"{row.measured / row.floor:.2f}",
            row.target,
        )
    console.print(table)
    for row in rows:
        console.print(f"{row.name}: {row.remark}", soft_wrap=True)


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
