"""What `mitra top` reads of the database: imports, each with its program and number."""

from datetime import UTC, datetime

import pytest

from imports.announcing import Announced, create_upload
from imports.limits import UploadLimits
from imports.store import ImportKind
from ops.top.source import Source
from tests.services.programs import make_program

pytestmark = pytest.mark.usefixtures("database")

LATER = datetime(2999, 1, 1, tzinfo=UTC)
"""The imports that were announced last are shown."""


async def test_imports_are_read_with_program_and_number(database_url: str) -> None:
    program = await make_program()
    given = Announced(ImportKind.PARTNERS, "partners.csv", 100, "")
    one = await create_upload(
        program_id=program.id, given=given, limits=UploadLimits(), created_by="test", now=LATER
    )
    source = Source(database_url=database_url)
    await source.read()
    await source.close()
    (found,) = [shown for shown in source.imports if shown.program == program.key]
    assert (found.id, found.file, found.kind, found.state) == (
        one.id,
        "partners.csv",
        "PARTNERS",
        "UPLOADING",
    )
