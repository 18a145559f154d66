"""What a row opens: points, and until when they are good."""

from pathlib import Path

import pytest

from imports.rows import Refused
from imports.store import ImportKind
from imports.trial import try_mapping


def opened(tmp_path: Path, cell: str, mapping: str = "") -> str | Refused:
    file = tmp_path / "balances.csv"
    file.write_text(f"partner,points,expires_on\nS1,5,{cell}\n")
    ((_, told),) = try_mapping(file, mapping, ImportKind.BALANCES, shown=1).shown
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
