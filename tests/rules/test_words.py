"""Every step of a because has words in every language, with its numbers in them."""

from types import ModuleType
from typing import Any

import pytest

from loyalty.because import STEPS
from loyalty.words import LANGUAGES, Reader, choose_language, english_rules, explain, indonesian_rules

WITHHELD: list[dict[str, Any]] = [
    {"why": "cap", "per": "DAY", "limit": 500, "used": 500},
    {"why": "cap", "per": "MONTH", "limit": 600, "used": 700, "unit": "USD"},
    {"why": "budget", "limit": 10000},
    {"why": "nth", "number": 5, "repeats": True, "per": "PARTNER", "place": 3},
    {"why": "nth", "number": 1, "repeats": False, "per": "MONTH", "place": 2},
    {"why": "group", "group": "welcome", "winner": "other", "points": 5},
    {"why": "audience", "condition": "region"},
    {"why": "kind", "kind": "VISIT"},
    {"why": "later", "on": "2026-11-21"},
    {"why": "later", "on": "2026-11-21", "begins": "10:05", "at": "09:59:30"},
    {"why": "not_begun", "on": "2026-11-21"},
    {"why": "not_begun", "on": "2026-11-21", "begins": "10:00", "at": "09:00"},
    {"why": "never_began", "on": "2026-11-21"},
    {"why": "over", "on": "2026-10-31"},
    {"why": "over", "on": "2026-10-31", "ends": "10:00", "at": "10:00"},
    {"why": "lines"},
    {"why": "basket", "worth": "40", "least": "100"},
    {"why": "basket", "worth": "4000", "most": "1000"},
    {"why": "weekday", "weekdays": [1, 5], "weekday": 7},
    {"why": "weekday", "weekdays": [1, 5], "weekday": 6, "night": True},
    {"why": "hours", "opens": "16:00", "closes": "18:00", "at": "15:20"},
    {"why": "step", "counted": "7000", "size": "10000"},
    {"why": "band", "counted": "3"},
    {"why": "rounding", "exact": "0.35"},
]
"""What activities are told of rules that paid nothing."""

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "activity": [{"kind": "SALE", "source": "pos", "externalId": "A-1"}],
    "rule": [
        {"rule": "base", "version": 2, "basis": basis, "rate": "0.5", "counted": "1234.50"}
        for basis in ("ACTIVITY", "QUANTITY", "AMOUNT")
    ]
    + [{"rule": "base", "version": 2, "basis": "AMOUNT", "rate": "1", "counted": "35000", "size": "10000"}],
    "band": [{"least": "50", "rate": "3"}],
    "full_steps": [{"size": "10000", "times": "3"}],
    "boost": [{"segment": "vip", "multiplier": "1.5"}],
    "multiplier": [{"tier": "gold", "multiplier": "1.5"}],
    "points": [
        {"exact": "925.875", "points": 925, "unit": "POINT"},
        {"exact": "1", "points": 1, "unit": "POINT"},
        {"exact": "7", "points": 7, "unit": "USD"},
    ],
    "lot": [
        {"maturesOn": "2026-12-01", "expiresOn": "2027-11-30", "sliding": False},
        {"maturesOn": None, "expiresOn": "2027-11-30", "sliding": True},
        {"maturesOn": "2026-12-01", "expiresOn": None, "sliding": False},
    ],
    "renewed": [{"until": "2027-02-20"}],
    "matured": [{"points": 120, "unit": "POINT", "lots": 2}],
    "expired": [{"points": 1, "unit": "POINT", "lots": 1}],
    "hold": [{"purpose": "a kettle", "points": 500, "unit": "POINT", "actor": "shop"}],
    "captured": [{"purpose": "a kettle", "asked": None, "points": 500, "unit": "POINT"}],
    "released": [{"points": 1, "unit": "POINT"}],
    "repaid": [{"points": 5}, {"points": 5, "unit": "IDR"}],
    "cap": [
        {"per": "DAY", "limit": 500, "used": 450, "points": 50, "unit": "POINT"},
        {"per": "ACTIVITY", "limit": 100, "used": 0, "points": 100, "unit": "POINT"},
    ],
    "budget": [{"limit": 10000, "used": 9960, "points": 40, "unit": "POINT"}],
    "withheld": [{"rule": "base", "version": 2, **one} for one in WITHHELD],
    "outside": [{"rules": [["base", 2, "region"], ["push", 1, "tier"]]}],
    "return": [{"kind": "RETURN", "source": "pos", "externalId": "R-1", "of": "A-1"}],
    "reversal": [
        {"granted": 100, "recalled": 0, "share": "0.3333", "points": 33, "rounded": True},
        {"granted": 100, "recalled": 33, "share": "1", "points": 67, "rule": "base", "owed": 60},
    ],
    "owed": [{"points": 12}],
    "waived": [
        {"points": 12, "returns": "WITHIN_BALANCE"},
        {"points": 12, "returns": "ONLY_PENDING"},
    ],
    "objective": [{"mission": "autumn", "objective": "sales", "current": "12.000", "target": "10"}],
    "mission": [
        {"mission": "autumn", "window": "once", "n": 1},
        {"mission": "autumn", "window": "2026-11", "n": 2},
    ],
    "mission_revoked": [{"mission": "autumn", "window": "once", "n": 1}],
    "no_room": [{"mission": "autumn", "points": 500}],
    "reward": [{"points": 500, "unit": "POINT"}],
    "badge": [{"badge": "star", "level": 1}, {"badge": "star", "level": 2, "value": "20", "threshold": "15"}],
    "tier": [
        {"from": "silver", "to": "gold", "value": "1200", "threshold": "1000"},
        {"from": None, "to": None, "value": None, "threshold": None},
    ],
    "approval": [{"askedBy": "finance", "approvedBy": "the head of sales"}],
    "adjustment": [{"reason": "goodwill", "actor": "finance"}],
    "opening": [
        {"points": 1200, "unit": "POINT", "grantedOn": "2025-03-01", "expiresOn": "2026-12-31"},
        {"points": 1, "unit": "POINT", "grantedOn": None, "expiresOn": None},
    ],
    "tier_review": [{"startsOn": "2026-01-01", "through": "2026-03-31", "value": "560"}],
    "tier_override": [
        {"tier": "gold", "until": "2026-05-20T00:00:00+00:00", "reason": "goodwill", "actor": "ann"},
        {"tier": None, "until": None, "reason": "a mistake", "actor": "ann"},
    ],
    "override_ended": [{"tier": "gold"}],
    "counted_too_late": [{"mission": "autumn"}, {"through": "2026-03-31"}],
    "review": [{}],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_has_words(language: str) -> None:
    assert set(SAMPLES) == set(STEPS) == set(LANGUAGES[language])
    for step, carried in SAMPLES.items():
        reasons = explain([{"step": step, "on": None, **sample} for sample in carried], Reader(language))
        assert [reason.code for reason in reasons] == [step] * len(carried)
        assert all(reason.step and reason.detail and "None" not in reason.detail for reason in reasons)


@pytest.mark.parametrize("rules", [english_rules, indonesian_rules])
def test_every_reason_has_words(rules: ModuleType) -> None:
    assert set(rules.WHY) == {one["why"] for one in WITHHELD}


@pytest.mark.parametrize(
    ("step", "english", "indonesian"),
    [
        (
            {"step": "withheld", "why": "cap", "per": "MONTH", "limit": 600, "used": 700},
            "cap reached: 600 points at most for that month, and 700 were given already",
            "batas tercapai: paling banyak 600 poin untuk bulan itu, dan 700 sudah diberikan",
        ),
        (
            {"step": "withheld", "why": "cap", "per": "PARTNER", "limit": 1, "used": 1},
            "cap reached: 1 point at most in all, and 1 was given already",
            "batas tercapai: paling banyak 1 poin seluruhnya, dan 1 sudah diberikan",
        ),
        (
            {"step": "withheld", "why": "nth", "number": 3, "repeats": True, "per": "MONTH", "place": 2},
            "only every 3rd purchase of that month earns, and this was the 2nd",
            "hanya pembelian ke-3 dan kelipatannya pada bulan itu yang mendapat poin; ini pembelian ke-2",
        ),
        (
            {"step": "withheld", "why": "nth", "number": 1, "repeats": False, "per": "PARTNER", "place": 12},
            "only the first purchase earns, and this was the 12th",
            "hanya pembelian pertama yang mendapat poin; ini pembelian ke-12",
        ),
        (
            {"step": "cap", "per": "DAY", "limit": 50, "used": 40, "points": 10, "unit": "POINT"},
            "Cut to 10 points: 50 points at most for that day, and 40 were given already",
            "Dipotong menjadi 10 poin: paling banyak 50 poin untuk hari itu, dan 40 sudah diberikan",
        ),
        (
            {"step": "cap", "per": "ACTIVITY", "limit": 9, "used": 0, "points": 9, "unit": "USD"},
            "Cut to 9 USD: 9 USD at most for one activity",
            "Dipotong menjadi 9 USD: paling banyak 9 USD untuk satu aktivitas",
        ),
        (
            {"step": "budget", "limit": 4, "used": 3, "points": 1, "unit": "POINT"},
            "Cut to 1 point: no more was left of the rule's budget of 4 points",
            "Dipotong menjadi 1 poin: hanya itu yang masih ada dari anggaran aturan sebesar 4 poin",
        ),
        (
            {"step": "rule", "basis": "AMOUNT", "rate": "1", "counted": "35", "size": "10"},
            "1 point for each full 10 of the amount, 35 counted",
            "1 poin untuk setiap kelipatan 10 dari nilai transaksi, dihitung 35",
        ),
        (
            {"step": "rule", "basis": "AMOUNT", "rate": "2", "counted": "35"},
            "2 points for each 1 of the amount, 35 counted",
            "2 poin untuk setiap 1 dari nilai transaksi, dihitung 35",
        ),
        (
            {"step": "rule", "basis": "QUANTITY", "rate": "1", "counted": "35", "size": "12"},
            "1 point for each full 12 units, 35 counted",
            "1 poin untuk setiap kelipatan 12 satuan, dihitung 35",
        ),
        (
            {"step": "band", "least": "12", "rate": "5"},
            "From a quantity of 12 on, the rate of 5 points holds for all of it",
            "Mulai jumlah 12, tarif 5 poin berlaku untuk seluruh jumlah",
        ),
    ],
)
def test_rules_speak_plainly(step: dict[str, Any], english: str, indonesian: str) -> None:
    told = {"rule": "base", "version": 2, **step}
    assert explain([told], Reader("en"))[0].detail.removeprefix("“base”, version 2: ") == english
    assert explain([told], Reader("id"))[0].detail.removeprefix("“base”, versi 2: ") == indonesian


def details(*steps: dict[str, Any]) -> tuple[list[str], list[str]]:
    """A chain's sentences in English, and in Indonesian."""
    chain = [{"on": None, **step} for step in steps]
    english, indonesian = (
        [one.detail for one in explain(chain, Reader(language))] for language in ("en", "id")
    )
    return english, indonesian


def test_rounding_is_told_only_where_something_was_rounded() -> None:
    half = {"step": "reversal", "granted": 600, "recalled": 0, "share": "0.5", "points": 300}
    third = {**half, "share": "0.3333", "points": 200}
    odd = {**half, "granted": 601, "rounded": True}
    told = details(half, third, odd)
    assert ["rounded down" in detail for detail in told[0]] == [False, False, True]
    assert ["dibulatkan" in detail for detail in told[1]] == [False, False, True]
    assert told[0][0] == "50% of what earned 600 points came back: 300 points are taken back"


def test_what_is_owed_is_said_once() -> None:
    reversal = {
        "step": "reversal",
        "granted": 600,
        "recalled": 0,
        "share": "1",
        "points": 600,
        "owed": 500,
    }
    owed = {"step": "owed", "points": 500}
    came_back = "100% of what earned 600 points came back: 600 points are taken back"
    kembali = "100% dari yang menghasilkan 600 poin dikembalikan: 600 poin ditarik kembali"
    assert details(reversal) == (
        [f"{came_back}; 100 out of the wallet, and 500 are owed"],
        [f"{kembali}; 100 dari dompet, dan 500 terutang"],
    )
    assert details(reversal, owed) == (
        [came_back, "500 points were spent or reserved before, and are owed"],
        [kembali, "500 poin sudah dibelanjakan atau dicadangkan, dan kini terutang"],
    )
    assert details({**owed, "points": 1})[0] == ["1 point was spent or reserved before, and is owed"]
    waived = {"step": "waived", "points": 5, "returns": "WITHIN_BALANCE"}
    assert details(waived)[0] == ["5 points were spent or reserved before, and are not taken back"]


def test_what_was_reserved_is_told_with_what_it_was_for() -> None:
    held = {"purpose": "Order o8", "points": 1_500, "unit": "POINT"}
    spent, released = {"step": "captured", **held}, {"step": "released", **held}
    assert details(spent, released) == (
        [
            "1,500 points that were reserved are spent: Order o8",
            "1,500 points that were reserved are available again: Order o8",
        ],
        [
            "1.500 poin yang dicadangkan dibelanjakan: Order o8",
            "1.500 poin yang dicadangkan kembali tersedia: Order o8",
        ],
    )
    rest = {"step": "released", "points": 5, "unit": "POINT"}
    assert details(spent, rest)[0][1] == "5 points that were reserved are available again"


def test_numbers_are_written_as_the_language_does() -> None:
    steps = [{"step": "points", "on": None, "exact": "1234.875", "points": 1234, "unit": "POINT"}]
    assert explain(steps, Reader("en"))[0].detail == "1,234.875, rounded down to 1,234 points"
    assert explain(steps, Reader("id"))[0].detail == "1.234,875, dibulatkan ke bawah menjadi 1.234 poin"
    assert explain(steps, Reader("en"))[0].value == "1234"


def test_days_are_written_as_the_language_does() -> None:
    (step, plain) = [{"step": "opening", "on": None, **sample} for sample in SAMPLES["opening"]]
    english, indonesian = Reader("en"), Reader("id")
    assert [explain([one], english)[0].detail for one in (step, plain)] == [
        "Brought over: 1,200 points, granted on 1 March 2025, valid through 31 December 2026",
        "Brought over: 1 point",
    ]
    assert explain([step], indonesian)[0].detail == (
        "Dibawa dari sebelumnya: 1.200 poin, diberikan 1 Maret 2025, berlaku sampai 31 Desember 2026"
    )


def test_things_are_called_by_their_names_where_known() -> None:
    step = {"step": "multiplier", "on": None, "tier": "gold", "multiplier": "1.5"}
    assert explain([step], Reader("en"))[0].detail == "gold multiplies by 1.5"
    assert explain([step], Reader("en", {("tier", "gold"): "Gold"}))[0].detail == "Gold multiplies by 1.5"


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        (("id-ID",), "id"),
        (("fr", "id"), "id"),
        (("en_US",), "en"),
        ((None, "zz"), "en"),
        ((), "en"),
    ],
)
def test_a_language_without_words_falls_back(wanted: tuple[str | None, ...], language: str) -> None:
    assert choose_language(*wanted) == language
