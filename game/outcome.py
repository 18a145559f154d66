"""What became of an activity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from activity.rules import ActivityInput, Refusal
from game.facts import Fact, facts_of
from loyalty.ledger.books import Transaction

RECORDED: Final = "RECORDED"
DUPLICATE: Final = "DUPLICATE"
REJECTED: Final = "REJECTED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one activity. `code`, `message` and `field` are set where it was REJECTED."""

    external_id: str
    status: str
    activity_id: int | None = None
    code: str = ""
    message: str = ""
    field: tuple[str, ...] = ()
    told: Transaction | Sequence[Fact] = ()

    @property
    def facts(self) -> Sequence[Fact]:
        """What it set off, put together when asked for: most feeds never ask."""
        return facts_of(self.told) if isinstance(self.told, Transaction) else self.told

    @classmethod
    def refused(cls, given: ActivityInput, refusal: Refusal) -> "Outcome":
        """The answer to an activity that was not taken."""
        return cls(
            given.external_id, REJECTED, code=refusal.code, message=refusal.message, field=refusal.field
        )
