"""The statements of `partners.service`, each over a whole input at once. $1 is the program.

New rows are numbered in the order of the input, so that the same input makes the same program.
"""
# ruff: noqa: S608  # statements are put together from constants, never from what comes in

from typing import Final

from partners.deciding import DECIDING

ADD_PROGRAM: Final = """
INSERT INTO program (key, name, currency, time_zone, locale, activity_kinds, created_at)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7) ON CONFLICT (key) DO NOTHING
"""
STORED_PROGRAM: Final = "SELECT name, currency, time_zone, locale, activity_kinds FROM program WHERE key = $1"

STORED_REGIONS: Final = """
SELECT r.code, p.code AS parent FROM region r
LEFT JOIN region p ON p.program_id = r.program_id AND p.id = r.parent_id WHERE r.program_id = $1
"""
# The regions that are new, without their parents, which may come later in the same input.
ADD_REGIONS: Final = """
INSERT INTO region (program_id, code, name)
SELECT $1, g.code, g.name FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS g (code, name, place) ORDER BY place
ON CONFLICT (program_id, code) DO NOTHING RETURNING id
"""
CHANGE_REGIONS: Final = """
UPDATE region r SET name = g.name, parent_id = p.id
FROM unnest($2::text[], $3::text[], $4::text[]) AS g (code, name, parent)
LEFT JOIN region p ON p.program_id = $1 AND p.code = g.parent
WHERE r.program_id = $1 AND r.code = g.code AND (r.name, r.parent_id) IS DISTINCT FROM (g.name, p.id)
RETURNING r.id, old.parent_id IS DISTINCT FROM new.parent_id AS moved
"""
REGIONS: Final = """
SELECT r.id, r.code, r.name, p.code AS parent
FROM unnest($2::text[]) WITH ORDINALITY AS g (code, place) JOIN region r ON r.program_id = $1 AND r.code = g.code
LEFT JOIN region p ON p.program_id = $1 AND p.id = r.parent_id ORDER BY g.place
"""
# The partners in these regions and in all that lies under them, locked in the order that everyone locks them in.
LOCK_PARTNERS_UNDER: Final = """
WITH RECURSIVE under AS (
    SELECT id FROM region WHERE program_id = $1 AND id = ANY($2::bigint[])
    UNION SELECT r.id FROM under u JOIN region r ON r.program_id = $1 AND r.parent_id = u.id
)
SELECT id FROM partner WHERE program_id = $1 AND region_id IN (SELECT id FROM under) ORDER BY id FOR NO KEY UPDATE
"""
RAISE_PARTNER_VERSIONS: Final = (
    "UPDATE partner SET version = version + 1 WHERE program_id = $1 AND id = ANY($2::bigint[])"
)

KNOWN_REGIONS: Final = "SELECT code FROM region WHERE program_id = $1 AND code = ANY($2::text[])"
KNOWN_PARTNERS: Final = "SELECT code FROM partner WHERE program_id = $1 AND code = ANY($2::text[])"
LOCK_PARTNERS: Final = (
    "SELECT id FROM partner WHERE program_id = $1 AND code = ANY($2::text[]) ORDER BY id FOR NO KEY UPDATE"
)
# These partners and all that they lie under.
PARENTS: Final = """
WITH RECURSIVE up AS (
    SELECT id, code, parent_id FROM partner WHERE program_id = $1 AND code = ANY($2::text[])
    UNION SELECT p.id, p.code, p.parent_id FROM up u JOIN partner p ON p.program_id = $1 AND p.id = u.parent_id
)
SELECT u.code, p.code AS parent FROM up u LEFT JOIN partner p ON p.program_id = $1 AND p.id = u.parent_id
"""
# The partners that are new, without their parents, which may come later in the same input.
ADD_PARTNERS: Final = """
INSERT INTO partner (program_id, code, name, kind, region_id, time_zone, locale, attributes, status, joined_on,
                     created_at)
SELECT $1, g.code, g.name, g.kind, r.id, g.time_zone, g.locale, g.attributes::jsonb, coalesce(g.status, 'ACTIVE'),
       g.joined_on, $12
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
            $11::date[])
     WITH ORDINALITY AS g (code, name, kind, region, parent, time_zone, locale, attributes, status, joined_on, place)
JOIN region r ON r.program_id = $1 AND r.code = g.region ORDER BY g.place
ON CONFLICT (program_id, code) DO NOTHING
"""
CHANGE_PARTNERS: Final = """
UPDATE partner p
SET name = g.name, kind = g.kind, region_id = r.id, parent_id = b.id, time_zone = g.time_zone, locale = g.locale,
    attributes = g.attributes::jsonb, status = coalesce(g.status, p.status),
    joined_on = coalesce(g.joined_on, p.joined_on),
    version = p.version + ((p.kind, p.region_id, p.status) <> (g.kind, r.id, coalesce(g.status, p.status)) OR EXISTS (
        SELECT FROM segment s, jsonb_object_keys(s.filter->'attributes') AS a (name)
        WHERE s.program_id = $1 AND p.attributes->a.name IS DISTINCT FROM g.attributes::jsonb->a.name))::int
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
            $11::date[])
     AS g (code, name, kind, region, parent, time_zone, locale, attributes, status, joined_on)
JOIN region r ON r.program_id = $1 AND r.code = g.region
LEFT JOIN partner b ON b.program_id = $1 AND b.code = g.parent
WHERE p.program_id = $1 AND p.code = g.code
  AND (p.name, p.kind, p.region_id, p.parent_id, p.time_zone, p.locale, p.attributes, p.status, p.joined_on)
      IS DISTINCT FROM
      (g.name, g.kind, r.id, b.id, g.time_zone, g.locale, g.attributes::jsonb, coalesce(g.status, p.status),
       coalesce(g.joined_on, p.joined_on))
RETURNING p.id, old.version <> new.version AS moved
"""
PARTNERS: Final = """
SELECT p.id, p.code, p.name, p.kind, r.code AS region, b.code AS parent, p.time_zone, p.locale, p.status
FROM unnest($2::text[]) WITH ORDINALITY AS g (code, place) JOIN partner p ON p.program_id = $1 AND p.code = g.code
JOIN region r ON r.program_id = $1 AND r.id = p.region_id
LEFT JOIN partner b ON b.program_id = $1 AND b.id = p.parent_id ORDER BY g.place
"""

# A product whose category, brand, unit or packs change, or an attribute that some filter asks for, gives its SKU to a
# new row: the journal goes on naming the old.
RETIRE_PRODUCTS: Final = f"""
UPDATE product p SET current = false
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     AS g (sku, category, brand, unit, packs, attributes)
WHERE p.program_id = $1 AND p.sku = g.sku AND p.current
  AND ((p.category, p.brand, p.unit, p.packs) IS DISTINCT FROM (g.category, g.brand, g.unit, g.packs::jsonb)
       OR EXISTS (SELECT FROM program o, jsonb_array_elements_text(o.settings->'{DECIDING}') AS d (name)
                  WHERE o.id = $1 AND p.attributes->d.name IS DISTINCT FROM g.attributes::jsonb->d.name))
"""
ADD_PRODUCTS: Final = """
INSERT INTO product (program_id, sku, name, category, brand, unit, packs, attributes)
SELECT $1, g.sku, g.name, g.category, g.brand, g.unit, g.packs::jsonb, g.attributes::jsonb
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
     WITH ORDINALITY AS g (sku, name, category, brand, unit, packs, attributes, place) ORDER BY g.place
ON CONFLICT (program_id, sku) WHERE current DO NOTHING
"""
CHANGE_PRODUCTS: Final = """
UPDATE product p SET name = g.name, attributes = g.attributes::jsonb
FROM unnest($2::text[], $3::text[], $4::text[]) AS g (sku, name, attributes)
WHERE p.program_id = $1 AND p.sku = g.sku AND p.current
  AND (p.name, p.attributes) IS DISTINCT FROM (g.name, g.attributes::jsonb)
"""
PRODUCTS: Final = """
SELECT p.id, p.sku, p.name, p.category, p.brand, p.unit, p.packs
FROM unnest($2::text[]) WITH ORDINALITY AS g (sku, place)
JOIN product p ON p.program_id = $1 AND p.sku = g.sku AND p.current ORDER BY g.place
"""
