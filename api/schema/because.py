"""Because: why, step by step, in the reader's language."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import strawberry

from api.context import Info
from loyalty.because import Step
from loyalty.words import explain
from loyalty.words.speech import Names

AS_CONFIGURED: Final[Names] = {}
"""All things are called as the program calls them."""


@strawberry.type(description="A step of the chain of reasons, in the reader's language.")
class Because:
    code: str = strawberry.field(description="The step's stable code.")
    step: str = strawberry.field(description="What kind of step it is, in words.")
    detail: str = strawberry.field(description="A sentence with its numbers.")
    value: str | None = strawberry.field(description="Its number or key, as it is stored.")


def told(
    steps: Sequence[Step], info: Info, *, rules: frozenset[str] = frozenset(), called: Names = AS_CONFIGURED
) -> list[Because]:
    """A chain in words, as far as it is for the reader; `rules` are the keys of those that are known to be for it.

    `called`: names of what is not configured so.
    """
    reader = info.context.reader
    names = {**reader.names, **called} if called else reader.names
    reader = replace(reader, names=names, sight=replace(reader.sight, rules=rules))
    return [
        Because(code=reason.code, step=reason.step, detail=reason.detail, value=reason.value)
        for reason in explain(steps, reader)
    ]
