"""What of a chain of reasons its reader is shown. Pure.

A partner reads why its own points are as they are. Who in the brand's house asked, approved and decided is not told
to it, and neither are the rules that are for others. Whoever works for the program is shown everything. What is shown
has as many steps as what is kept, in the same places: `on` points where it did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loyalty.because import Step

PERSONS: Final = frozenset({"actor", "askedBy", "approvedBy"})
"""What steps carry of people: the subjects of their tokens, which may be names or addresses."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How far a reader sees: the whole program, or what is a partner's own.

    `rules` are the keys of those that are for the partner, though it may not have been in their audience at the time.
    """

    is_own: bool = False
    rules: frozenset[str] = frozenset()


WHOLE: Final = Sight()
OWN: Final = Sight(is_own=True)


def show(steps: Sequence[Step], sight: Sight) -> Sequence[Step]:
    """The steps as this reader may see them."""
    return [_own(step, sight.rules) for step in steps] if sight.is_own else steps


def _own(step: Step, rules: frozenset[str]) -> Step:
    """A step as a partner sees it: without people, and without the rules that are for others."""
    match step["step"], step.get("why"):
        case "outside", _:
            return {**step, "rules": [one for one in step["rules"] if one[0] in rules]}
        case "withheld", "audience" if step["rule"] not in rules:
            return {"step": "outside", "on": step["on"], "rules": []}
    if PERSONS.isdisjoint(step):
        return step
    return {name: value for name, value in step.items() if name not in PERSONS}
