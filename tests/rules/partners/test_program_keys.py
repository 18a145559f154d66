"""A program's key is short, and the same however it is typed."""

import pytest

from base.errors import Invalid
from partners.inputs import ProgramInput, check_program


@pytest.mark.parametrize("key", ["harbour-foods", "a", "7up", "x" * 63])
def test_keys(key: str) -> None:
    check_program(ProgramInput(key, "Name"))


@pytest.mark.parametrize("key", ["", "Bad Key", "Upper", "-first", "x" * 64, "umläut", "a_b"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_program(ProgramInput(key, "Name"))
    assert (refused.value.code, refused.value.field) == ("INVALID_CODE", ("key",))
