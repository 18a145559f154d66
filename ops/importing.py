"""Taking a file in from the command line, whatever it holds: open, go on where it stood, show, and account for it.

    done = await import_file(settings, source, importer=import_sales)

The import is known by the file's digest and its mapping, so that the same command goes on where it was stopped, by
Ctrl-C, a kill or an outage. What was refused is written beside the file once its end is reached.
"""

import asyncio
import getpass
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path
from time import monotonic
from typing import Final

from rich.console import Console

from base.clock import Clock, SystemClock
from base.database import reading
from base.errors import DomainError, Invalid
from base.settings import Settings
from imports.importer import Importer, Tell
from imports.listing import STOPPED, write_refused
from imports.store import (
    Import,
    ImportKind,
    ImportMoved,
    ImportState,
    Step,
    begin_import,
    end_import,
    find_import,
    start_import,
)
from ops.errors import OperatorError, one_line
from ops.import_display import print_account, show_progress
from ops.installation import open_installation
from ops.terminal import open_console
from partners.queries import find_program

MARK_SECONDS: Final = 5.0
"""How long a command that is told to stop tries to say so."""


class CannotImport(OperatorError):
    """The file that was named cannot be taken in."""


@dataclass(frozen=True, slots=True)
class ImportSource:
    """What is to be taken in. `mapping` is TOML; `program` a key, or None where there is one program only."""

    file: Path
    kind: ImportKind
    mapping: str = ""
    history: bool = False
    program: str | None = None


async def import_file(settings: Settings, source: ImportSource, *, importer: Importer) -> Import:
    """Take the file in, or take it up again, and answer the import, which is DONE.

    Raises `CannotImport`, and what the importer raises: the import then says why, and can be taken up again.
    """
    check_file(source.file)
    async with open_installation(settings, process="import") as servers:
        return await servers.guard(
            _import_file(open_console(), source, importer=importer, clock=SystemClock())
        )


def check_file(file: Path) -> None:
    """Refuse what cannot be read twice: a file can be taken up again, a pipe cannot. Raises `CannotImport`."""
    if str(file) == "-":
        raise CannotImport(
            "Standard input cannot be imported: a file can be taken up where it was stopped, a pipe cannot. "
            "Write it to a file first."
        )
    try:
        kind = file.stat().st_mode
    except FileNotFoundError as error:
        raise CannotImport(f"There is no file {file}") from error
    if not stat.S_ISREG(kind):
        raise CannotImport(f"{file} is no file that can be read twice")


def refused_file(file: Path, one: Import) -> Path:
    """Where the refused rows of a file are written: beside it, and never over those that were mended before."""
    return file.with_name(f"{file.name}.refused-{one.id}.csv")


async def _import_file(console: Console, source: ImportSource, *, importer: Importer, clock: Clock) -> Import:
    async with reading() as connection:
        program = await find_program(connection, source.program)
    with _opened(source.file) as stream:
        one = await begin_import(
            program_id=program.id,
            kind=source.kind,
            file_name=source.file.name,
            file_digest=await asyncio.to_thread(_digest, stream),
            file_size=os.fstat(stream.fileno()).st_size,
            mapping=source.mapping,
            history=source.history,
            created_by=f"command/{_user()}",
            now=clock.now(),
        )
        if one.position:
            console.print(
                f"Going on with import {one.id} of {program.key} from line {one.position:,}.", markup=False
            )
        place, began = _Place(one.position), monotonic()
        async with _told(console, one, clock, place):
            with show_progress(console, one) as tell:
                done = await importer(one, stream, clock, place.hearing(tell))
        seconds = monotonic() - began
    target = refused_file(source.file, done) if done.refused else None
    if target is not None:
        await write_refused_file(done, target)
    rate = (done.read - one.read) / seconds if done.read > one.read else None
    await print_account(console, done, refused_file=target, rate=rate)
    return done


@dataclass(slots=True)
class _Place:
    """How far this process has come in the file."""

    position: int

    def hearing(self, tell: Tell) -> Tell:
        """Tells, and knows what was told."""

        def hear(step: Step) -> None:
            self.position = step.position
            tell(step)

        return hear


@asynccontextmanager
async def _told(console: Console, one: Import, clock: Clock, place: _Place) -> AsyncIterator[None]:
    """Whatever stops an import is said, and remembered where that can be."""
    try:
        yield
    except asyncio.CancelledError:
        await _mark_stopped(one, clock, place)
        console.print(
            f"Stopped. Nothing is lost: the same command goes on with import {one.id}.", markup=False
        )
        raise
    except ImportMoved:
        raise  # the other process goes on
    except DomainError as error:
        await _mark_failed(one, error, clock)
        raise


async def _mark_failed(one: Import, error: DomainError, clock: Clock) -> None:
    """Remember why it stopped; what was recorded before stands."""
    now = await find_import(program_id=one.program_id, import_id=one.id)
    if now is None or now.state is ImportState.DONE:
        return
    if now.state is not ImportState.RUNNING:
        now = await start_import(now, header=(), now=clock.now())
    await end_import(now, state=ImportState.FAILED, now=clock.now(), error=f"{error.code}: {one_line(error)}")


async def _mark_stopped(one: Import, clock: Clock, place: _Place) -> None:
    """Remember that it was told to stop, unless another process has gone on with it; without a database, nothing."""
    with suppress(Exception):
        async with asyncio.timeout(MARK_SECONDS):
            now = await find_import(program_id=one.program_id, import_id=one.id)
            if now is not None and now.state is ImportState.RUNNING and now.position == place.position:
                told = f"{STOPPED}: the command was told to stop; the same command goes on"
                await end_import(now, state=ImportState.FAILED, now=clock.now(), error=told)


async def write_refused_file(one: Import, target: Path) -> None:
    """Write what an import refused, whole or not at all, in the format that the rows came in."""
    unfinished = target.with_name(target.name + ".part")
    with _written(unfinished) as stream:
        await write_refused(one, stream)
    await asyncio.to_thread(unfinished.replace, target)


def _opened(file: Path) -> BufferedReader:
    return open(file, "rb")


def _written(file: Path) -> BufferedWriter:
    return open(file, "wb")


def _digest(stream: BufferedReader) -> bytes:
    digest = hashlib.file_digest(stream, "sha256").digest()
    stream.seek(0)
    return digest


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # a user without a name, as containers have


@contextmanager
def naming(mapping: Path | None) -> Iterator[None]:
    """Whatever is wrong with a mapping is told with the name of its file."""
    try:
        yield
    except Invalid as error:
        if mapping is None or error.code != "INVALID_MAPPING":
            raise
        raise Invalid(f"{mapping}: {error.message}", code=error.code, field=error.field) from error


def read_mapping(file: Path | None) -> str:
    """The text of a mapping; empty where none is named."""
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise CannotImport(f"There is no file {file}") from error
    except UnicodeDecodeError as error:
        raise CannotImport(f"{file} is not UTF-8") from error
