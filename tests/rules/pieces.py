"""Frozen pieces for the tests of pure rules: products, lines, activities, partners."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from activity.returns import Original
from activity.rules import Activity, Line, Product
from partners.rules import PartnerView

AT: Final = datetime(2026, 11, 20, 8, tzinfo=UTC)
TEA: Final = Product(1, "tea", "drinks", "Harbour", "EA")
COFFEE: Final = Product(2, "coffee", "drinks", "Roast", "EA")
SOAP: Final = Product(3, "soap", "household", "Harbour", "EA")
SHOP: Final = PartnerView(
    7, "shop", "Shop", "RETAILER", "JKT", frozenset({"JKT", "ID"}), "bronze", "ACTIVE", "UTC", "en"
)

Sold = tuple[Product, str | int, str | int]


def make_lines(*sold: Sold) -> tuple[Line, ...]:
    """Lines of (product, quantity, amount), counted from 1."""
    return tuple(
        Line(number, product, Decimal(quantity), Decimal(amount))
        for number, (product, quantity, amount) in enumerate(sold, start=1)
    )


def make_activity(*sold: Sold, kind: str = "SALE", at: datetime = AT, id_: int = 1) -> Activity:
    """An activity of SHOP, in UTC."""
    return Activity(
        id=id_,
        partner_id=SHOP.id,
        number=id_,
        kind=kind,
        source="pos",
        external_id=f"x{id_}",
        occurred_at=at,
        posted_at=at,
        recorded_at=at,
        local_date=at.date(),
        time_zone="UTC",
        currency="USD",
        lines=make_lines(*sold),
    )


def taken(original: Original, *parts: tuple[int, str | int, str | int]) -> Sequence[Line]:
    """Lines that take back (line, quantity, amount)."""
    return [
        Line(
            number,
            original.activity.lines[place - 1].product,
            Decimal(quantity),
            Decimal(amount),
            (original.activity.id, place),
        )
        for number, (place, quantity, amount) in enumerate(parts, start=1)
    ]
