"""Partners and products as they stand, each as the input that would state it: to change a part and keep the rest."""

from collections.abc import Sequence
from typing import Final

import orjson

from base.database import Connection
from partners.inputs import PartnerInput, PartnerKind, PartnerStatus, ProductInput
from partners.packs import read_packs
from partners.statements import KNOWN_REGIONS

PARTNERS: Final = """
SELECT p.code, p.name, p.kind, r.code AS region, b.code AS parent, p.time_zone, p.locale, p.status,
       p.attributes::text, p.joined_on
FROM partner p JOIN region r ON r.program_id = $1 AND r.id = p.region_id
LEFT JOIN partner b ON b.program_id = $1 AND b.id = p.parent_id
WHERE p.program_id = $1 AND p.code = ANY($2::text[])
"""
PRODUCTS: Final = """
SELECT sku, name, category, brand, unit, packs::text, attributes::text FROM product
WHERE program_id = $1 AND sku = ANY($2::text[]) AND current
"""


async def load_partner_inputs(
    connection: Connection, *, program_id: int, codes: Sequence[str]
) -> dict[str, PartnerInput]:
    """Those of these partners that exist, by code."""
    return {
        row["code"]: PartnerInput(
            **{
                **row,
                "kind": PartnerKind(row["kind"]),
                "status": PartnerStatus(row["status"]),
                "attributes": orjson.loads(row["attributes"]),
            }
        )
        for row in await connection.fetch(PARTNERS, program_id, codes)
    }


async def load_product_inputs(
    connection: Connection, *, program_id: int, skus: Sequence[str]
) -> dict[str, ProductInput]:
    """Those of these products that exist, by SKU."""
    return {
        row["sku"]: ProductInput(
            **{**row, "packs": read_packs(row["packs"]), "attributes": orjson.loads(row["attributes"])}
        )
        for row in await connection.fetch(PRODUCTS, program_id, skus)
    }


async def load_known_regions(connection: Connection, *, program_id: int, codes: Sequence[str]) -> set[str]:
    """Which of these regions exist."""
    return {row["code"] for row in await connection.fetch(KNOWN_REGIONS, program_id, codes)}
