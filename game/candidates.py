"""Activities before anything is locked: what is wrong with each by itself, and of what it is else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activity.rules import RETURN, ActivityInput, Line, Refusal, check, payload_hash, resolve_lines
from base.database import Connection
from game.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An activity that nothing is wrong with by itself. Two that say the same are two.

    One with a `refusal` is none by the products of today; but if it was accepted once, it answers as it did then.
    """

    given: ActivityInput
    payload_hash: bytes
    partner_id: int
    lines: tuple[Line, ...]
    refusal: Refusal | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(source, external id)."""
        return self.given.source, self.given.external_id


def examine(plan: Plan, given: ActivityInput) -> Candidate | Refusal:
    """What can be said of a sound activity before anything is locked."""
    partner_id = plan.partner_ids.get(given.partner)
    if partner_id is None:
        return Refusal("UNKNOWN_PARTNER", f"there is no partner {given.partner}", ("partner",))
    lines = resolve_lines(given, plan.products) if given.kind != RETURN else ()
    if isinstance(lines, Refusal):
        return Candidate(given, payload_hash(given), partner_id, (), lines)
    return Candidate(given, payload_hash(given), partner_id, lines)


async def examine_all(
    connection: Connection, plan: Plan, activities: Sequence[ActivityInput], *, now: datetime
) -> list[Candidate | Refusal]:
    """What can be said of each activity before anything is locked; products and partners are looked up first."""
    refusals = [check(given, kinds=plan.kinds, currency=plan.currency, now=now) for given in activities]
    sound = [given for given, refusal in zip(activities, refusals, strict=True) if refusal is None]
    await plan.learn(
        connection,
        skus={line.sku for given in sound for line in given.lines},
        partners={given.partner for given in sound},
    )
    return [refusal or examine(plan, given) for given, refusal in zip(activities, refusals, strict=True)]
