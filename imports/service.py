"""What is done with a file of each kind: one table, for the command line and for jobs alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from base.clock import Clock
from base.errors import Invalid, NotFound
from imports.importer import Importer, Tell
from imports.mapping_toml import parse_sales_mapping
from imports.sales import import_sales
from imports.store import Import, ImportKind, find_import


@dataclass(frozen=True, slots=True)
class Way:
    """How files of one kind are taken in."""

    parse: Callable[[str], object]
    """Reads the mapping. Raises `InvalidMapping`."""
    take: Importer


WAYS: Final[Mapping[ImportKind, Way]] = {
    ImportKind.SALES: Way(parse_sales_mapping, import_sales),
}


def way_of(kind: ImportKind) -> Way:
    """How files of this kind are taken in. NOT_SUPPORTED."""
    if kind not in WAYS:
        raise Invalid(f"{kind} cannot be imported yet", code="NOT_SUPPORTED", field=["kind"])
    return WAYS[kind]


async def run_import(
    *, program_id: int, import_id: int, stream: BinaryIO, clock: Clock, tell: Tell = lambda step: None
) -> Import:
    """Take the file in, from where its import stands to its end. Raises what the importer raises."""
    one = await find_import(program_id=program_id, import_id=import_id)
    if one is None:
        raise NotFound("there is no such import", field=["id"])
    return await way_of(one.kind).take(one, stream, clock, tell)
