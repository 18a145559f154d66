"""What is done with a file of each kind: one table, for the command line and for jobs alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from base.clock import Clock
from base.errors import NotFound
from imports.importer import Importer, Tell
from imports.mapping_toml import parse_sales_mapping
from imports.masters.mapping import parse_master_mapping
from imports.masters.work import import_masters
from imports.sales import import_sales
from imports.store import Import, ImportKind, find_import


@dataclass(frozen=True, slots=True)
class Way:
    """How files of one kind are taken in."""

    parse: Callable[[str], object]
    """Reads the mapping. Raises `InvalidMapping`."""
    take: Importer


def _masters(kind: ImportKind) -> Way:
    return Way(lambda text: parse_master_mapping(text, kind), import_masters)


WAYS: Final[Mapping[ImportKind, Way]] = {
    ImportKind.SALES: Way(parse_sales_mapping, import_sales),
    ImportKind.PARTNERS: _masters(ImportKind.PARTNERS),
    ImportKind.PRODUCTS: _masters(ImportKind.PRODUCTS),
    ImportKind.BALANCES: _masters(ImportKind.BALANCES),
}


async def run_import(
    *, program_id: int, import_id: int, stream: BinaryIO, clock: Clock, tell: Tell = lambda step: None
) -> Import:
    """Take the file in, from where its import stands to its end. Raises what the importer raises."""
    one = await find_import(program_id=program_id, import_id=import_id)
    if one is None:
        raise NotFound("there is no such import", field=["id"])
    return await WAYS[one.kind].take(one, stream, clock, tell)
