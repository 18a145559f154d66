"""One metrics page of several."""

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ops.watch.page import merge


def page(name: str, **values: float) -> str:
    registry = CollectorRegistry()
    counter = Counter(name, "Tells # HELP nothing.", ["process"], registry=registry)
    for process, value in values.items():
        counter.labels(process).inc(value)
    return generate_latest(registry).decode()


def test_series_of_one_family_stand_under_one_heading() -> None:
    merged = merge(
        [page("mitra_a_total", main=1), page("mitra_b_total", main=2), page("mitra_a_total", other=3)]
    )
    assert merged.count("# TYPE mitra_a_total") == 1
    found = {
        (sample.name, sample.labels["process"]): sample.value
        for family in text_string_to_metric_families(merged)
        for sample in family.samples
    }
    assert found == {
        ("mitra_a_total", "main"): 1,
        ("mitra_b_total", "main"): 2,
        ("mitra_a_total", "other"): 3,
    }


def test_a_page_of_nothing_is_empty() -> None:
    assert merge([]) == ""
    assert merge(["", ""]) == ""
