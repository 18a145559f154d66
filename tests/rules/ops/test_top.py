"""What `mitra top` makes of metrics pages: rates, quantiles, and a screen that fits."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from ops.top.frame import Frame, RunningImport, make_frame
from ops.top.screen import age, draw, duration, rate
from ops.top.snapshot import Passage, Snapshot, quantile

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
A, B = "http://a:1/metrics", "http://b:1/metrics"


def counted(process: str, value: float) -> str:
    return f'mitra_activities_total{{outcome="recorded",process="{process}"}} {value}\n'


def passage(before: dict[str, str], now: dict[str, str], seconds: float = 10.0) -> Passage:
    return Passage.between(Snapshot.of(100.0, before), Snapshot.of(100.0 + seconds, now))


def test_what_processes_count_adds_up() -> None:
    passed = passage(
        {A: counted("api-1", 10) + counted("api-2", 5), B: counted("main", 0)},
        {A: counted("api-1", 40) + counted("api-2", 15), B: counted("main", 60)},
    )
    assert passed.rate("mitra_activities_total", outcome="recorded") == 10.0
    assert passed.rate("mitra_activities_total", outcome="rejected") == 0.0


def test_a_process_that_began_anew_counts_from_nothing() -> None:
    assert (
        passage({A: counted("main", 1000)}, {A: counted("main", 30)}).rose("mitra_activities_total") == 30.0
    )


def test_what_another_process_had_counted_before_it_was_seen_did_not_happen_now() -> None:
    passed = passage({A: counted("api-1", 10)}, {A: counted("api-1", 10) + counted("api-2", 9_000)})
    assert passed.rose("mitra_activities_total") == 0.0


def test_a_series_that_a_known_process_begins_counts_from_nothing() -> None:
    said = 'mitra_requests_total{code="OK",operation="query viewer",process="main"} 3\n'
    assert (
        passage({A: counted("main", 1)}, {A: counted("main", 1) + said}).rose("mitra_requests_total") == 3.0
    )


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ([], 0.5, None),
        ([(0.1, 0.0), (float("inf"), 0.0)], 0.5, None),
        ([(0.1, 10.0), (float("inf"), 10.0)], 0.5, 0.05),
        ([(0.1, 0.0), (0.2, 10.0), (float("inf"), 10.0)], 0.5, 0.15),
        ([(0.1, 5.0), (0.2, 10.0), (float("inf"), 10.0)], 0.99, 0.198),
        ([(0.1, 5.0), (0.2, 5.0), (float("inf"), 10.0)], 0.99, 0.2),
    ],
)
def test_quantiles_of_buckets(buckets: list[tuple[float, float]], share: float, value: float | None) -> None:
    found = quantile(buckets, share)
    assert found == (value if value is None else pytest.approx(value))


def busy() -> Frame:
    """A frame in which everything is shown."""
    labels = 'operation="mutation activityRecord",process="main"'

    def page(times: int) -> str:
        return (
            counted("main", 100 * times)
            + f'mitra_batch_seconds_bucket{{le="0.01",process="main",stage="total"}} {times}\n'
            + f'mitra_batch_seconds_bucket{{le="+Inf",process="main",stage="total"}} {times}\n'
            + f'mitra_batch_seconds_count{{process="main",stage="total"}} {times}\n'
            + f'mitra_requests_total{{code="OK",{labels}}} {times}\n'
            + f'mitra_requests_total{{code="UNKNOWN_PARTNER",{labels}}} {times}\n'
            + f"mitra_request_seconds_count{{{labels}}} {2 * times}\n"
            + f"mitra_request_seconds_sum{{{labels}}} {times}\n"
            + f'mitra_request_seconds_bucket{{le="+Inf",{labels}}} {2 * times}\n'
            + 'process_resident_memory_bytes{process="main"} 104857600\n'
            + f'process_cpu_seconds_total{{process="main"}} {times / 10}\n'
            + 'mitra_scheduler_leader{process="main"} 1\n'
            + 'mitra_database_connections{process="main",state="used"} 3\n'
            + 'mitra_database_connections_most{process="main"} 10\n'
            + "mitra_database_up 1\n"
            + 'mitra_relay_lag_seconds{consumer="boards"} 75\n'
            + 'mitra_relay_rows_behind{consumer="boards"} 12000\n'
            + 'mitra_relay_rows_parked{consumer="boards"} 2\n'
            + f'mitra_relay_rows_total{{consumer="boards",process="main"}} {times}\n'
            + "mitra_outbox_rows 100000\nmitra_board_staleness_seconds 75\n"
            + "mitra_deliveries_queued 4\nmitra_delivery_overdue_seconds 3700\n"
            + 'mitra_jobs_queued{entrypoint="import"} 3\nmitra_jobs_running{entrypoint="import"} 1\n'
            + 'mitra_job_overdue_seconds{entrypoint="import"} 12\n'
            + 'mitra_imports{state="RUNNING"} 1\n'
        )

    running = RunningImport(
        "harbour-foods",
        1_234,
        "a-file-with-quite-a-long-name.csv.gz",
        "SALES",
        "RUNNING",
        0.5,
        500_000,
        3,
        9_000,
        0.2,
    )
    return make_frame(passage({A: page(10)}, {A: page(20)}), [running])


def test_a_frame_tells_everything() -> None:
    frame = busy()
    assert frame.activities["recorded"] == 100.0
    assert (frame.requests.rate, frame.requests.errors) == (2.0, 1.0)
    assert frame.operations[0].name == "mutation activityRecord"
    assert frame.codes == [("UNKNOWN_PARTNER", 1.0)]
    (boards,) = frame.consumers
    assert (boards.waiting, boards.seconds, boards.rate, boards.set_aside) == (12_000, 75, 1.0, 2)
    (main,) = frame.processes
    assert (main.is_leader, main.connections, main.connections_most) == (True, 3, 10)
    assert main.cpu == pytest.approx(0.1)
    assert frame.jobs[0].set_aside == 1
    assert frame.stages[-1].p50 == pytest.approx(0.005)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_screen_fits(width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    console.print(draw(busy(), now=NOW, width=width))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, told.splitlines())) <= width
    assert len(told.splitlines()) <= 32
    for words in (
        "100 activities/s",
        "to boards",
        "2 parked",
        "1 min 15 s",
        "1 h 01 min",
        "UNKNOWN_PARTNER",
        "50%",
    ):
        assert words in told, words
    assert "schedule" in told


@pytest.mark.parametrize("width", [40, 80])
def test_the_first_line_is_broken_between_figures_only(width: int) -> None:
    full = replace(
        busy(),
        activities=dict.fromkeys(("recorded", "duplicate", "rejected"), 12_345.0),
        lines=61_725,
        retries=9_999,
    )
    console = Console(file=io.StringIO(), width=width)
    console.print(draw(full, now=NOW, width=width))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    told = [figure for line in lines for figure in line.strip().split("   ") if figure.endswith("/s")]
    for figure in (
        "12,345 activities/s",
        "61,725 lines/s",
        "12,345 duplicates/s",
        "12,345 rejected/s",
        "9,999 begun anew/s",
    ):
        assert figure in told


@pytest.mark.parametrize("width", [80, 120])
def test_imports_of_the_same_file_are_told_apart(width: int) -> None:
    one = replace(busy().imports[0], kind="PARTNERS", state="UPLOADING")
    other = replace(one, program="toko", id=7, state="RUNNING")
    frame = replace(busy(), imports=[one, other])
    console = Console(file=io.StringIO(), width=width)
    console.print(draw(frame, now=NOW, width=width))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("1234 partners, uploading", "7 partners", "harbour-foods: a-file", "toko: a-file"):
        assert words in told, words


def test_without_a_frame_it_says_why() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(draw(None, now=NOW, width=80, problem="the database does not answer"))
    assert "the database does not answer" in console.file.getvalue()  # type: ignore[attr-defined]


def test_how_numbers_are_told() -> None:
    assert [str(rate(one)) for one in (0.0, 0.01, 0.5, 99.4, 1234.6)] == ["0", "<0.1", "0.5", "99.4", "1,235"]
    assert [duration(one) for one in (None, 0.0004, 0.0999, 0.25, 12.0)] == [
        "–",
        "0.4 ms",
        "99.9 ms",
        "250 ms",
        "12,000 ms",
    ]
    assert [str(age(one)) for one in (None, 0.2, 59.0, 61.0, 7_300.0)] == [
        "–",
        "0.2 s",
        "59.0 s",
        "1 min 01 s",
        "2 h 01 min",
    ]
