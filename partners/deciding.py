"""Which attributes of products decide: those that some filter asks for.

They are noted in the program's settings when the first filter asks, and never forgotten. From then on a change of one
makes a new row of the product, as a change of its category does; what nothing asks for changes in place.
"""
# ruff: noqa: S608  # statements are put together from constants, never from what comes in

from collections.abc import Collection
from typing import Final

from base.database import Connection

DECIDING: Final = "productAttributes"

NOTE: Final = f"""
UPDATE program SET settings = settings || jsonb_build_object('{DECIDING}',
    (SELECT jsonb_agg(DISTINCT name) FROM (
        SELECT jsonb_array_elements_text(coalesce(settings->'{DECIDING}', '[]')) UNION ALL SELECT unnest($2::text[])
    ) AS n (name)))
WHERE id = $1 AND NOT coalesce(settings->'{DECIDING}' ?& $2::text[], false)
"""


async def let_attributes_decide(connection: Connection, *, program_id: int, names: Collection[str]) -> None:
    """Note that a filter asks for these attributes of products, in a change of the program's configuration."""
    if names:
        await connection.execute(NOTE, program_id, list(names))
