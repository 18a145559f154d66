"""Which column of a file is to blame for what was found only after its rows were read. Pure.

What records an activity names a field of it, by a path; a mapping says which column that came from. Where no path is
told, or the file has no such column, the code tells what it is about.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from imports.rows import Refused

OF_ACTIVITY: Final = {
    "externalId": "document",
    "partner": "partner",
    "occurredAt": "date",
    "currency": "currency",
    "reverses": "sale",
    "sku": "sku",
    "quantity": "quantity",
    "amount": "amount",
    "unit": "unit",
}
"""Fields of a mapping by those of an activity and its lines."""
ABOUT: Final = {
    "DOCUMENT_RECORDED": ("document",),
    "IDEMPOTENCY_CONFLICT": ("document",),
    "FUTURE_DATE": ("date",),
    "RETURN_BEFORE_SALE": ("date",),
    "UNKNOWN_PARTNER": ("partner",),
    "UNKNOWN_REGION": ("region", "partner"),
    "UNKNOWN_SKU": ("sku",),
    "UNKNOWN_UNIT": ("unit", "sku"),
    "UNKNOWN_CURRENCY": ("currency",),
    "MORE_THAN_LEFT": ("quantity",),
    "RETURN_WITHOUT_SALE": ("sale", "sku"),
}
"""What a code is about: the first of these that the file has a column of."""


def blame_column(
    refused: Refused, column_of: Callable[[str], str | None], path: Sequence[str] = ()
) -> Refused:
    """The row, with the column that is to blame, where that can be told and is not known yet.

    `column_of` is the header of a field's column; `path` the field of the activity that was refused.
    """
    if refused.column is not None:
        return refused
    named = next((OF_ACTIVITY[part] for part in reversed(path) if part in OF_ACTIVITY), None)
    about = (named, *(("price",) if named == "amount" else ())) if named else ()
    fields = (*about, *ABOUT.get(refused.code, ()))
    found = next((column for field in fields if field and (column := column_of(field)) is not None), None)
    return refused if found is None else replace(refused, column=found)
