"""That docs/reference/metrics.md lists what is told, and that pages and alerts name only what there is."""

import re
from pathlib import Path
from typing import Final

import pytest

from base.telemetry import registry
from ops.watch.readings import READINGS, UP
from ops.watch.reference import MARK, metrics_table

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "metrics.md"
PRIVATE: Final = {
    "program",
    "program_id",
    "partner",
    "partner_id",
    "person",
    "path",
    "request_id",
    "role",
    "subject",
}


def known() -> set[str]:
    told = set(re.findall(r"^\| `(\w+)` \|", metrics_table(), re.MULTILINE))
    return told | {f"{name}_{part}" for name in told for part in ("bucket", "count", "sum")}


def test_the_reference_lists_what_is_told() -> None:
    written = PAGE.read_text().split(MARK, 1)[1].split("<!-- /metrics -->", 1)[0]
    assert written == metrics_table(), "run `python -m ops.watch.reference`"


def test_every_metric_of_ours_says_whose_it_is() -> None:
    names = {name for name in known() if not name.startswith("process_")}
    assert all(name.startswith("mitra_") for name in names)


def test_no_label_is_anybodys() -> None:
    labels = {label for one in READINGS for label in one.labels}
    for collector in registry._collector_to_names:
        labels |= set(getattr(collector, "_labelnames", ()))
    assert labels
    assert not labels & PRIVATE


@pytest.mark.parametrize("page", [PAGE, ROOT / "docs" / "how-to" / "watch.md"], ids=lambda page: page.name)
def test_pages_name_metrics_that_there_are(page: Path) -> None:
    named = set(re.findall(r"\b(mitra_[a-z_]+[a-z])\b", page.read_text()))
    assert named <= known()
    assert UP[0] in known()
