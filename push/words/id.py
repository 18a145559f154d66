"""Indonesian."""

from typing import Final

from loyalty.words.indonesian import SPEECH
from push.words import Words

WORDS: Final = Words(
    locale="id",
    speech=SPEECH,
    texts={
        "points_rewarded": ("$amount untuk Anda", "Anda mendapat hadiah $amount."),
        "points_rewarded_for_mission": ("$amount untuk Anda", "Anda mendapat $amount dari misi “$mission”."),
        "points_added": ("$amount ditambahkan", "Ditambahkan ke saldo Anda: $amount. $reason"),
        "points_deducted": ("$amount dikurangi", "Dikurangi dari saldo Anda: $amount. $reason"),
        "points_reversed": ("$amount ditarik kembali", "Ditarik kembali: $amount."),
        "points_reversed_for_return": ("$amount ditarik kembali", "Ditarik kembali karena retur: $amount."),
        "points_reversed_owed": (
            "$amount ditarik kembali",
            "Ditarik kembali: $amount. Dari jumlah ini Anda berutang $owed, yang dilunasi oleh perolehan berikutnya.",
        ),
        "points_reversed_for_return_owed": (
            "$amount ditarik kembali",
            (
                "Ditarik kembali karena retur: $amount. "
                "Dari jumlah ini Anda berutang $owed, yang dilunasi oleh perolehan berikutnya."
            ),
        ),
        "points_restored": ("$amount dikembalikan", "Dikembalikan kepada Anda: $amount."),
        "points_matured": ("$amount tersedia", "Tidak lagi tertunda dan siap dipakai: $amount."),
        "points_repaid": (
            "$amount melunasi utang Anda",
            "Tidak lagi tertunda, dan melunasi utang Anda: $amount.",
        ),
        "points_spent": ("$amount dipakai", "Dipakai: $amount. $reason"),
        "points_expired": ("$amount kedaluwarsa", "$amount kedaluwarsa pada $date."),
        "points_expiring": ("Pakai $amount paling lambat $date", "$amount akan kedaluwarsa pada $date."),
        "mission_completed": ("Misi selesai", "Anda menyelesaikan misi “$mission”."),
        "mission_revoked": ("Misi batal selesai", "Misi “$mission” tidak lagi terhitung selesai."),
        "badge_awarded": ("Lencana baru: $badge", "Anda meraih lencana “$badge”."),
        "badge_level_awarded": ("$badge: tingkat $level", "Anda mencapai tingkat $level lencana “$badge”."),
        "badge_revoked": ("Lencana dicabut: $badge", "Lencana “$badge” bukan lagi milik Anda."),
        "badge_level_revoked": (
            "$badge: tingkat $level dicabut",
            "Tingkat $level lencana “$badge” bukan lagi milik Anda.",
        ),
        "tier_reached": ("Selamat datang di $tier", "Tingkat keanggotaan Anda sekarang $tier."),
        "tier_raised": ("Selamat datang di $tier", "Anda naik dari $previous ke $tier."),
        "tier_lowered": ("Tingkat Anda sekarang $tier", "Anda turun dari $previous ke $tier."),
        "tier_lost": ("Tingkat berakhir", "Anda tidak lagi berada di tingkat $previous."),
    },
)
