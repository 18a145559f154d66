"""What is counted and timed, for Prometheus: one registry for each process, and how its instruments are made.

Each room names its own instruments, at the top of a module. Labels come from sets that are known beforehand: never a
program's, partner's or person's name or id, never a text that a client chose.
"""

from collections.abc import Iterable
from time import perf_counter
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The bounds that durations are counted by."""

disable_created_metrics()  # type: ignore[no-untyped-call]

registry: Final = CollectorRegistry()
ProcessCollector(registry=registry)


def counter(name: str, tells: str, **labels: Iterable[str]) -> Counter:
    """A number that only grows. A label's values stand at 0 from the start, so that their first rise is seen."""
    made = Counter(name, tells, tuple(labels), registry=registry)
    if len(labels) == 1:
        for value in next(iter(labels.values())):
            made.labels(value)
    return made


def gauge(name: str, tells: str, *labels: str) -> Gauge:
    """A number that rises and falls."""
    return Gauge(name, tells, labels, registry=registry)


def histogram(name: str, tells: str, *labels: str, bounds: Iterable[float] = SECONDS) -> Histogram:
    """How often something took so long, or was so large."""
    return Histogram(name, tells, labels, registry=registry, buckets=tuple(bounds))


class Stopwatch:
    """Splits the time of a piece of work into stages; `spent` holds their seconds. One that comes again adds up."""

    __slots__ = ("_at", "spent")

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin, or begin anew."""
        self.spent: dict[str, float] = {}
        self._at = perf_counter()

    def split(self, stage: str) -> None:
        """What passed since the last split was this stage."""
        now = perf_counter()
        self.spent[stage] = self.spent.get(stage, 0.0) + now - self._at
        self._at = now
