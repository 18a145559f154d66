"""What the pipeline tells of itself: how much it takes in, and where the time of a batch goes.

The stages of a batch, in their order: `check` (begin, look the names up), `claim` (idempotency keys), `lock` (partner
rows), `load`, `fold` (decide in memory), `save`, `commit`; and `total`.
"""

from collections.abc import Iterable
from typing import Final

from base.telemetry import Stopwatch, counter, histogram

STAGES: Final = ("check", "claim", "lock", "load", "fold", "save", "commit", "total")

ACTIVITIES: Final = counter(
    "mitra_activities_total",
    "Activities by what became of them.",
    outcome=("recorded", "duplicate", "rejected"),
)
LINES: Final = counter("mitra_activity_lines_total", "Lines of the activities that were recorded.")
RETRIES: Final = counter(
    "mitra_batch_retries_total",
    "Batches begun anew: another one was in the way, or configuration had changed.",
)
BATCH_SECONDS: Final = histogram(
    "mitra_batch_seconds", "Time of a batch of activities in each stage, and in total.", "stage"
)

_observe: Final = {stage: BATCH_SECONDS.labels(stage).observe for stage in STAGES}


def tell_batch(watch: Stopwatch, outcomes: Iterable[tuple[str, int]], *, attempts: int) -> None:
    """Count a batch that was committed: for each activity the status of its outcome, and how many lines it has."""
    watch.split("commit")
    for stage, seconds in watch.spent.items():
        _observe[stage](seconds)
    _observe["total"](sum(watch.spent.values()))
    statuses: dict[str, int] = {}
    lines = 0
    for status, count in outcomes:
        statuses[status] = statuses.get(status, 0) + 1
        if status == "RECORDED":
            lines += count
    for status, times in statuses.items():
        ACTIVITIES.labels(status.lower()).inc(times)
    if lines:
        LINES.inc(lines)
    if attempts > 1:
        RETRIES.inc(attempts - 1)
