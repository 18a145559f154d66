"""What a file that was mostly refused tells whoever sent it: the reasons that struck most, and how each is mended."""

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from imports.store import Import, ImportKind
from imports.wording import count_rows

WORTH_A_HINT: Final = 0.5
"""From which share of refused rows on it is more likely the mapping or the order of things than the rows."""
MOST_REASONS: Final = 3
BAD_NUMBER: Final = "look at `decimal` and `thousands` under [file], and at the column that [columns] names"
EMPTY_COLUMN: Final = "look at which column [columns] names: its cells are empty"
HINTS: Final = {
    "UNKNOWN_PARTNER": "import partners first (`mitra import partners`), or say how they are created under [partners]",
    "UNKNOWN_REGION": 'create the regions first, or say unknown_regions = "create" under [partners]',
    "UNKNOWN_SKU": 'import products first (`mitra import products`), or say unknown = "create" under [products]',
    "UNKNOWN_UNIT": "give the product such a pack (`mitra import products`), or look at `unit` under [columns]",
    "INVALID_DATE": "look at `format` under [dates], and at the column that [columns] names",
    "FUTURE_DATE": "look at `format` under [dates]: days and months may have changed places",
    "INVALID_QUANTITY": f"{BAD_NUMBER}; quantities below 0 need a [returns.when]",
    "INVALID_AMOUNT": BAD_NUMBER,
    "INVALID_ENCODING": "look at `encoding` under [file]",
    "WRONG_COLUMNS": "look at `delimiter` and `quote` under [file]",
    "WRONG_QUOTES": "look at `quote` under [file]: an empty one takes quotes as they stand",
    "NO_DOCUMENT": EMPTY_COLUMN,
    "NO_PARTNER": EMPTY_COLUMN,
    "NO_SKU": EMPTY_COLUMN,
    "NO_PRODUCT": "look at `no_products` under [products]",
    "RETURN_WITHOUT_SALE": "import the sales that came back first, or look at what [returns.when] takes for a return",
    "DOCUMENT_RECORDED": "look at `source`, which each system needs one of its own, and at [documents] within",
    "UNKNOWN_CURRENCY": "the currency must be the program's: `mitra program list` tells it",
    "REQUIRED": "new ones need this column; what stands already keeps what the file does not say",
}
"""How the cause of a reason is mended where it strikes a whole file."""
HINTS_OF: Final[Mapping[ImportKind, dict[str, str]]] = {
    ImportKind.SALES: {},
    ImportKind.PARTNERS: {
        "UNKNOWN_PARTNER": "their parents stand neither in this file nor in the program: import those first",
        "UNKNOWN_REGION": "create the regions first, or import with --create-regions",
    },
    ImportKind.PRODUCTS: {},
    ImportKind.BALANCES: {
        "UNKNOWN_PARTNER": "import partners first (`mitra import partners`)",
        "UNKNOWN_UNIT": "leave the unit out where these are points",
        "INVALID_AMOUNT": "points are whole numbers above 0",
        "FUTURE_DATE": "granted_on is the day on which points were earned: perhaps days and months changed places",
        "EXPIRED_BALANCE": "leave out what has expired; or perhaps days and months changed places",
    },
}
"""The same for one kind of file only, where it is mended otherwise."""
UNMAPPED: Final = {
    "INVALID_DATE": "write days as 2026-12-31, or say `format` under [dates] in a mapping",
    "INVALID_ENCODING": "say `encoding` under [file] in a mapping",
    "WRONG_COLUMNS": "say `delimiter` and `quote` under [file] in a mapping",
    "WRONG_QUOTES": "say `quote` under [file] in a mapping: an empty one takes quotes as they stand",
    "NO_PARTNER": "the cells of the column are empty",
    "NO_SKU": "the cells of the column are empty",
}
"""The same where the file was read without a mapping, by the names of its columns."""


def is_all_refused(one: Import) -> bool:
    """Whether there were rows, and none of them was taken."""
    return one.read > 0 and one.refused == one.read


def draw_trial(kind: ImportKind, *, is_mapped: bool) -> str:
    """How a file of this kind is tried."""
    options = "" if kind is ImportKind.SALES else f" --kind {kind.value.lower()}"
    options += " --mapping MAPPING" if is_mapped else ""
    return f"`mitra import check FILE{options}` tells what would become of a file, and imports nothing."


def draw_warning(
    rows: int, reasons: Mapping[str, int], *, kind: ImportKind, is_mapped: bool = True
) -> Text | None:
    """A warning where most of so many rows are refused, with a hint for each of the reasons that struck most."""
    refused = sum(reasons.values())
    if not rows or refused < WORTH_A_HINT * rows:
        return None
    hints = HINTS | ({} if is_mapped else UNMAPPED) | HINTS_OF[kind]
    told = Text()
    if refused < rows:
        told.append(f"Warning: {refused:,} of {count_rows(rows)} are refused.", "bold yellow")
    elif rows == 1:
        told.append("Warning: the only row is refused.", "bold red")
    else:
        told.append(f"Warning: all {count_rows(rows)} are refused.", "bold red")
    for code, count in sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))[:MOST_REASONS]:
        hint = hints.get(code)
        told.append(f"\n  {code}, {count_rows(count)}" + (f": {hint}" if hint else ""))
    return told
