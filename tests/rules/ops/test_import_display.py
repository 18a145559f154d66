"""How imports look: what a state means, tables that fit, counts that agree with their nouns, and hints."""

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from imports.listing import STILL, ShownImport, Standing
from imports.store import Import, ImportKind, ImportState
from ops.import_display import Tally, draw_account, draw_list
from ops.import_hints import draw_trial, draw_warning, is_all_refused
from ops.terminal import NARROW, WIDE, open_console

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


def imported(
    *,
    state: ImportState = ImportState.DONE,
    read: int = 0,
    recorded: int = 0,
    duplicates: int = 0,
    reasons: Mapping[str, int] | None = None,
) -> Import:
    return Import(
        program_id=1,
        id=12_345,
        kind=ImportKind.PARTNERS,
        state=state,
        file_name="a-file-with-quite-a-long-name-of-a-shop-and-a-day-2026-11-20.csv.gz",
        file_digest=None,
        file_size=1_000,
        mapping="",
        history=False,
        created_by="command/somebody",
        created_at=NOW - timedelta(hours=2),
        started_at=NOW - timedelta(hours=2),
        finished_at=None,
        moved_at=NOW,
        header=(),
        position=1,
        bytes_read=400,
        read=read,
        recorded=recorded,
        duplicates=duplicates,
        duplicates_in=duplicates,
        refused=sum((reasons or {}).values()),
        activities=recorded,
        reasons=reasons or {},
        posted_through=None,
        error=None,
    )


def drawn(what: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return console.file.getvalue().rstrip().splitlines()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("state", "still", "is_uploaded", "error", "standing"),
    [
        (ImportState.RUNNING, timedelta(0), False, None, Standing.RUNNING),
        (ImportState.RUNNING, STILL, False, None, Standing.STOPPED),
        (ImportState.RUNNING, STILL, True, None, Standing.WAITING),
        (ImportState.QUEUED, STILL, True, None, Standing.QUEUED),
        (ImportState.UPLOADING, STILL, True, None, Standing.UPLOADING),
        (ImportState.DONE, STILL, False, None, Standing.DONE),
        (ImportState.FAILED, STILL, False, "BROKEN_FILE: it ends", Standing.FAILED),
        (ImportState.FAILED, timedelta(0), False, "STOPPED: by hand", Standing.STOPPED),
    ],
)
def test_what_has_not_moved_for_a_while_is_not_said_to_run(
    state: ImportState, still: timedelta, is_uploaded: bool, error: str | None, standing: Standing
) -> None:
    one = replace(imported(state=state), moved_at=NOW - still, error=error)
    assert ShownImport(one, 0, is_uploaded).standing(NOW) is standing


def test_what_never_moved_counts_from_its_start() -> None:
    one = replace(imported(state=ImportState.RUNNING), moved_at=None, started_at=NOW)
    assert ShownImport(one, 0, False).standing(NOW) is Standing.RUNNING


@pytest.mark.parametrize("width", [80, NARROW, 160, WIDE])
def test_the_list_has_one_line_for_each_import(width: int) -> None:
    one = imported(state=ImportState.RUNNING, read=12_345_678, recorded=11_345_678)
    lines = drawn(draw_list([ShownImport(one, 0, False)] * 3, now=NOW, width=width), width)
    assert len(lines) == 2 + 1 + 3
    assert max(map(len, lines)) <= width
    assert all("RUNNING, 40 %" in line and "12,345,678" in line for line in lines[3:])
    assert all(("PARTNERS" in line) == (width >= NARROW) for line in lines[3:])


def test_a_pipe_is_as_wide_as_columns_says_and_has_no_width_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    for columns, width in ("72", 72), ("0", WIDE), ("wide", WIDE), ("", WIDE):
        monkeypatch.setenv("COLUMNS", columns)
        assert open_console().width == width
    monkeypatch.delenv("COLUMNS")
    assert open_console().width == WIDE


def test_counts_agree_with_their_nouns() -> None:
    one = imported(read=2, recorded=1, duplicates=1)
    assert str(Tally(one)) == "2 rows: 1 recorded, 1 duplicate, 0 refused"
    assert "1 repeats a row of this file" in "\n".join(drawn(draw_account(one, {}), 80))
    assert str(Tally(imported(read=1, recorded=1))) == "1 row: 1 recorded, 0 duplicates, 0 refused"


def test_a_file_of_which_nothing_was_taken_warns_and_hints() -> None:
    one = imported(read=7, reasons={"UNKNOWN_PARTNER": 4, "INVALID_DATE": 1, "NO_SKU": 1, "WRONG_COLUMNS": 1})
    assert is_all_refused(one)
    told = "\n".join(drawn(draw_warning(one.read, one.reasons, kind=ImportKind.SALES) or "", 200))
    assert "Warning: all 7 rows are refused." in told
    assert "UNKNOWN_PARTNER, 4 rows: import partners first" in told
    assert "INVALID_DATE, 1 row: look at `format`" in told
    assert "WRONG_COLUMNS" not in told, "three reasons are enough"


def test_a_warning_where_most_was_refused_and_none_where_little_was() -> None:
    most = imported(read=4, recorded=1, reasons={"INVALID_DATE": 3})
    assert not is_all_refused(most)
    assert "Warning: 3 of 4 rows are refused." in "\n".join(
        drawn(draw_warning(most.read, most.reasons, kind=ImportKind.SALES) or "", 80)
    )
    assert draw_warning(4, {"INVALID_DATE": 1}, kind=ImportKind.SALES) is None
    assert draw_warning(0, {}, kind=ImportKind.SALES) is None, "an empty file"
    assert not is_all_refused(imported())


def test_hints_name_what_a_kind_of_file_has() -> None:
    reasons = {"UNKNOWN_PARTNER": 2, "INVALID_DATE": 2, "INVALID_AMOUNT": 1}
    told = str(draw_warning(5, reasons, kind=ImportKind.BALANCES, is_mapped=False))
    assert "[partners]" not in told
    assert "[columns]" not in told
    assert "write days as 2026-12-31" in told
    mapped = str(draw_warning(5, reasons, kind=ImportKind.BALANCES))
    assert "`format` under [dates]" in mapped
    assert draw_trial(ImportKind.BALANCES, is_mapped=False).startswith(
        "`mitra import check FILE --kind balances`"
    )
