"""What would come of activities: they are recorded, by the same code, in a transaction that is rolled back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from activity.rules import ActivityInput
from base.clock import Clock
from base.database import Connection
from game.outcome import Outcome
from game.pipeline import WrongSize, record
from loyalty.earning.explaining import explain_activities
from loyalty.earning.reasons import Considered

MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Previewed:
    """What an activity would be answered, and what each rule would make of it."""

    outcome: Outcome
    rules: Sequence[Considered]


class Undone(Exception):
    """All is decided and told: nothing of it is to be kept."""

    def __init__(self, previews: list[Previewed]) -> None:
        super().__init__("a preview is never committed")
        self.previews = previews


async def preview(*, program_id: int, activities: Sequence[ActivityInput], clock: Clock) -> list[Previewed]:
    """What would come of these 1 to 100 activities, in the order given. Writes nothing. Raises `WrongSize`.

    Holds the partners' locks while it decides and explains, so it takes no more.
    """
    if len(activities) > MOST:
        raise WrongSize(f"a preview has 1 to {MOST} activities", field=("activities",))

    async def undo(connection: Connection, outcomes: Sequence[Outcome]) -> None:
        ids = [one.activity_id for one in outcomes if one.activity_id is not None]
        rules = await explain_activities(connection, program_id=program_id, activity_ids=ids)
        raise Undone([Previewed(one, rules.get(one.activity_id or 0, ())) for one in outcomes])

    try:
        await record(program_id=program_id, activities=activities, clock=clock, settle=undo)
    except Undone as undone:
        return undone.previews
    raise AssertionError("a preview was committed")
