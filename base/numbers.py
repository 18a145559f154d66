"""How exact numbers are written."""

from decimal import Context, Decimal
from typing import Final

EXACT: Final = Context(prec=100)
"""Wide enough for a product of three of our numbers: what is floored must not have been rounded before."""


def exactly(value: Decimal) -> str:
    """A decimal without an exponent, with the digits that it has. `format` alone takes twice as long."""
    text = str(value)
    return format(value, "f") if "E" in text else text


def plain(value: Decimal) -> str:
    """A decimal without an exponent, trailing zeros or a sign on zero: equal numbers are written alike."""
    text = exactly(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if value else "0"
