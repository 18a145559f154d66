"""What partners bought of certain products, and how much of it has not come back: read from the journal."""

from collections.abc import Collection
from typing import Final

from base.database import Connection
from imports.matching import Goods, SoldBefore, SoldLine
from partners.packs import read_packs

# Found by the partner's own activities: a product is bought by many, and a partner buys little of it.
SOLD: Final = """
SELECT w.partner, w.sku, a.source, a.external_id, l.line, a.occurred_at, a.number,
       l.quantity - coalesce(r.quantity, 0) AS quantity, l.amount - coalesce(r.amount, 0) AS amount,
       o.packs::text AS packs,
       coalesce(n.document, a.external_id) AS document
FROM (SELECT partner, array_agg(sku) AS skus FROM unnest($2::text[], $3::text[]) AS u (partner, sku) GROUP BY 1) g
JOIN partner p ON p.program_id = $1 AND p.code = g.partner
JOIN activity a ON a.program_id = $1 AND a.partner_id = p.id AND a.kind <> 'RETURN'
JOIN activity_line l ON l.program_id = $1 AND l.activity_id = a.id
JOIN product o ON o.program_id = $1 AND o.id = l.product_id AND o.sku = ANY (g.skus)
CROSS JOIN LATERAL (SELECT g.partner, o.sku) w
LEFT JOIN import_activity n ON n.program_id = $1 AND n.source = a.source AND n.external_id = a.external_id
LEFT JOIN LATERAL (
    SELECT sum(quantity) AS quantity, sum(amount) AS amount FROM activity_line r
    WHERE r.program_id = $1 AND r.reverses_id = l.activity_id AND r.reverses_line = l.line
) r ON true
WHERE l.quantity > coalesce(r.quantity, 0)
"""


async def load_sold_lines(connection: Connection, *, program_id: int, goods: Collection[Goods]) -> SoldBefore:
    """What is left of what these partners bought of these products."""
    if not goods:
        return []
    partners, skus = [partner for partner, _ in goods], [sku for _, sku in goods]
    return [
        (
            (row["partner"], row["sku"]),
            SoldLine(
                source=row["source"],
                external_id=row["external_id"],
                line=row["line"],
                occurred_at=row["occurred_at"],
                order=row["number"],
                quantity=row["quantity"],
                amount=row["amount"],
                packs=read_packs(row["packs"]),
                document=row["document"],
            ),
        )
        for row in await connection.fetch(SOLD, program_id, partners, skus)
    ]
