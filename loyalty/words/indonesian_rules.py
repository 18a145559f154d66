"""What earning rules say, in Indonesian: how they reckon, what cut them, and why they paid nothing."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from loyalty.words.speech import Sentence, Speech

DAYS: Final = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
CONDITIONS: Final = {
    "kind": "jenis mitra",
    "region": "wilayah",
    "tier": "tingkat",
    "partner": "mitra",
    "segment": "segmen",
}
PERIODS: Final = {
    "ACTIVITY": "untuk satu aktivitas",
    "DAY": "pada hari itu",
    "MONTH": "pada bulan itu",
    "PARTNER": "seluruhnya",
}


def _rule(step: Mapping[str, Any], say: Speech) -> str:
    name, rate = say.name("rule", step["rule"]), say.points(step["rate"])
    told = f"{name}, versi {step['version']}: {rate} untuk setiap"
    size = f"kelipatan penuh {say.number(step['size'])}" if "size" in step else ""
    match step["basis"]:
        case "ACTIVITY":
            return f"{told} aktivitas"
        case "QUANTITY":
            return f"{told} {size or 'satuan'}, dihitung {say.number(step['counted'])}"
        case _:
            return f"{told} {size or 'satuan'} uang, dihitung {say.number(step['counted'])}"


def _cap(step: Mapping[str, Any], say: Speech) -> str:
    used = f", {say.number(step['used'])} di antaranya sudah diberikan" if step["used"] else ""
    left = say.points(step["points"], step.get("unit", "POINT"))
    return f"Paling banyak {say.points(step['limit'])} {PERIODS[step['per']]}{used}: sisanya {left}"


def _budget(step: Mapping[str, Any], say: Speech) -> str:
    left = say.points(step["points"], step.get("unit", "POINT"))
    return f"Dari anggaran aturan sebesar {say.points(step['limit'])} tersisa {left}"


def _nth(step: Mapping[str, Any], say: Speech) -> str:
    which = "setiap pembelian kelipatan ke-" if step["repeats"] else "hanya pembelian ke-"
    when = "" if step["per"] == "PARTNER" else f" {PERIODS[step['per']]}"
    number, place = say.number(step["number"]), say.number(step["place"])
    return f"{which}{number}{when} yang mendapat poin; ini yang ke-{place}"


def _basket(step: Mapping[str, Any], say: Speech) -> str:
    worth = f"nilai aktivitas {say.number(step['worth'])}"
    if "least" in step:
        return f"{worth}, padahal paling sedikit {say.number(step['least'])}"
    return f"{worth}, padahal paling banyak {say.number(step['most'])}"


def _weekday(step: Mapping[str, Any], say: Speech) -> str:
    days = ", ".join(DAYS[day - 1] for day in step["weekdays"])
    return f"hanya berlaku pada hari {days}, dan ini hari {DAYS[step['weekday'] - 1]}"


WHY: Final[Mapping[str, Callable[[Mapping[str, Any], Speech], str]]] = {
    "cap": lambda s, say: (
        f"batas tercapai: {say.number(s['used'])} dari {say.points(s['limit'])} {PERIODS[s['per']]} sudah diberikan"
    ),
    "budget": lambda s, say: f"anggarannya sebesar {say.points(s['limit'])} sudah habis",
    "nth": _nth,
    "group": lambda s, say: (
        f"{say.name('rule', s['winner'])} didahulukan, dan hanya satu dari kelompok “{s['group']}” yang membayar"
    ),
    "audience": lambda s, say: f"tidak termasuk sasarannya: {CONDITIONS.get(s['condition'], s['condition'])}",
    "kind": lambda s, say: f"aturan ini untuk jenis aktivitas lain: {say.kind(s['kind'])}",
    "later": lambda s, say: f"aturan ini belum ada: dibuat pada {say.day(s['on'])}",
    "not_begun": lambda s, say: f"aturan ini mulai pada {say.day(s['on'])}",
    "over": lambda s, say: f"aturan ini berakhir pada {say.day(s['on'])}",
    "lines": lambda s, say: "tidak ada baris yang dihitung untuk aturan ini",
    "basket": _basket,
    "weekday": _weekday,
    "hours": lambda s, say: (
        f"hanya berlaku dari pukul {s['opens']} sampai {s['closes']}, dan ini pukul {s['at']}"
    ),
    "step": lambda s, say: (
        f"yang dihitung {say.number(s['counted'])} belum mencapai {say.number(s['size'])} penuh"
    ),
    "band": lambda s, say: f"yang dihitung {say.number(s['counted'])} belum mendapat poin",
    "rounding": lambda s, say: f"{say.number(s['exact'])} kurang dari satu poin",
}


def _withheld(step: Mapping[str, Any], say: Speech) -> str:
    return f"{say.name('rule', step['rule'])}, versi {step['version']}: {WHY[step['why']](step, say)}"


def _outside(step: Mapping[str, Any], say: Speech) -> str:
    told = (
        f"{say.name('rule', rule)} ({CONDITIONS.get(condition, condition)})"
        for rule, _, condition in step["rules"]
    )
    return f"Tidak termasuk sasaran {', '.join(told)}"


WORDS: Final[Mapping[str, tuple[str, Sentence]]] = {
    "rule": ("Aturan poin", _rule),
    "band": (
        "Tabel",
        lambda s, say: f"Mulai {say.number(s['least'])}, {say.points(s['rate'])} untuk masing-masing",
    ),
    "full_steps": (
        "Kelipatan penuh",
        lambda s, say: f"{say.number(s['times'])} kali {say.number(s['size'])} penuh",
    ),
    "boost": (
        "Segmen",
        lambda s, say: f"{say.bare('segment', s['segment'])} mengalikan dengan {say.number(s['multiplier'])}",
    ),
    "cap": ("Batas", _cap),
    "budget": ("Anggaran", _budget),
    "withheld": ("Tidak dibayar", _withheld),
    "outside": ("Tidak dibayar", _outside),
}
