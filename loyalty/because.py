"""Because: the chain of reasons that a fact or an entry carries. Pure.

A transaction stores its steps once, as a list. Each step names the one it follows from (`on`), so that entries and
facts share what they have in common and point at their own last step by its place. Steps hold codes and numbers;
`loyalty/words` puts them into the reader's language.

The steps, and what they carry besides `step` and `on`:

    activity          kind, source, externalId: where it began
    rule              rule, version, basis (ACTIVITY, QUANTITY, AMOUNT), rate, counted, and size where steps earn
    band              least, rate: the whole earns the rate of the quantity that it reached
    full_steps        size, times: how many full steps were counted
    multiplier        tier, multiplier
    boost             segment, multiplier
    points            exact, points, unit: floored once
    cap               per (ACTIVITY, DAY, MONTH, PARTNER), limit, used (before), points (left of them), unit
    budget            limit, used (before), points (left of them), unit
    withheld          rule, version, why (cap, budget, nth, group …), and its numbers: it was met, and paid nothing
    outside           rules: [rule, version, condition], those that would have paid a partner of their audience
    lot               maturesOn, expiresOn (local days, or null), sliding: what is earned puts off the expiry
    renewed           until (local day): it put off the expiry of points that are kept alive by earning
    matured           points, unit, lots: they were pending
    expired           points, unit, lots: they were not used in time
    hold              purpose, points, unit, actor: reserved for something under way
    captured          purpose, asked (null: all of it), actor, points, unit: what was reserved is spent
    released          points, unit, and purpose, asked, actor where nothing was captured (the step `captured` has them
                      where something was): it is available again
    repaid            points: taken at once for a debt
    return            kind, source, externalId, of: the activity taken back
    reversal          granted, recalled (before), share (0 to 1), points; rule that granted them, owed of the points,
                      rounded (true) where the share of what was granted was no whole number
    owed              points: what could not be taken, as it was spent or reserved
    waived            points, returns: what is not taken back, by the program's policy for returns
    objective         mission, objective, current, target
    mission           mission, window, n
    mission_revoked   mission, window, n
    no_room           mission, points: the wallet would hold more than it may, so the mission is not completed yet
    reward            points, unit
    badge             badge, level, and value, threshold where a metric awards it
    tier              from, to, value, threshold
    tier_review       startsOn, through (local days), value: a window of the ladder was over
    tier_override     tier (null: taken back), until (an instant, or null: for good), reason, actor
    override_ended    tier: it had been given by hand until then
    approval          askedBy, approvedBy: an adjustment took two people
    adjustment        reason, amount, unit (where it is not POINT), actor
    opening           points, unit, grantedOn, expiresOn (local days, or null), actor: brought over from another system
    counted_too_late  mission: it had ended when the activity was posted; or through: the tier's window up to that day
                      had been reviewed
    review            localDate: configuration changed, and what had been counted before was looked at again
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

Step: TypeAlias = dict[str, Any]

STEPS = (
    "activity",
    "rule",
    "band",
    "full_steps",
    "multiplier",
    "boost",
    "points",
    "cap",
    "budget",
    "withheld",
    "outside",
    "lot",
    "renewed",
    "matured",
    "expired",
    "hold",
    "captured",
    "released",
    "repaid",
    "return",
    "reversal",
    "owed",
    "waived",
    "objective",
    "mission",
    "mission_revoked",
    "no_room",
    "reward",
    "badge",
    "tier",
    "tier_review",
    "tier_override",
    "override_ended",
    "approval",
    "adjustment",
    "opening",
    "counted_too_late",
    "review",
)


class Because:
    """The steps of one transaction, as they are found."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, step: str, /, on: int | None = None, **carried: Any) -> int:
        """Append a step that follows from `on`; its place."""
        self.steps.append({"step": step, "on": on, **carried})
        return len(self.steps) - 1


def chain(steps: Sequence[Step], last: int) -> list[Step]:
    """From where it began to the step at `last`."""
    found = []
    place: int | None = last
    while place is not None:
        found.append(steps[place])
        place = steps[place]["on"]
    return found[::-1]
