"""Programs are created; regions, partners and products are upserted in sets, all of an input or nothing.

An upsert of 10,000 items is a fixed number of statements. It is idempotent: what stands already is not written again.
Parents may stand anywhere in the input; no region and no partner ever lies under itself. What others see of a partner
(kind, region, status, where its region lies, attributes that a segment asks for) never changes without a new
`partner.version` and an outbox row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson

from base import outbox
from base.database import Connection, retrying, transaction
from partners.checks import check_known
from partners.configuration import LockedProgram, configure, raise_config_version, settle_key
from partners.inputs import (
    ACTIVITY_KINDS,
    PartnerInput,
    PartnerKind,
    PartnerStatus,
    ProductInput,
    ProgramInput,
    RegionInput,
    check_partners,
    check_products,
    check_program,
    check_regions,
)
from partners.packs import read_packs
from partners.queries import ProgramRow, find_program
from partners.statements import (
    ADD_PARTNERS,
    ADD_PRODUCTS,
    ADD_PROGRAM,
    ADD_REGIONS,
    CHANGE_PARTNERS,
    CHANGE_PRODUCTS,
    CHANGE_REGIONS,
    KNOWN_PARTNERS,
    KNOWN_REGIONS,
    LOCK_PARTNERS,
    LOCK_PARTNERS_UNDER,
    PARENTS,
    PARTNERS,
    PRODUCTS,
    RAISE_PARTNER_VERSIONS,
    REGIONS,
    RETIRE_PRODUCTS,
    STORED_PROGRAM,
    STORED_REGIONS,
)
from partners.trees import check_parents

__all__ = [
    "ACTIVITY_KINDS",
    "PartnerInput",
    "PartnerKind",
    "PartnerRow",
    "PartnerStatus",
    "ProductInput",
    "ProductRow",
    "ProgramInput",
    "RegionInput",
    "RegionRow",
    "create_program",
    "upsert_partners",
    "upsert_products",
    "upsert_regions",
    "write_partners",
    "write_products",
    "write_regions",
]


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A region as it stands; `parent` by code."""

    id: int
    code: str
    name: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """A partner as it stands; region and parent by code, zone and locale null where they are the program's."""

    id: int
    code: str
    name: str
    kind: PartnerKind
    region: str
    parent: str | None
    time_zone: str | None
    locale: str | None
    status: PartnerStatus


@dataclass(frozen=True, slots=True)
class ProductRow:
    """A product as it stands; `packs` by unit, the smallest first."""

    id: int
    sku: str
    name: str
    category: str | None
    brand: str | None
    unit: str
    packs: Mapping[str, Decimal]


async def create_program(*, program: ProgramInput, now: datetime) -> ProgramRow:
    """Create a program; the same again answers the one that stands. KEY_TAKEN where it has another content."""
    check_program(program)
    asked = {
        "name": program.name,
        "currency": program.currency,
        "time_zone": program.time_zone,
        "locale": program.locale,
        "activity_kinds": list(program.activity_kinds),
    }

    async def work() -> ProgramRow:
        async with transaction() as connection:
            kinds = orjson.dumps(asked["activity_kinds"]).decode()
            settings = (program.name, program.currency, program.time_zone, program.locale, kinds)
            await connection.execute(ADD_PROGRAM, program.key, *settings, now)
            stored = await connection.fetchrow(STORED_PROGRAM, program.key)
            assert stored is not None, "it was added, or stood there"
            kinds_stored = orjson.loads(stored["activity_kinds"])
            settle_key(program.key, stored={**stored, "activity_kinds": kinds_stored}, asked=asked)
            return await find_program(connection, program.key)

    return await retrying(work)


async def upsert_regions(
    *, program_id: int, regions: Sequence[RegionInput], only_new: bool = False
) -> list[RegionRow]:
    """Create and change regions, and answer them in the order given; with `only_new` those that exist stay as they are.

    UNKNOWN_REGION, CYCLE, DUPLICATE, TOO_MANY, INVALID_CODE, INVALID_NAME, for all of the input alike.
    """
    return await configure(
        program_id,
        lambda connection, program: write_regions(connection, program, regions, only_new=only_new),
    )


async def write_regions(
    connection: Connection, program: LockedProgram, regions: Sequence[RegionInput], *, only_new: bool = False
) -> list[RegionRow]:
    """`upsert_regions` in a transaction of the caller's, which holds the program's lock. Nothing is written before
    all is checked."""
    check_regions(regions)
    asked = [region.code for region in regions]
    stored = {row["code"]: row["parent"] for row in await connection.fetch(STORED_REGIONS, program.id)}
    check_parents({region.code: region.parent for region in regions}, stored, ["regions"], "region")
    if only_new:
        regions = [region for region in regions if region.code not in stored]
    codes, names = [region.code for region in regions], [region.name for region in regions]
    parents = [region.parent for region in regions]
    added = await connection.fetch(ADD_REGIONS, program.id, codes, names)
    changed = await connection.fetch(CHANGE_REGIONS, program.id, codes, names, parents)
    if moved := [row["id"] for row in changed if row["moved"]]:
        # An audience names a region with all that lies under it: these partners may have entered or left one.
        under = [row["id"] for row in await connection.fetch(LOCK_PARTNERS_UNDER, program.id, moved)]
        await connection.execute(RAISE_PARTNER_VERSIONS, program.id, under)
        await _tell_of(connection, program, under)
    if added or changed:
        await raise_config_version(connection, program.id)
    return [RegionRow(**dict(row)) for row in await connection.fetch(REGIONS, program.id, asked)]


async def upsert_partners(
    *, program_id: int, partners: Sequence[PartnerInput], now: datetime, only_new: bool = False
) -> list[PartnerRow]:
    """Create and change partners, and answer them in the order given; with `only_new` those that exist stay as they
    are. Personal data has no place here.

    UNKNOWN_REGION, UNKNOWN_PARTNER (a parent), CYCLE, DUPLICATE, TOO_MANY, INVALID_CODE, INVALID_NAME,
    INVALID_TIME_ZONE, INVALID_LOCALE, INVALID_ATTRIBUTES, for all of the input alike.
    """
    return await configure(
        program_id,
        lambda connection, program: write_partners(connection, program, partners, now=now, only_new=only_new),
    )


async def write_partners(
    connection: Connection,
    program: LockedProgram,
    partners: Sequence[PartnerInput],
    *,
    now: datetime,
    only_new: bool = False,
) -> list[PartnerRow]:
    """`upsert_partners` in a transaction of the caller's, which holds the program's lock. Nothing is written before
    all is checked."""
    attributes = check_partners(partners)
    asked, regions = [partner.code for partner in partners], [partner.region for partner in partners]
    known = await connection.fetch(KNOWN_REGIONS, program.id, regions)
    check_known(regions, (row["code"] for row in known), ["partners"], noun="region", name="region")
    standing = await connection.fetch(KNOWN_PARTNERS if only_new else LOCK_PARTNERS, program.id, asked)
    parents = {partner.code: partner.parent for partner in partners}
    rows = await connection.fetch(
        PARENTS, program.id, [parent for parent in parents.values() if parent is not None]
    )
    check_parents(parents, {row["code"]: row["parent"] for row in rows}, ["partners"], "partner")
    if only_new:
        known_codes = {row["code"] for row in standing}
        new = [place for place, code in enumerate(asked) if code not in known_codes]
        partners, attributes = [partners[place] for place in new], [attributes[place] for place in new]
    columns = (
        [partner.code for partner in partners],
        [partner.name for partner in partners],
        [partner.kind.value for partner in partners],
        [partner.region for partner in partners],
        [partner.parent for partner in partners],
        [partner.time_zone for partner in partners],
        [partner.locale for partner in partners],
        attributes,
        [partner.status.value if partner.status else None for partner in partners],
        [partner.joined_on for partner in partners],
    )
    await connection.execute(ADD_PARTNERS, program.id, *columns, now)
    changed = await connection.fetch(CHANGE_PARTNERS, program.id, *columns)
    if moved := [row["id"] for row in changed if row["moved"]]:
        await _tell_of(connection, program, moved)
        await raise_config_version(connection, program.id)
    rows = await connection.fetch(PARTNERS, program.id, asked)
    return [
        PartnerRow(**{**row, "kind": PartnerKind(row["kind"]), "status": PartnerStatus(row["status"])})
        for row in rows
    ]


async def _tell_of(connection: Connection, program: LockedProgram, partner_ids: Sequence[int]) -> None:
    """Leave word that boards may have to show these partners elsewhere, or no longer."""
    if partner_ids:
        await outbox.write(connection, program_id=program.id, partner_ids=partner_ids, transaction_ids=[])


async def upsert_products(
    *, program_id: int, products: Sequence[ProductInput], only_new: bool = False
) -> list[ProductRow]:
    """Create and change products, and answer them in the order given; with `only_new` those that exist stay as they
    are.

    DUPLICATE, TOO_MANY, INVALID_CODE, INVALID_NAME, INVALID_ATTRIBUTES; of packs NOT_POSITIVE, TOO_LARGE, TOO_PRECISE.
    """
    return await configure(
        program_id,
        lambda connection, program: write_products(connection, program, products, only_new=only_new),
    )


async def write_products(
    connection: Connection,
    program: LockedProgram,
    products: Sequence[ProductInput],
    *,
    only_new: bool = False,
) -> list[ProductRow]:
    """`upsert_products` in a transaction of the caller's, which holds the program's lock. Nothing is written before
    all is checked."""
    packs, attributes = check_products(products)
    skus, names = [product.sku for product in products], [product.name for product in products]
    deciding = (
        [product.category for product in products],
        [product.brand for product in products],
        [product.unit for product in products],
        packs,
    )
    if not only_new:
        retired = await connection.execute(RETIRE_PRODUCTS, program.id, skus, *deciding, attributes)
        if retired != "UPDATE 0":
            # What is new to everyone is looked up when it is met; what changed is remembered as it was.
            await raise_config_version(connection, program.id)
    await connection.execute(ADD_PRODUCTS, program.id, skus, names, *deciding, attributes)
    if not only_new:
        await connection.execute(CHANGE_PRODUCTS, program.id, skus, names, attributes)
    rows = await connection.fetch(PRODUCTS, program.id, skus)
    return [ProductRow(**{**row, "packs": read_packs(row["packs"])}) for row in rows]
