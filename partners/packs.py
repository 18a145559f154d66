"""Packs: what else a product is sold in than its own unit, each with how much of that unit it holds. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import orjson

from base.errors import Invalid
from partners.checks import Path, check_code, check_count, check_decimal, decimal_text, item_path

MOST_PACKS: Final = 20
WHOLE_DIGITS: Final = 12
ZERO: Final = Decimal(0)


def check_packs(packs: Mapping[str, Decimal], unit: str, field: Path) -> str:
    """The packs of a product that is counted in `unit`, as the text that is stored: equal packs are written alike.

    TOO_MANY, INVALID_CODE, DUPLICATE (a pack called like the unit), NOT_POSITIVE, TOO_LARGE, TOO_PRECISE.
    """
    check_count(list(packs), field, most=MOST_PACKS)
    for index, (name, quantity) in enumerate(packs.items()):
        check_code(name, item_path(field, index, "unit"))
        if name == unit:
            message = f"{name!r} is the product's own unit"
            raise Invalid(message, code="DUPLICATE", field=item_path(field, index, "unit"))
        check_decimal(quantity, item_path(field, index, "quantity"), above=ZERO, digits=WHOLE_DIGITS)
    return orjson.dumps(
        {name: decimal_text(quantity) for name, quantity in packs.items()}, option=orjson.OPT_SORT_KEYS
    ).decode()


def read_packs(stored: str) -> dict[str, Decimal]:
    """The packs that were stored, the smallest first."""
    if stored == "{}":
        return {}
    packs = {name: Decimal(quantity) for name, quantity in orjson.loads(stored).items()}
    return dict(sorted(packs.items(), key=lambda pack: (pack[1], pack[0])))
