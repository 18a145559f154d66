"""How exact numbers are written."""

from decimal import Decimal


def plain(value: Decimal) -> str:
    """A decimal without an exponent, trailing zeros or a sign on zero: equal numbers are written alike."""
    return format(value.normalize(), "f") if value else "0"
