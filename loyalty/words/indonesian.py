"""Because in Indonesian."""

from collections.abc import Mapping
from typing import Any, Final

from loyalty.ledger.books import POINT
from loyalty.words.indonesian_rules import WORDS as RULES
from loyalty.words.speech import Sentence, Speech

SPEECH: Final = Speech(
    thousands=".",
    point=",",
    quotes=("“", "”"),
    months=(
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ),
    kinds={
        "SALE": "Penjualan",
        "RETURN": "Retur",
        "RECEIPT": "Struk",
        "TRAINING": "Pelatihan",
        "VISIT": "Kunjungan",
    },
    points_word=lambda written, single: f"{written} poin",
    joined=(", ", " dan "),
)


def _floored(step: Mapping[str, Any], say: Speech) -> str:
    unit = step.get("unit", POINT)
    exact, points = say.count(step["exact"], unit), say.points(step["points"], unit)
    return (
        points
        if exact == say.count(step["points"], unit)
        else f"{exact}, dibulatkan ke bawah menjadi {points}"
    )


def _reversal(step: Mapping[str, Any], say: Speech) -> str:
    unit = step.get("unit", POINT)
    by = f" dari {say.name('rule', step['rule'])}" if "rule" in step else ""
    told = f"{say.percent(step['share'])}% dari yang menghasilkan {say.points(step['granted'], unit)}{by} dikembalikan"
    if step["recalled"]:
        told += f", {say.count(step['recalled'], unit)} di antaranya sudah ditarik sebelumnya"
    told += f": {say.points(step['points'], unit)} ditarik kembali"
    if step.get("rounded"):
        told += ", dibulatkan ke bawah"
    if step.get("owed"):
        left = say.count(step["points"] - step["owed"], unit)
        told += f"; {left} dari dompet, dan {say.count(step['owed'], unit)} terutang"
    return told


def _mission(step: Mapping[str, Any], say: Speech) -> str:
    again = f", untuk ke-{step['n']} kalinya" if step["n"] > 1 else ""
    window = "" if step["window"] == "once" else f" ({step['window']})"
    return f"{say.name('mission', step['mission'])}{window} selesai{again}"


def _badge(step: Mapping[str, Any], say: Speech) -> str:
    told = f"{say.name('badge', step['badge'])}, tingkat {step['level']}"
    if step.get("threshold") is not None:
        told += f": dihitung {say.number(step['value'])}, diperlukan {say.number(step['threshold'])}"
    return told


def _tier(step: Mapping[str, Any], say: Speech) -> str:
    before, after = (
        say.bare("tier", step["from"]) or "tanpa tingkat",
        say.bare("tier", step["to"]) or "tanpa tingkat",
    )
    told = f"Dari {before} ke {after}"
    if step.get("threshold") is not None and step.get("value") is not None:
        told += f": dihitung {say.number(step['value'])}, diperlukan {say.number(step['threshold'])}"
    return told


def _opening(step: Mapping[str, Any], say: Speech) -> str:
    told = f"Dibawa dari sebelumnya: {say.points(step['points'], step['unit'])}"
    if step["grantedOn"] is not None:
        told += f", diberikan {say.day(step['grantedOn'])}"
    if step["expiresOn"] is not None:
        told += f", berlaku sampai {say.day(step['expiresOn'])}"
    return told


def _counted(step: Mapping[str, Any], say: Speech) -> str:
    return say.points(step["points"], step.get("unit", POINT))


def _lot(step: Mapping[str, Any], say: Speech) -> str:
    told = []
    if step["maturesOn"] is not None:
        told.append(f"Tertunda sampai {say.day(step['maturesOn'])}")
    if step["expiresOn"] is not None:
        valid = "berlaku" if told else "Berlaku"
        told.append(f"{valid} sampai {say.day(step['expiresOn'])}")
    if step["sliding"]:
        told.append("diperpanjang setiap kali poin diperoleh sebelumnya")
    return ", ".join(told)


def _waived(step: Mapping[str, Any], say: Speech) -> str:
    points = _counted(step, say)
    if step["returns"] == "ONLY_PENDING":
        return f"{points} tidak lagi tertunda, dan tidak ditarik kembali"
    return f"{points} sudah dibelanjakan atau dicadangkan, dan tidak ditarik kembali"


def _purpose(step: Mapping[str, Any]) -> str:
    return f": {step['purpose']}" if "purpose" in step else ""


def _by_hand(step: Mapping[str, Any], say: Speech) -> str:
    if step["tier"] is None:
        return f"Yang diberikan secara manual dicabut: {step['reason']}"
    tier = say.bare("tier", step["tier"])
    until = "" if step["until"] is None else f" sampai {say.day(step['until'][:10])}"
    return f"{tier} diberikan secara manual{until}: {step['reason']}"


def _too_late(step: Mapping[str, Any], say: Speech) -> str:
    if "mission" in step:
        return f"{say.name('mission', step['mission'])} sudah berakhir saat ini dibukukan, dan tidak berubah"
    return (
        f"Masa sampai {say.day(step['through'])} sudah ditinjau saat ini dibukukan, dan tingkat tidak berubah"
    )


WORDS: Final[Mapping[str, tuple[str, Sentence]]] = {
    "activity": (
        "Aktivitas",
        lambda s, say: f"{say.kind(s['kind'])} {s['externalId']}, dilaporkan oleh {s['source']}",
    ),
    **RULES,
    "multiplier": (
        "Tingkat",
        lambda s, say: f"{say.bare('tier', s['tier'])} mengalikan dengan {say.number(s['multiplier'])}",
    ),
    "points": ("Poin", _floored),
    "lot": ("Masa berlaku", _lot),
    "renewed": (
        "Perpanjangan",
        lambda s, say: f"Poin yang diperpanjang oleh perolehan kini berlaku sampai {say.day(s['until'])}",
    ),
    "matured": (
        "Tersedia",
        lambda s, say: f"{say.points(s['points'], s['unit'])} tadinya tertunda, dan kini tersedia",
    ),
    "expired": (
        "Kedaluwarsa",
        lambda s, say: f"{say.points(s['points'], s['unit'])} tidak dipakai pada waktunya, dan kedaluwarsa",
    ),
    "hold": (
        "Dicadangkan",
        lambda s, say: f"{say.points(s['points'], s['unit'])} dicadangkan: {s['purpose']}",
    ),
    "captured": (
        "Dibelanjakan",
        lambda s, say: f"{say.points(s['points'], s['unit'])} yang dicadangkan dibelanjakan{_purpose(s)}",
    ),
    "released": (
        "Dikembalikan",
        lambda s, say: f"{say.points(s['points'], s['unit'])} yang dicadangkan kembali tersedia{_purpose(s)}",
    ),
    "repaid": ("Pelunasan", lambda s, say: f"{_counted(s, say)} melunasi yang terutang"),
    "return": (
        "Retur",
        lambda s, say: (
            f"{say.kind(s['kind'])} {s['externalId']}, dilaporkan oleh {s['source']}, mengembalikan {s['of']}"
        ),
    ),
    "reversal": ("Ditarik kembali", _reversal),
    "owed": (
        "Terutang",
        lambda s, say: f"{_counted(s, say)} sudah dibelanjakan atau dicadangkan, dan kini terutang",
    ),
    "waived": ("Direlakan", _waived),
    "objective": (
        "Sasaran",
        lambda s, say: (
            f"{say.name('objective', s['mission'] + '/' + s['objective'])}: "
            f"{say.number(s['current'])} dari {say.number(s['target'])}"
        ),
    ),
    "mission": ("Misi", _mission),
    "no_room": (
        "Tidak cukup ruang",
        lambda s, say: (
            f"{say.points(s['points'])} dari {say.name('mission', s['mission'])} "
            "akan membuat dompet melebihi batasnya"
        ),
    ),
    "mission_revoked": (
        "Misi dibatalkan",
        lambda s, say: f"{say.name('mission', s['mission'])} tidak lagi selesai",
    ),
    "reward": ("Hadiah", lambda s, say: f"Misi memberi {say.points(s['points'], s.get('unit', POINT))}"),
    "badge": ("Lencana", _badge),
    "tier": ("Tingkat", _tier),
    "tier_review": (
        "Peninjauan tingkat",
        lambda s, say: (
            f"Dari {say.day(s['startsOn'])} sampai {say.day(s['through'])}, "
            f"{say.number(s['value'])} dihitung untuk tingkat"
        ),
    ),
    "tier_override": ("Tingkat manual", _by_hand),
    "override_ended": (
        "Tingkat manual",
        lambda s, say: f"{say.bare('tier', s['tier'])} diberikan secara manual, dan masanya sudah berakhir",
    ),
    "approval": (
        "Persetujuan",
        lambda s, say: (
            f"Diminta oleh {s['askedBy']}, disetujui oleh {s['approvedBy']}"
            if "askedBy" in s
            else "Diminta oleh satu orang, dan disetujui oleh orang lain"
        ),
    ),
    "adjustment": ("Penyesuaian", lambda s, say: f"Disesuaikan secara manual: {s['reason']}"),
    "opening": ("Saldo awal", _opening),
    "counted_too_late": ("Terlambat", _too_late),
    "review": (
        "Peninjauan",
        lambda s, say: "Aturan program berubah, dan yang sudah dihitung sebelumnya ditinjau kembali",
    ),
}
