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
    "DAY": "untuk hari itu",
    "MONTH": "untuk bulan itu",
    "PARTNER": "seluruhnya",
}
NUMBERED: Final = {"DAY": " pada hari itu", "MONTH": " pada bulan itu", "PARTNER": ""}


def _unit(step: Mapping[str, Any]) -> str:
    return str(step.get("unit", "POINT"))


def _rule(step: Mapping[str, Any], say: Speech) -> str:
    name, rate = say.name("rule", step["rule"]), say.points(step["rate"], _unit(step))
    told = f"{name}, versi {step['version']}: {rate} untuk setiap"
    size = f"kelipatan {say.number(step['size'])}" if "size" in step else ""
    match step["basis"]:
        case "ACTIVITY":
            return f"{told} aktivitas"
        case "QUANTITY":
            units = f"{size} satuan" if size else "satuan"
            return f"{told} {units}, dihitung {say.number(step['counted'])}"
        case _:
            return f"{told} {size or '1'} dari nilai transaksi, dihitung {say.number(step['counted'])}"


def _cap(step: Mapping[str, Any], say: Speech) -> str:
    return f"Dipotong menjadi {say.points(step['points'], _unit(step))}: {_most(step, say)}"


def _most(step: Mapping[str, Any], say: Speech) -> str:
    told = f"paling banyak {say.points(step['limit'], _unit(step))} {PERIODS[step['per']]}"
    return f"{told}, dan {say.count(step['used'], _unit(step))} sudah diberikan" if step["used"] else told


def _budget(step: Mapping[str, Any], say: Speech) -> str:
    left, budget = say.points(step["points"], _unit(step)), say.points(step["limit"], _unit(step))
    return f"Dipotong menjadi {left}: hanya itu yang masih ada dari anggaran aturan sebesar {budget}"


def _nth(step: Mapping[str, Any], say: Speech) -> str:
    which = f"{_ordinal(step['number'], say)}{' dan kelipatannya' if step['repeats'] else ''}"
    when = NUMBERED[step["per"]]
    return f"hanya {which}{when} yang mendapat poin; ini {_ordinal(step['place'], say)}"


def _ordinal(number: int, say: Speech) -> str:
    return "pembelian pertama" if number == 1 else f"pembelian ke-{say.number(number)}"


def _basket(step: Mapping[str, Any], say: Speech) -> str:
    worth = f"nilai aktivitas {say.number(step['worth'])}"
    if "least" in step:
        return f"{worth}, padahal paling sedikit {say.number(step['least'])}"
    return f"{worth}, padahal paling banyak {say.number(step['most'])}"


def _weekday(step: Mapping[str, Any], say: Speech) -> str:
    days = ", ".join(DAYS[day - 1] for day in step["weekdays"])
    night = "masih terhitung malam " if step.get("night") else ""
    return f"hanya berlaku pada hari {days}, dan ini {night}hari {DAYS[step['weekday'] - 1]}"


def _clock(step: Mapping[str, Any], bound: str, *, done: str = "") -> str:
    """The time of day too, where the day alone does not tell them apart."""
    return f" pukul {step[bound]}, dan ini {done}pukul {step['at']}" if bound in step else ""


WHY: Final[Mapping[str, Callable[[Mapping[str, Any], Speech], str]]] = {
    "cap": lambda s, say: f"batas tercapai: {_most(s, say)}",
    "budget": lambda s, say: f"anggarannya sebesar {say.points(s['limit'], _unit(s))} sudah habis",
    "nth": _nth,
    "group": lambda s, say: (
        f"{say.name('rule', s['winner'])} didahulukan, dan hanya satu dari kelompok “{s['group']}” yang membayar"
    ),
    "audience": lambda s, say: f"tidak termasuk sasarannya: {CONDITIONS.get(s['condition'], s['condition'])}",
    "kind": lambda s, say: f"aturan ini untuk jenis aktivitas lain: {say.kind(s['kind'])}",
    "later": lambda s, say: (
        f"aturan ini belum ada: dibuat pada {say.day(s['on'])}{_clock(s, 'begins', done='dicatat ')}"
    ),
    "not_begun": lambda s, say: f"aturan ini mulai pada {say.day(s['on'])}{_clock(s, 'begins')}",
    "never_began": lambda s, say: f"aturan ini diakhiri pada {say.day(s['on'])}, sebelum mulai berlaku",
    "over": lambda s, say: f"aturan ini berakhir pada {say.day(s['on'])}{_clock(s, 'ends')}",
    "lines": lambda s, say: "tidak ada baris yang dihitung untuk aturan ini",
    "basket": _basket,
    "weekday": _weekday,
    "hours": lambda s, say: (
        f"hanya berlaku dari pukul {s['opens']} sampai {s['closes']}, dan ini pukul {s['at']}"
    ),
    "step": lambda s, say: (
        f"yang dihitung {say.number(s['counted'])} belum mencapai {say.number(s['size'])} penuh"
    ),
    "band": lambda s, say: f"jumlah {say.number(s['counted'])} tidak mendapat poin",
    "rounding": lambda s, say: f"{say.number(s['exact'])} kurang dari satu poin",
}


def _withheld(step: Mapping[str, Any], say: Speech) -> str:
    return f"{say.name('rule', step['rule'])}, versi {step['version']}: {WHY[step['why']](step, say)}"


def _outside(step: Mapping[str, Any], say: Speech) -> str:
    if not step["rules"]:
        return "Aturan untuk mitra lain tidak membayar di sini"
    told = (
        f"{say.name('rule', rule)} ({CONDITIONS.get(condition, condition)})"
        for rule, _, condition in step["rules"]
    )
    return f"Tidak termasuk sasaran {', '.join(told)}"


WORDS: Final[Mapping[str, tuple[str, Sentence]]] = {
    "rule": ("Aturan poin", _rule),
    "band": (
        "Tabel",
        lambda s, say: (
            f"Mulai jumlah {say.number(s['least'])}, "
            f"tarif {say.points(s['rate'], _unit(s))} berlaku untuk seluruh jumlah"
        ),
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
