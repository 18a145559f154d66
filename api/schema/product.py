"""Product: what is sold, and counted in its unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.faults import Given, UserError
from api.schema.scalars import JSON
from partners.checks import check_unique, item_path
from partners.service import ProductInput, ProductRow, upsert_products


@strawberry.type(description="What else than its own unit a product is sold in.")
class Pack:
    unit: str
    quantity: Decimal = strawberry.field(description="How much of the product's own unit it holds.")


@strawberry.type(description="A product as it is from now on.")
class Product:
    sku: str
    name: str
    category: str | None
    brand: str | None
    unit: str = strawberry.field(description="In which it is counted.")
    packs: list[Pack] = strawberry.field(description="The smallest first.")

    @classmethod
    def of(cls, row: ProductRow) -> Product:
        packs = [Pack(unit=unit, quantity=quantity) for unit, quantity in row.packs.items()]
        return cls(
            sku=row.sku, name=row.name, category=row.category, brand=row.brand, unit=row.unit, packs=packs
        )


@strawberry.input
class PackInput:
    unit: str
    quantity: Decimal = strawberry.field(
        description="How much of the product's own unit it holds: above 0, six decimals at most."
    )


@strawberry.input(name="ProductInput")
class ProductUpsertItem:
    sku: str
    name: str
    category: str | None = None
    brand: str | None = None
    unit: str = strawberry.field(default="EA", description="In which it is counted.")
    attributes: JSON | None = None
    packs: list[PackInput] | None = strawberry.field(
        default=None, description="What else it is sold in: 20 at most."
    )

    def taken(self, index: int) -> ProductInput:
        packs = self.packs or []
        check_unique((pack.unit for pack in packs), item_path(["products"], index, "packs"), name="unit")
        return ProductInput(
            sku=self.sku,
            name=self.name,
            category=self.category,
            brand=self.brand,
            unit=self.unit,
            attributes=self.attributes,
            packs={pack.unit: pack.quantity for pack in packs},
        )


@strawberry.input
class ProductUpsertInput:
    products: list[ProductUpsertItem]


@strawberry.type
class ProductUpsertPayload:
    products: list[Product]


ProductUpsertResult: TypeAlias = Annotated[
    ProductUpsertPayload | UserError, strawberry.union("ProductUpsertResult")
]


@strawberry.type
class ProductMutation:
    @strawberry.field(
        description="Create and change products: all of them, or none. What is left out is cleared."
    )
    async def product_upsert(self, info: Info, given: Given[ProductUpsertInput]) -> ProductUpsertResult:
        products = [one.taken(index) for index, one in enumerate(given.products)]
        rows = await upsert_products(program_id=info.context.program_id, products=products)
        return ProductUpsertPayload(products=[Product.of(row) for row in rows])
