"""What a row opens: points, and until when they are good."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from imports.rows import Refused
from imports.store import ImportKind
from imports.trial import try_mapping

NOW = datetime(2026, 11, 20, 11, tzinfo=UTC)


def opened(tmp_path: Path, cell: str, mapping: str = "") -> str | Refused:
    file = tmp_path / "balances.csv"
    file.write_text(f"partner,points,expires_on\nS1,5,{cell}\n")
    ((_, told),) = try_mapping(file, mapping, ImportKind.BALANCES, shown=1, now=NOW).shown
    return told


@pytest.mark.parametrize(
    ("cell", "dates"),
    [
        ("9999-12-31", ""),
        ("9999-01-01", ""),
        ("9999-12-31 23:59:59", 'time_zone = "America/New_York"'),
        ("9999-12-31T23:59:59-05:00", ""),
        ("31.12.9999", 'format = "%d.%m.%Y"\ntime_zone = "Pacific/Honolulu"'),
        ("99991231", 'format = "%Y%m%d"'),
    ],
)
def test_the_year_9999_is_an_erps_way_to_say_never(tmp_path: Path, cell: str, dates: str) -> None:
    assert opened(tmp_path, cell, f"[dates]\n{dates}\n") == "balance import/S1: 5 POINT of S1, for ever"


def test_other_days_are_days(tmp_path: Path) -> None:
    assert opened(tmp_path, "2099-12-31") == "balance import/S1: 5 POINT of S1, to the end of 2099-12-31"
    refused = opened(tmp_path, "9999-13-31")
    assert isinstance(refused, Refused)
    assert (refused.code, refused.column) == ("INVALID_DATE", "expires_on")


@pytest.mark.parametrize(
    ("row", "code", "column", "message"),
    [
        ("S1,-5,,", "INVALID_AMOUNT", "points", "must be above 0"),
        ("S1,0,,", "INVALID_AMOUNT", "points", "must be above 0"),
        ("S1,5,9000-01-01,", "INVALID_DATE", "expires_on", "it lies after 8999"),
        ("S1,5,2026-11-18,", "EXPIRED_BALANCE", "expires_on", "it expired with 2026-11-18"),
        ("S1,5,,2026-11-22", "FUTURE_DATE", "granted_on", "it lies in the future"),
        ("S1,5,,1899-01-01", "INVALID_DATE", "granted_on", ""),
        (f"{'S' * 300},5,,", "INVALID_TEXT", "partner", "it must have 1 to 200 characters"),
    ],
)
def test_what_the_ledger_refuses_is_seen_without_a_server(
    tmp_path: Path, row: str, code: str, column: str, message: str
) -> None:
    file = tmp_path / "balances.csv"
    file.write_text(f"partner,points,expires_on,granted_on\n{row}\n")
    ((_, told),) = try_mapping(file, "", ImportKind.BALANCES, shown=1, now=NOW).shown
    assert isinstance(told, Refused)
    assert (told.code, told.column) == (code, column)
    assert told.message.startswith(message)


def test_a_day_that_is_over_somewhere_only_is_left_to_the_partners_calendar(tmp_path: Path) -> None:
    """At 11:00 UTC it is the 19th in the west and the 21st in the east."""
    file = tmp_path / "balances.csv"
    file.write_text("partner,points,expires_on,granted_on\nS1,5,2026-11-19,\nS2,5,,2026-11-21\n")
    assert not try_mapping(file, "", ImportKind.BALANCES, shown=2, now=NOW).reasons
