"""Takes texts in as files of sales, and looks at what became of their rows."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from base.clock import Clock
from base.database import reading
from imports.listing import list_refused
from imports.rows import Refused
from imports.sales import import_sales
from imports.store import Import, ImportKind, Step, begin_import, find_import
from tests.world import World

MAPPING = """
source = "erp"
[columns]
document = "doc"
partner = "shop"
date = "at"
sku = "sku"
quantity = "qty"
amount = "paid"
[returns]
when = { column = "doc", starts_with = ["C"] }
"""
CREATING = """
source = "erp"
[columns]
document = "doc"
partner = "shop"
date = "at"
sku = "sku"
quantity = "qty"
amount = "paid"
region = "area"
product_name = "what"
[returns]
when = { column = "doc", starts_with = ["C"] }
[partners]
unknown = "create"
unknown_regions = "create"
[products]
unknown = "create"
"""
HEADER = "doc,shop,at,sku,qty,paid"


def rows(*lines: str, header: str = HEADER) -> str:
    """A file with these rows."""
    return "\n".join((header, *lines)) + "\n"


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the rows of an import."""

    read: int
    recorded: int
    duplicates: int
    refused: dict[int, str]
    """Codes by line."""


async def begin(
    world: World, content: bytes, *, mapping: str = MAPPING, history: bool = False, name: str = "sales.csv"
) -> Import:
    """The import of a file, as it stands."""
    return await begin_import(
        program_id=world.program_id,
        kind=ImportKind.SALES,
        file_name=name,
        file_digest=blake2b(content, digest_size=32).digest(),
        file_size=len(content),
        mapping=mapping,
        history=history,
        created_by="test",
        now=world.clock.now(),
    )


async def take(
    world: World,
    text: str | bytes,
    *,
    mapping: str = MAPPING,
    history: bool = False,
    clock: Clock | None = None,
    tell: Callable[[Step], None] = lambda step: None,
) -> Import:
    """Take a file in, from where its import stands."""
    content = text.encode() if isinstance(text, str) else text
    one = await begin(world, content, mapping=mapping, history=history)
    return await import_sales(one, io.BytesIO(content), clock or world.clock, tell)


async def refusals(one: Import) -> list[Refused]:
    """The first thousand rows that it refused."""
    async with reading() as connection:
        return await list_refused(
            connection, program_id=one.program_id, import_id=one.id, after=None, first=1_000
        )


async def account(one: Import) -> Account:
    """What became of its rows; they add up."""
    found = await find_import(program_id=one.program_id, import_id=one.id)
    assert found is not None
    refused = await refusals(one)
    reasons: dict[str, int] = {}
    for row in refused:
        reasons[row.code] = reasons.get(row.code, 0) + 1
    assert found.reasons == reasons
    assert found.read == found.recorded + found.duplicates + found.refused
    assert found.refused == len(refused)
    return Account(found.read, found.recorded, found.duplicates, {row.raw.line: row.code for row in refused})


async def taken(world: World, text: str | bytes, *, mapping: str = MAPPING) -> Account:
    """Take a file in and say what became of its rows."""
    return await account(await take(world, text, mapping=mapping))


async def journal(world: World) -> list[tuple[str, str, str, list[tuple[str, int, int]]]]:
    """The activities in the order of acceptance: external id, kind, partner, and (SKU, quantity, amount) by line."""
    found: dict[int, tuple[str, str, str, list[tuple[str, int, int]]]] = {}
    query = """
        SELECT a.id, a.external_id, a.kind, p.code, o.sku, l.quantity, l.amount
        FROM activity a JOIN partner p ON p.program_id = a.program_id AND p.id = a.partner_id
        JOIN activity_line l ON l.program_id = a.program_id AND l.activity_id = a.id
        JOIN product o ON o.program_id = a.program_id AND o.id = l.product_id
        WHERE a.program_id = $1 ORDER BY a.recorded_at, a.id, l.line
    """
    for row in await world.rows(query):
        one = found.setdefault(row["id"], (row["external_id"], row["kind"], row["code"], []))
        one[3].append((row["sku"], int(row["quantity"]), int(row["amount"])))
    return list(found.values())
