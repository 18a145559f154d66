"""Because: why, step by step, in the reader's language."""

from collections.abc import Sequence

import strawberry

from api.context import Info
from loyalty.because import Step
from loyalty.words import explain


@strawberry.type(description="A step of the chain of reasons, in the reader's language.")
class Because:
    code: str = strawberry.field(description="The step's stable code.")
    step: str = strawberry.field(description="What kind of step it is, in words.")
    detail: str = strawberry.field(description="A sentence with its numbers.")
    value: str | None = strawberry.field(description="Its number or key, as it is stored.")


def told(steps: Sequence[Step], info: Info) -> list[Because]:
    """A chain in words."""
    return [
        Because(code=reason.code, step=reason.step, detail=reason.detail, value=reason.value)
        for reason in explain(steps, info.context.reader)
    ]
