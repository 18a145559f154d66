"""The table of docs/reference/metrics.md: `python -m ops.watch.reference` writes it anew; a test compares the two."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from base.telemetry import registry
from ops.watch.readings import READINGS, UP

# Whoever has instruments of his own comes with one of these.
for _module in ("api.app", "base.pools", "game.pipeline", "ops.scheduler", "ops.worker"):
    import_module(_module)

MARK: Final = "a test compares the two -->\n"
END: Final = "<!-- /metrics"


def metrics_table() -> str:
    """A row for each metric: its name, kind, labels and what it tells. Those of a process first."""
    rows = ["| metric | kind | labels | tells |", "| --- | --- | --- | --- |"]
    rows += [f"| `{name}` | {kind} | {labels} | {tells} |" for name, kind, labels, tells in sorted(_ours())]
    rows += [
        f"| `{name}` | {kind} | {labels} | {tells} |" for name, kind, labels, tells in _of_the_database()
    ]
    return "\n".join(rows) + "\n"


def _ours() -> Iterator[tuple[str, str, str, str]]:
    for collector in list(registry._collector_to_names):
        labels = ("process", *getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield name, family.type, _listed(*labels), family.documentation


def _of_the_database() -> Iterator[tuple[str, str, str, str]]:
    yield UP[0], "gauge", "", UP[1]
    for one in READINGS:
        for name, tells in one.gauges:
            yield name, "gauge", _listed(*one.labels), tells


def _listed(*labels: str) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def write(page: Path) -> None:
    """Write the table of the page anew."""
    head, rest = page.read_text().split(MARK)
    page.write_text(head + MARK + metrics_table() + rest[rest.index(END) :])


if __name__ == "__main__":
    write(Path("docs/reference/metrics.md"))
