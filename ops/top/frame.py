"""One frame: what the installation did in the last seconds, and how far behind its queues are. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.top.snapshot import PROCESS, Passage

OPERATIONS = 6
"""How many operations are shown: those that take the most time."""
STAGES = ("check", "claim", "lock", "load", "fold", "save", "commit", "total")


@dataclass(frozen=True, slots=True)
class Timing:
    """How often something was done in a second, and how long it took. Seconds; None where it was not done."""

    name: str
    rate: float
    p50: float | None
    p99: float | None
    errors: float = 0.0


@dataclass(frozen=True, slots=True)
class Queue:
    """How far behind one reader of a queue is."""

    name: str
    waiting: float | None
    seconds: float | None
    rate: float = 0.0
    set_aside: float = 0.0
    """Rows parked, or jobs running."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process. Bytes; `cpu` is the share of one core."""

    name: str
    cpu: float
    memory: float
    connections: float
    connections_most: float
    is_leader: bool


@dataclass(frozen=True, slots=True)
class RunningImport:
    """An import that is under way; `program` by its key."""

    program: str
    id: int
    file: str
    kind: str
    state: str
    share: float
    read: int
    refused: int
    rate: float
    unmoved_seconds: float


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown. Rates are for each second."""

    seconds: float
    is_database_up: bool | None
    activities: dict[str, float]
    lines: float
    retries: float
    stages: Sequence[Timing]
    requests: Timing
    operations: Sequence[Timing]
    codes: Sequence[tuple[str, float]]
    sockets: float
    subscriptions: float
    consumers: Sequence[Queue]
    outbox: float | None
    staleness: float | None
    deliveries: Queue
    jobs: Sequence[Queue]
    imports_running: float
    imports: Sequence[RunningImport]
    processes: Sequence[Process]


def make_frame(passage: Passage, imports: Sequence[RunningImport] = ()) -> Frame:
    """The frame of what passed."""
    now = passage.now
    up = now.most("mitra_database_up")
    return Frame(
        seconds=passage.seconds,
        is_database_up=None if up is None else up > 0,
        activities={
            outcome: passage.rate("mitra_activities_total", outcome=outcome)
            for outcome in ("recorded", "duplicate", "rejected")
        },
        lines=passage.rate("mitra_activity_lines_total"),
        retries=passage.rate("mitra_batch_retries_total"),
        stages=[_timing(passage, "mitra_batch_seconds", stage=stage) for stage in STAGES],
        requests=_requests(passage),
        operations=_operations(passage),
        codes=_codes(passage),
        sockets=now.total("mitra_sockets"),
        subscriptions=now.total("mitra_subscriptions"),
        consumers=_consumers(passage),
        outbox=now.most("mitra_outbox_rows"),
        staleness=now.most("mitra_board_staleness_seconds"),
        deliveries=Queue(
            "deliveries",
            now.most("mitra_deliveries_queued"),
            now.most("mitra_delivery_overdue_seconds"),
            passage.rate("mitra_deliveries_total"),
        ),
        jobs=_jobs(passage),
        imports_running=now.most("mitra_imports", state="RUNNING") or 0.0,
        imports=imports,
        processes=_processes(passage),
    )


def _timing(passage: Passage, name: str, **labels: str) -> Timing:
    p50, p99 = passage.quantiles(name, 0.5, 0.99, **labels)
    return Timing(" ".join(labels.values()), passage.rate(f"{name}_count", **labels), p50, p99)


def _operations(passage: Passage) -> list[Timing]:
    found = []
    for operation in passage.now.values_of("mitra_request_seconds_count", "operation"):
        timing = _timing(passage, "mitra_request_seconds", operation=operation)
        if timing.rate > 0:
            spent = passage.rate("mitra_request_seconds_sum", operation=operation)
            errors = timing.rate - passage.rate("mitra_requests_total", operation=operation, code="OK")
            whole = Timing(operation, timing.rate, timing.p50, timing.p99, max(errors, 0.0))
            found.append((spent, whole))
    found.sort(key=lambda one: -one[0])
    return [timing for _, timing in found[:OPERATIONS]]


def _requests(passage: Passage) -> Timing:
    rate = passage.rate("mitra_requests_total")
    p50, p99 = passage.quantiles("mitra_request_seconds", 0.5, 0.99)
    return Timing("requests", rate, p50, p99, rate - passage.rate("mitra_requests_total", code="OK"))


def _codes(passage: Passage) -> list[tuple[str, float]]:
    codes = passage.now.values_of("mitra_requests_total", "code")
    rates = [(code, passage.rate("mitra_requests_total", code=code)) for code in codes if code != "OK"]
    return sorted((one for one in rates if one[1] > 0), key=lambda one: -one[1])


def _consumers(passage: Passage) -> list[Queue]:
    now = passage.now
    return [
        Queue(
            name,
            now.most("mitra_relay_rows_behind", consumer=name),
            now.most("mitra_relay_lag_seconds", consumer=name),
            passage.rate("mitra_relay_rows_total", consumer=name),
            now.most("mitra_relay_rows_parked", consumer=name) or 0.0,
        )
        for name in now.values_of("mitra_relay_lag_seconds", "consumer")
    ]


def _jobs(passage: Passage) -> list[Queue]:
    now = passage.now
    return [
        Queue(
            name,
            now.most("mitra_jobs_queued", entrypoint=name),
            now.most("mitra_job_overdue_seconds", entrypoint=name),
            set_aside=now.most("mitra_jobs_running", entrypoint=name) or 0.0,
        )
        for name in now.values_of("mitra_jobs_queued", "entrypoint")
    ]


def _processes(passage: Passage) -> list[Process]:
    now = passage.now
    found = []
    for (url, _, labels), memory in now.find("process_resident_memory_bytes"):
        name = dict(labels).get(PROCESS, "")

        def own(metric: str, url: str = url, name: str = name, **labels: str) -> float:
            return sum(
                value for series, value in now.find(metric, process=name, **labels) if series[0] == url
            )

        cpu = sum(
            passage._rise(series, value)
            for series, value in now.find("process_cpu_seconds_total", process=name)
            if series[0] == url
        )
        found.append(
            Process(
                name=f"{name} {url.split('//')[-1].removesuffix('/metrics')}",
                cpu=cpu / passage.seconds,
                memory=memory,
                connections=own("mitra_database_connections", state="used"),
                connections_most=own("mitra_database_connections_most"),
                is_leader=own("mitra_scheduler_leader") > 0,
            )
        )
    return sorted(found, key=lambda one: one.name)
