"""The journal's rows: keys claimed, originals and histories loaded, activities written, all in sets."""
# ruff: noqa: S608  # statements are put together from constants, never from what comes in

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from activity.returns import Original, remains
from activity.rules import ZERO, Activity, Line, Packed, Product
from base.database import Connection
from partners.attributes import read_attributes
from partners.deciding import DECIDING
from partners.packs import read_packs

PRODUCTS: Final = """
SELECT id, sku, category, brand, unit, packs, attributes FROM product
WHERE program_id = $1 AND sku = ANY($2::text[]) AND current
"""
# Waits for a transaction that is writing the same key right now: the callers sort, so two of them never deadlock.
CLAIM: Final = """
INSERT INTO activity_key (program_id, source, external_id, payload_hash, activity_id)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[], $5::bigint[])
ON CONFLICT DO NOTHING
RETURNING source, external_id
"""
KNOWN: Final = """
SELECT k.source, k.external_id, k.payload_hash, k.activity_id
FROM unnest($2::text[], $3::text[]) AS w (source, external_id)
JOIN activity_key k ON k.program_id = $1 AND k.source = w.source AND k.external_id = w.external_id
"""
# What was claimed for an activity that was then refused, or taken in another form.
RELEASE: Final = """
DELETE FROM activity_key k USING unnest($2::text[], $3::text[]) AS w (source, external_id)
WHERE k.program_id = $1 AND k.source = w.source AND k.external_id = w.external_id
"""

ACTIVITY: Final = """
SELECT a.id, a.partner_id, a.number, a.kind, a.source, a.external_id, a.occurred_at, a.posted_at, a.recorded_at,
       a.local_date, a.time_zone, a.currency, a.reverses_id, a.config_version,
       EXISTS (SELECT FROM activity r WHERE r.program_id = a.program_id AND r.reverses_id = a.id) AS is_reversed
FROM activity a
"""
ACTIVITIES_BY_ID: Final = f"{ACTIVITY} WHERE a.program_id = $1 AND a.id = ANY($2::bigint[])"
# All that a partner did, but for the returns: what still counts of it is in the lines' remainders.
HISTORY: Final = f"""
{ACTIVITY} WHERE a.program_id = $1 AND a.partner_id = ANY($2::bigint[]) AND a.kind <> 'RETURN' ORDER BY a.number
"""
# Attributes of products come along where some filter of the program asks for any.
LINES: Final = f"""
SELECT l.activity_id, l.line, l.product_id, p.sku, p.category, p.brand, p.unit, p.packs, l.quantity, l.amount,
       CASE WHEN g.settings ? '{DECIDING}' THEN p.attributes ELSE '{{}}' END AS attributes,
       l.unit AS pack, l.unit_quantity, l.reverses_id, l.reverses_line,
       r.quantity AS quantity_returned, r.amount AS amount_returned
FROM activity_line l
JOIN product p ON p.program_id = l.program_id AND p.id = l.product_id
JOIN program g ON g.id = $1
LEFT JOIN LATERAL (
    SELECT sum(quantity) AS quantity, sum(amount) AS amount FROM activity_line r
    WHERE r.program_id = l.program_id AND r.reverses_id = l.activity_id AND r.reverses_line = l.line
) r ON true
WHERE l.program_id = $1 AND l.activity_id = ANY($2::bigint[])
ORDER BY l.activity_id, l.line
"""

ACTIVITY_COLUMNS: Final = (
    "program_id",
    "id",
    "partner_id",
    "number",
    "kind",
    "source",
    "external_id",
    "occurred_at",
    "posted_at",
    "recorded_at",
    "local_date",
    "time_zone",
    "currency",
    "reverses_id",
    "attributes",
    "config_version",
)
LINE_COLUMNS: Final = (
    "program_id",
    "activity_id",
    "line",
    "product_id",
    "quantity",
    "amount",
    "reverses_id",
    "reverses_line",
    "unit",
    "unit_quantity",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key, what was sent under it, and the activity that has it."""

    source: str
    external_id: str
    payload_hash: bytes
    activity_id: int

    @property
    def key(self) -> tuple[str, str]:
        """(source, external id)."""
        return self.source, self.external_id


async def load_products(
    connection: Connection, *, program_id: int, skus: Sequence[str]
) -> dict[str, Product]:
    """The current products of these SKUs."""
    rows = await connection.fetch(PRODUCTS, program_id, skus)
    return {
        row["sku"]: Product(
            **{**row, "packs": read_packs(row["packs"]), "attributes": read_attributes(row["attributes"])}
        )
        for row in rows
    }


async def claim_keys(
    connection: Connection, *, program_id: int, claims: Iterable[Claim]
) -> dict[tuple[str, str], Claim]:
    """Take the keys, in one order for all, and return those that had been taken before."""
    wanted = {claim.key: claim for claim in sorted(claims, key=lambda claim: claim.key)}
    if not wanted:
        return {}
    taken = await connection.fetch(
        CLAIM,
        program_id,
        [claim.source for claim in wanted.values()],
        [claim.external_id for claim in wanted.values()],
        [claim.payload_hash for claim in wanted.values()],
        [claim.activity_id for claim in wanted.values()],
    )
    rest = wanted.keys() - {(row["source"], row["external_id"]) for row in taken}
    return await find_keys(connection, program_id=program_id, keys=sorted(rest)) if rest else {}


async def find_keys(
    connection: Connection, *, program_id: int, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Claim]:
    """Which of these (source, external id) have an activity."""
    rows = await connection.fetch(KNOWN, program_id, [key[0] for key in keys], [key[1] for key in keys])
    return {(row["source"], row["external_id"]): Claim(*row) for row in rows}


async def release_keys(connection: Connection, *, program_id: int, keys: Sequence[tuple[str, str]]) -> None:
    """Give back keys that this transaction claimed."""
    if keys:
        await connection.execute(RELEASE, program_id, [key[0] for key in keys], [key[1] for key in keys])


async def load_originals(
    connection: Connection, *, program_id: int, activity_ids: Sequence[int]
) -> dict[int, Original]:
    """Activities by id, with what is left of each line."""
    return await _with_lines(
        connection, program_id, await connection.fetch(ACTIVITIES_BY_ID, program_id, activity_ids)
    )


async def load_history(
    connection: Connection, *, program_id: int, partner_ids: Sequence[int]
) -> dict[int, Original]:
    """All that these partners did, by activity id in their order, with what is left of each line."""
    return await _with_lines(connection, program_id, await connection.fetch(HISTORY, program_id, partner_ids))


async def _with_lines(
    connection: Connection, program_id: int, rows: Sequence[Mapping[str, Any]]
) -> dict[int, Original]:
    lines: dict[int, list[Line]] = {row["id"]: [] for row in rows}
    left: dict[int, dict[int, Any]] = {row["id"]: {} for row in rows}
    products: dict[int, Product] = {}
    for row in await connection.fetch(LINES, program_id, list(lines)):
        product = products.get(row["product_id"])
        if product is None:
            product = products[row["product_id"]] = Product(
                row["product_id"],
                row["sku"],
                row["category"],
                row["brand"],
                row["unit"],
                read_packs(row["packs"]),
                read_attributes(row["attributes"]),
            )
        reverses = None if row["reverses_id"] is None else (row["reverses_id"], row["reverses_line"])
        pack = None if row["pack"] is None else Packed(row["pack"], row["unit_quantity"])
        line = Line(row["line"], product, row["quantity"], row["amount"], reverses, pack)
        lines[row["activity_id"]].append(line)
        left[row["activity_id"]][line.number] = remains(
            line.quantity - (row["quantity_returned"] or ZERO),
            line.amount - (row["amount_returned"] or ZERO),
        )
    found = {}
    for row in rows:
        activity = Activity(
            id=row["id"],
            partner_id=row["partner_id"],
            number=row["number"],
            kind=row["kind"],
            source=row["source"],
            external_id=row["external_id"],
            occurred_at=row["occurred_at"],
            posted_at=row["posted_at"],
            recorded_at=row["recorded_at"],
            local_date=row["local_date"],
            time_zone=row["time_zone"],
            currency=row["currency"],
            lines=tuple(lines[row["id"]]),
            reverses_id=row["reverses_id"],
            config_version=row["config_version"],
        )
        of_lines = left[row["id"]]
        stands = (
            any(quantity > 0 for quantity, _ in of_lines.values()) if of_lines else not row["is_reversed"]
        )
        found[activity.id] = Original(activity, of_lines, stands)
    return found


async def save_activities(connection: Connection, *, program_id: int, activities: Sequence[Activity]) -> None:
    """Write activities and their lines into the journal."""
    if not activities:
        return
    await connection.copy_records_to_table(
        "activity", columns=ACTIVITY_COLUMNS, records=[_activity(program_id, one) for one in activities]
    )
    lines = [
        (
            program_id,
            one.id,
            line.number,
            line.product.id,
            line.quantity,
            line.amount,
            *(line.reverses or (None, None)),
            *(line.pack or (None, None)),
        )
        for one in activities
        for line in one.lines
    ]
    if lines:
        await connection.copy_records_to_table("activity_line", columns=LINE_COLUMNS, records=lines)


def _activity(program_id: int, one: Activity) -> tuple[Any, ...]:
    return (
        program_id,
        one.id,
        one.partner_id,
        one.number,
        one.kind,
        one.source,
        one.external_id,
        one.occurred_at,
        one.posted_at,
        one.recorded_at,
        one.local_date,
        one.time_zone,
        one.currency,
        one.reverses_id,
        None if one.attributes is None else orjson.dumps(one.attributes).decode(),
        one.config_version,
    )
