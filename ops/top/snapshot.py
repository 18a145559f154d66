"""What the metrics pages of an installation said at one instant, and what passed between two of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

Labels: TypeAlias = tuple[tuple[str, str], ...]
Series: TypeAlias = tuple[str, str, Labels]
"""The page, the name, and the labels in order."""

PROCESS: Final = "process"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The values of all series at `at`, seconds of a clock that only runs forwards."""

    at: float
    values: Mapping[Series, float]
    by_name: Mapping[str, Sequence[Series]] = field(default_factory=dict)

    @classmethod
    def of(cls, at: float, pages: Mapping[str, str]) -> "Snapshot":
        """Of the text of each page, by its address."""
        values = {
            (url, sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for url, text in pages.items()
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        by_name: dict[str, list[Series]] = {}
        for series in values:
            by_name.setdefault(series[1], []).append(series)
        return cls(at, values, by_name)

    def find(self, name: str, **wanted: str) -> Iterator[tuple[Series, float]]:
        """The series of this name that have these labels."""
        for series in self.by_name.get(name, ()):
            if wanted.items() <= set(series[2]):
                yield series, self.values[series]

    def total(self, name: str, **wanted: str) -> float:
        """What all processes say, added up."""
        return sum(value for _, value in self.find(name, **wanted))

    def most(self, name: str, **wanted: str) -> float | None:
        """The greatest that any page says: of what each of them reads from the same database."""
        return max((value for _, value in self.find(name, **wanted)), default=None)

    def values_of(self, name: str, label: str) -> list[str]:
        """What a label of this name is."""
        return sorted({dict(series[2])[label] for series, _ in self.find(name) if label in dict(series[2])})

    def processes(self) -> set[tuple[str, str]]:
        """(page, process) of all that say something."""
        return {(series[0], dict(series[2]).get(PROCESS, "")) for series in self.values}


@dataclass(frozen=True, slots=True)
class Passage:
    """What passed between two snapshots."""

    before: Snapshot
    now: Snapshot
    known: frozenset[tuple[str, str]]
    """The processes that were there before: what another one has counted, it did not count in this time."""

    @classmethod
    def between(cls, before: Snapshot, now: Snapshot) -> "Passage":
        return cls(before, now, frozenset(before.processes()))

    @property
    def seconds(self) -> float:
        return max(self.now.at - self.before.at, 1e-9)

    def rose(self, name: str, **wanted: str) -> float:
        """How much a counter rose in all processes. One that began anew counts from 0."""
        return sum(self._rise(series, value) for series, value in self.now.find(name, **wanted))

    def rate(self, name: str, **wanted: str) -> float:
        """That, for each second."""
        return self.rose(name, **wanted) / self.seconds

    def quantiles(self, name: str, *shares: float, **wanted: str) -> list[float | None]:
        """The values that these shares of a histogram's observations do not exceed; None without observations."""
        buckets: dict[float, float] = {}
        for series, value in self.now.find(f"{name}_bucket", **wanted):
            bound = float(dict(series[2])["le"])
            buckets[bound] = buckets.get(bound, 0.0) + self._rise(series, value)
        return [quantile(sorted(buckets.items()), share) for share in shares]

    def _rise(self, series: Series, value: float) -> float:
        if (series[0], dict(series[2]).get(PROCESS, "")) not in self.known:
            return 0.0
        before = self.before.values.get(series, 0.0)
        return value - before if value >= before else value


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """From cumulative buckets (bound, count), evenly spread within each; in the last one its lower bound."""
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    wanted = share * total
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted and count > below:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return lower
