"""What marks a return, and which codes are no products: by what stands side by side in the rows."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from imports.mapping import Condition
from imports.sniffing.columns import Column
from imports.wording import count_of

FEW: Final = 20
"""Distinct values of a column that may say what kind of document a row is of."""
SHORT: Final = 3
"""Characters of a code that may be a note rather than a product."""
MOSTLY: Final = 0.8
HARDLY: Final = 0.01
RETURNS: Final = re.compile(
    r"return(s|ed)?|retur|credit( ?note)?|cn|refund|gutschrift|storno|retoure|avoir|retour|"
    r"devoluci[oó]n|abono|nota de cr[eé]dito|r|c",
    re.IGNORECASE,
)
NO_PRODUCT: Final = re.compile(
    r"post(age)?|dotcom postage|carriage|shipping|freight|delivery|fees?|discount|manual|bank charges?|adjust.*|"
    r"samples?|commission|gift ?(voucher|card).*|.*gift voucher.*|vouchers?|rounding|deposit|ongkos kirim|ongkir|"
    r"biaya.*|diskon|potongan|pembulatan|versand(kosten)?|porto|fracht(kosten)?|rabatt|geb[uü]hr(en)?|pfand|muster|"
    r"frais.*|remise|[eé]chantillons?|port|transporte|gastos.*|env[ií]o|descuento|muestras?|"
    r".*(commission|postage|bank charges|amazon fee|bad debt)",
    re.IGNORECASE,
)  # fmt: skip
"""Names and codes of what stands on invoices and is no product."""


@dataclass(slots=True)
class Sides:
    """What stands beside quantities below 0, and beside others."""

    negative: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    def add(self, value: str, *, is_negative: bool) -> None:
        if value in self.negative or value in self.other or len(self.negative) + len(self.other) < 1_000:
            (self.negative if is_negative else self.other)[value] += 1

    def marking(self) -> list[str]:
        """The values that hardly ever stand beside another quantity, if most of those below 0 have one of them."""
        total = self.other.total() or 1
        values = [
            value
            for value, count in self.negative.items()
            if value and self.other[value] <= HARDLY * count and self.other[value] <= HARDLY * total
        ]
        covered = sum(self.negative[value] for value in values)
        return sorted(values) if values and covered >= MOSTLY * self.negative.total() else []


def prefix(document: str) -> str:
    """What a document's number begins with, before its first digit."""
    return document[: next((at for at, letter in enumerate(document) if letter.isdigit()), 0)]


def guess_condition(
    *, prefixes: Sides, beside: Mapping[int, Sides], columns: Sequence[Column]
) -> tuple[Condition | None, str]:
    """What marks a return, and why it seems so."""
    negative = prefixes.negative.total()
    if negative:
        if marks := prefixes.marking():
            share = sum(prefixes.negative[mark] for mark in marks) / negative
            return Condition(
                starts_with=tuple(marks)
            ), f"{share:.0%} of the quantities below 0 stand in such documents"
        for place, sides in beside.items():
            if marks := sides.marking():
                column = _header(columns, place)
                return Condition(column=column, equals=tuple(marks)), "quantities below 0 stand beside it"
        return Condition(negative=True), f"{count_of(negative, 'quantity lies', 'quantities lie')} below 0"
    for place, sides in beside.items():
        if marks := sorted(value for value in sides.other if len(value) > 1 and RETURNS.fullmatch(value)):
            return Condition(column=_header(columns, place), equals=tuple(marks)), "by the word"
    return None, "no quantity lies below 0, and nothing else marks one"


def _header(columns: Sequence[Column], place: int) -> str | int:
    return columns[place - 1].name or place


def guess_no_products(codes: Mapping[str, int], names: Mapping[str, Collection[str]]) -> list[str]:
    """Codes that look like no product: by their words, or by having no digit where nearly all others have one."""
    rows = sum(codes.values())
    with_digit = sum(count for code, count in codes.items() if any(map(str.isdigit, code)))
    is_odd_without = with_digit > MOSTLY * rows
    return sorted(
        (code for code in codes if _is_no_product(code, names.get(code, ()), is_odd_without)),
        key=lambda code: (-codes[code], code),
    )


def _is_no_product(code: str, names: Collection[str], is_odd_without_digit: bool) -> bool:
    if NO_PRODUCT.fullmatch(code) or (names and all(NO_PRODUCT.fullmatch(name) for name in names)):
        return True
    return is_odd_without_digit and not any(map(str.isdigit, code)) and len(code) <= SHORT


def merge_by_case(codes: Iterable[tuple[str, int]]) -> dict[str, int]:
    """How often codes stand in the file, whichever capitals they have."""
    merged: Counter[str] = Counter()
    for code, count in codes:
        merged[code.upper()] += count
    return merged
