"""What finance's papers are labelled with, in each language: columns, lines, kinds of entries and buckets. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one language. `columns` are those of a statement."""

    columns: tuple[str, ...]
    liability_columns: tuple[str, ...]
    never: str
    total: str
    opening: str
    closing: str
    so_far: str
    """The closing balance of days that are not over."""
    partner: str
    as_of: str
    kinds: Mapping[str, str]
    buckets: Mapping[str, str]


LABELS: Final[Mapping[str, Labels]] = {
    "en": Labels(
        columns=("Posted", "Occurred", "Entry", "Bucket", "Amount", "Balance", "Unit", "Reason"),
        liability_columns=("Expires in", "Available", "Pending", "Held", "Total", "Unit"),
        never="Never",
        total="Total",
        opening="Opening balance",
        closing="Closing balance",
        so_far="Balance so far",
        partner="Partner",
        as_of="As of",
        kinds={
            "EARN": "Earned",
            "MATURE": "Matured",
            "HOLD": "Held",
            "CAPTURE": "Captured",
            "RELEASE": "Released",
            "EXPIRE": "Expired",
            "REVERSE": "Taken back",
            "ADJUST": "Adjusted",
            "TRANSFER": "Transferred",
            "REWARD": "Reward",
            "REPAY": "Repaid",
            "OPENING": "Brought over",
        },
        buckets={"AVAILABLE": "Available", "PENDING": "Pending", "HELD": "Held", "DEBT": "Owed"},
    ),
    "id": Labels(
        columns=("Dibukukan", "Terjadi", "Entri", "Pos", "Jumlah", "Saldo", "Satuan", "Alasan"),
        liability_columns=("Kedaluwarsa pada", "Tersedia", "Tertunda", "Ditahan", "Jumlah", "Satuan"),
        never="Tidak pernah",
        total="Jumlah",
        opening="Saldo awal",
        closing="Saldo akhir",
        so_far="Saldo sejauh ini",
        partner="Mitra",
        as_of="Per",
        kinds={
            "EARN": "Diperoleh",
            "MATURE": "Matang",
            "HOLD": "Ditahan",
            "CAPTURE": "Dipakai",
            "RELEASE": "Dilepas",
            "EXPIRE": "Kedaluwarsa",
            "REVERSE": "Ditarik kembali",
            "ADJUST": "Disesuaikan",
            "TRANSFER": "Dipindahkan",
            "REWARD": "Hadiah",
            "REPAY": "Dilunasi",
            "OPENING": "Dibawa dari sistem lain",
        },
        buckets={"AVAILABLE": "Tersedia", "PENDING": "Tertunda", "HELD": "Ditahan", "DEBT": "Terutang"},
    ),
}
