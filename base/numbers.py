"""How exact numbers are written."""

from decimal import Decimal


def plain(value: Decimal) -> str:
    """A decimal without an exponent or trailing zeros: equal numbers are written alike."""
    return format(value.normalize(), "f")
