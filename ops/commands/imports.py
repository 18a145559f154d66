"""`mitra import`: files from real systems, and how far each has come."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from base.settings import Settings
    from imports.store import Import

ALL_REFUSED = 3
"""Exit status where a file holds rows and every one of them is refused."""


class Kind(StrEnum):
    """What a file holds."""

    SALES = "sales"
    PARTNERS = "partners"
    PRODUCTS = "products"
    BALANCES = "balances"


File = Annotated[Path, typer.Argument(help="A CSV file, perhaps gzipped.", show_default=False)]
Mapping = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file that says how to read the columns.", show_default="columns by their own names"
    ),
]
Program = Annotated[
    str | None, typer.Option(help="The program's key; may be left out where there is one program.")
]


def register(app: typer.Typer) -> None:
    """Add the family's commands."""
    imports = typer.Typer(
        help="Take files in, from ERP, POS and CRM systems; how far each has come.", no_args_is_help=True
    )
    for command in (check, sales, partners, products, balances, show):
        imports.command()(command)
    imports.command("list")(list_all)
    app.add_typer(imports, name="import")


def check(
    file: File,
    write: Annotated[
        Path | None,
        typer.Option(
            help="Write the mapping to this file, which must not be there yet.", show_default="print it"
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="Try this mapping: tell what the first rows would become, and what would be refused.",
            show_default="propose one",
        ),
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(
            help="What the file holds. All but sales are tried by the names of their columns without a mapping.",
            case_sensitive=False,
        ),
    ] = Kind.SALES,
    rows: Annotated[
        int, typer.Option(help="How many rows a trial shows one by one.", min=0, max=10_000)
    ] = 10,
) -> None:
    """Look at a file of sales, and propose a mapping for it; or try a mapping. It needs no server, and changes nothing.

    What stands in each column is told on stderr, the mapping on stdout. With --mapping, exit status 3 where every row
    would be refused.

    Example: [bold]mitra import check sales.csv.gz --write sales.toml[/bold], then
    [bold]mitra import check sales.csv.gz --mapping sales.toml[/bold]
    """
    from ops.import_check import check_import, try_import

    if mapping is None and kind is Kind.SALES:
        check_import(file, write=write)
        return
    if write is not None:
        raise typer.BadParameter(
            "a mapping of sales is proposed, or a mapping is tried", param_hint="--write"
        )
    from imports.store import ImportKind

    found = try_import(file, mapping, kind=ImportKind(kind.name), shown=rows)
    if found.rows and found.reasons.total() == found.rows:
        raise typer.Exit(ALL_REFUSED)


def sales(
    file: File,
    mapping: Annotated[
        Path, typer.Option(help="A TOML file that says how to read the columns: see `mitra import check`.")
    ],
    program: Program = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Book each sale at the time at which it happened, as if it had been sent then."
        ),
    ] = False,
) -> None:
    """Record sales and returns out of an ERP's or a POS system's export. What was recorded before counts once.

    Exit status 0 where the file was taken to its end, whatever was refused, and 3 where every row was; refused rows are
    written beside it, and can be mended and imported alone. The same command goes on where it was stopped.

    Example: [bold]mitra import sales invoices.csv.gz --mapping invoices.toml[/bold]
    """
    from base.settings import Settings
    from imports.mapping_toml import parse_sales_mapping
    from imports.sales import import_sales
    from imports.store import ImportKind
    from ops.importing import ImportSource, import_file, naming, read_mapping
    from ops.running import run

    settings = Settings()
    text = read_mapping(mapping)
    source = ImportSource(file=file, kind=ImportKind.SALES, mapping=text, history=history, program=program)
    with naming(mapping):
        parse_sales_mapping(text)
        done = run(import_file(settings, source, importer=import_sales), settings)
    _exit(done)


def partners(
    file: File,
    mapping: Mapping = None,
    program: Program = None,
    create_regions: Annotated[
        bool, typer.Option("--create-regions", help="Create regions that are not there, named by their code.")
    ] = False,
) -> None:
    """Create and change partners. What stands already is left alone; what has no column is kept.

    Exit status 0 where the file was taken to its end, whatever was refused, and 3 where every row was; refused rows are
    written beside it. The same command goes on where it was stopped.

    Example: [bold]mitra import partners partners.csv --create-regions[/bold]
    """
    from imports.masters.mapping import with_new_regions
    from ops.importing import naming, read_mapping

    with naming(mapping):
        text = read_mapping(mapping)
        _import("PARTNERS", file, with_new_regions(text) if create_regions else text, program)


def products(file: File, mapping: Mapping = None, program: Program = None) -> None:
    """Create and change products, with their packs. What stands already is left alone; what has no column is kept.

    Example: [bold]mitra import products products.csv.gz[/bold]
    """
    from ops.importing import naming, read_mapping

    with naming(mapping):
        _import("PRODUCTS", file, read_mapping(mapping), program)


def balances(file: File, mapping: Mapping = None, program: Program = None) -> None:
    """Post opening balances: points that partners bring along, each with an expiry of its own, each once.

    Example: [bold]mitra import balances balances.csv --mapping balances.toml[/bold]
    """
    from ops.importing import naming, read_mapping

    with naming(mapping):
        _import("BALANCES", file, read_mapping(mapping), program)


def _import(kind: str, file: Path, mapping: str, program: str | None, *, history: bool = False) -> None:
    from base.settings import Settings
    from imports.service import WAYS
    from imports.store import ImportKind
    from ops.importing import ImportSource, import_file
    from ops.running import run

    settings = Settings()
    source = ImportSource(file=file, kind=ImportKind(kind), mapping=mapping, history=history, program=program)
    way = WAYS[source.kind]
    way.parse(mapping)
    _exit(run(import_file(settings, source, importer=way.take), settings))


def _exit(done: "Import") -> None:
    """Say by the exit status where nothing at all was taken."""
    from ops.import_hints import is_all_refused

    if is_all_refused(done):
        raise typer.Exit(ALL_REFUSED)


def list_all(
    program: Program = None,
    first: Annotated[int, typer.Option(help="How many, the last first.", min=1, max=1_000)] = 20,
) -> None:
    """List the last imports: what state each is in, and what became of its rows.

    Example: [bold]mitra import list[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_list(settings, program, first), settings)


async def _list(settings: "Settings", key: str | None, first: int) -> None:
    from base.clock import SystemClock
    from base.database import reading
    from imports.listing import list_shown
    from ops.import_display import draw_list
    from ops.installation import open_installation
    from ops.terminal import open_console
    from partners.queries import find_program

    async with open_installation(settings), reading() as connection:
        program = await find_program(connection, key)
        found = await list_shown(connection, program_id=program.id, first=first)
    console, now = open_console(), SystemClock().now()
    console.print(draw_list(found, now=now, width=console.width) if found else "Nothing was imported yet.")


def show(
    number: Annotated[
        int, typer.Argument(metavar="ID", help="The import's number.", min=1, show_default=False)
    ],
    program: Program = None,
) -> None:
    """Show an import: its state, what became of its rows, each reason with the first row it struck, and its rate.

    Example: [bold]mitra import show 12[/bold]
    """
    from base.settings import Settings
    from ops.running import run

    settings = Settings()
    run(_show(settings, number, program), settings)


async def _show(settings: "Settings", number: int, key: str | None) -> None:
    from base.clock import SystemClock
    from base.database import reading
    from base.errors import NotFound
    from imports.listing import show_import
    from ops.import_display import print_import
    from ops.installation import open_installation
    from ops.terminal import open_console
    from partners.queries import find_program

    async with open_installation(settings):
        async with reading() as connection:
            program = await find_program(connection, key)
            found = await show_import(connection, program_id=program.id, import_id=number)
        if found is None:
            raise NotFound(f"the program {program.key} has no import {number}")
        await print_import(open_console(), found, now=SystemClock().now())
