"""Product: what is sold, and counted in its unit."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from api.context import Info
from api.schema.faults import Given, UserError
from api.schema.scalars import JSON
from partners.service import ProductInput, upsert_products


@strawberry.type(description="A product as it is from now on.")
class Product:
    sku: str
    name: str
    category: str | None
    brand: str | None
    unit: str


@strawberry.input(name="ProductInput")
class ProductUpsertItem:
    sku: str
    name: str
    category: str | None = None
    brand: str | None = None
    unit: str = "EA"
    attributes: JSON | None = None


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
        products = [
            ProductInput(one.sku, one.name, one.category, one.brand, one.unit, one.attributes)
            for one in given.products
        ]
        rows = await upsert_products(program_id=info.context.program_id, products=products)
        return ProductUpsertPayload(
            products=[
                Product(sku=row.sku, name=row.name, category=row.category, brand=row.brand, unit=row.unit)
                for row in rows
            ]
        )
