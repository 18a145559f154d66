"""Partners, regions and products that a file names and the program does not have: created, or their rows are refused.

What is created is described by the first row that names it. What exists is never changed.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from base.database import reading
from base.errors import Invalid
from imports.mapping import SalesMapping, Unknown
from imports.rows import Refused, SalesRow
from partners.inputs import PartnerInput, ProductInput, RegionInput
from partners.service import upsert_partners, upsert_products, upsert_regions

MISSING_PARTNERS: Final = """
SELECT code FROM unnest($2::text[]) AS w (code)
WHERE NOT EXISTS (SELECT FROM partner p WHERE p.program_id = $1 AND p.code = w.code)
"""
MISSING_REGIONS: Final = """
SELECT code FROM unnest($2::text[]) AS w (code)
WHERE NOT EXISTS (SELECT FROM region r WHERE r.program_id = $1 AND r.code = w.code)
"""
MISSING_PRODUCTS: Final = """
SELECT code FROM unnest($2::text[]) AS w (code)
WHERE NOT EXISTS (SELECT FROM product o WHERE o.program_id = $1 AND o.sku = w.code AND o.current)
"""

Fault: TypeAlias = tuple[str, str]
"""A code and a message."""
Item = TypeVar("Item")


async def create_newcomers(
    *, program_id: int, rows: Sequence[SalesRow], mapping: SalesMapping, now: datetime
) -> list[Refused]:
    """Create what the mapping lets be created. Answers the rows that name something unknown all the same."""
    partners = await _create_partners(program_id, rows, mapping, now)
    products = await _create_products(program_id, rows, mapping)
    return [
        Refused(row.raw, *fault)
        for row in rows
        if (fault := partners.get(row.partner) or products.get(row.sku)) is not None
    ]


async def _create_partners(
    program_id: int, rows: Sequence[SalesRow], mapping: SalesMapping, now: datetime
) -> dict[str, Fault]:
    """Why partners are still unknown, by code."""
    rules = mapping.partners
    missing = await _missing(MISSING_PARTNERS, program_id, {row.partner for row in rows})
    if rules.unknown is Unknown.REFUSE:
        return {code: ("UNKNOWN_PARTNER", f"there is no partner {code}") for code in missing}
    first = _first(rows, missing, lambda row: row.partner)
    placed = {code: row.region or rules.region for code, row in first.items()}
    regions = {region for region in placed.values() if region is not None}
    unknown: dict[str, Fault] = {
        code: ("UNKNOWN_REGION", f"there is no region {code}")
        for code in await _missing(MISSING_REGIONS, program_id, regions)
    }
    if rules.unknown_regions is Unknown.CREATE and unknown:
        unknown = await _create(
            {code: RegionInput(code, code) for code in unknown},
            lambda items: upsert_regions(program_id=program_id, regions=items, only_new=True),
        )
    faults: dict[str, Fault] = {}
    inputs = {}
    for code, row in first.items():
        region = placed[code]
        if region is None:
            faults[code] = ("UNKNOWN_REGION", f"partner {code} is new, and its row names no region")
        elif region in unknown:
            faults[code] = unknown[region]
        else:
            inputs[code] = PartnerInput(code, row.partner_name or code, rules.kind, region)
    return faults | await _create(
        inputs, lambda items: upsert_partners(program_id=program_id, partners=items, now=now, only_new=True)
    )


async def _create_products(
    program_id: int, rows: Sequence[SalesRow], mapping: SalesMapping
) -> dict[str, Fault]:
    """Why products are still unknown, by SKU."""
    missing = await _missing(MISSING_PRODUCTS, program_id, {row.sku for row in rows})
    if mapping.products.unknown is Unknown.REFUSE:
        return {sku: ("UNKNOWN_SKU", f"there is no product {sku}") for sku in missing}
    inputs = {
        sku: ProductInput(sku, row.product_name or sku, row.category, row.brand, row.unit or "EA")
        for sku, row in _first(rows, missing, lambda row: row.sku).items()
    }
    return await _create(
        inputs, lambda items: upsert_products(program_id=program_id, products=items, only_new=True)
    )


async def _missing(query: str, program_id: int, codes: Collection[str]) -> set[str]:
    async with reading() as connection:
        return {row["code"] for row in await connection.fetch(query, program_id, sorted(codes))}


def _first(
    rows: Iterable[SalesRow], codes: Collection[str], code_of: Callable[[SalesRow], str]
) -> dict[str, SalesRow]:
    """The first row that names each of these codes."""
    found: dict[str, SalesRow] = {}
    for row in rows:
        if code_of(row) in codes:
            found.setdefault(code_of(row), row)
    return found


async def _create(
    items: Mapping[str, Item], upsert: Callable[[list[Item]], Awaitable[object]]
) -> dict[str, Fault]:
    """Create them all but those that cannot be; answers why."""
    left, faults = dict(items), dict[str, Fault]()
    while left:
        try:
            await upsert(list(left.values()))
            break
        except Invalid as error:
            code = list(left)[int(error.field[1])]
            faults[code] = (error.code, f"{code}: {error.message}")
            del left[code]
    return faults
