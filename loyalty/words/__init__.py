"""Because, in words: each step of a chain as a title, a sentence with its numbers, and its value. Pure.

Steps hold codes and numbers (`loyalty/because.py` lists them); this puts them into a reader's language. One module
a language, each with a title and a sentence for every step; a test sees to it that none lacks one. Names of rules,
missions, badges and tiers are handed in, as they are not this room's; what has none is called by its key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from loyalty.because import Step
from loyalty.sight import WHOLE, Sight, show
from loyalty.words import english, indonesian
from loyalty.words.speech import Names, Sentence, Speech, Units

LANGUAGES: Final[Mapping[str, Mapping[str, tuple[str, Sentence]]]] = {
    "en": english.WORDS,
    "id": indonesian.WORDS,
}
DEFAULT_LANGUAGE: Final = "en"

_SPEECHES: Final = {"en": english.SPEECH, "id": indonesian.SPEECH}


@dataclass(frozen=True, slots=True)
class Reason:
    """A step as a person reads it. `code` is the step's own; `value` its number or key, as it is stored."""

    code: str
    step: str
    detail: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a language that there are words for, the program's names by (noun, key), its units, and what of a
    chain is for this reader."""

    language: str = DEFAULT_LANGUAGE
    names: Names = field(default_factory=dict)
    units: Units = field(default_factory=dict)
    sight: Sight = WHOLE


def choose_language(*wanted: str | None) -> str:
    """The first of the locales ("id", "id-ID", "en_US") that there are words for; English where none is."""
    for locale in wanted:
        language = (locale or "").replace("_", "-").partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT_LANGUAGE


def explain(steps: Sequence[Step], reader: Reader) -> list[Reason]:
    """A chain, step by step, in the reader's language."""
    speech = _SPEECHES[reader.language].about(reader.names, reader.units)
    shown = _say_once(show(steps, reader.sight))
    return [_explain_step(step, LANGUAGES[reader.language], speech) for step in shown]


def _say_once(steps: Sequence[Step]) -> Sequence[Step]:
    """A chain that ends with what is owed has a step for that: what was taken back need not tell of it too."""
    if not any(step["step"] == "owed" for step in steps):
        return steps
    return [{**step, "owed": 0} if step["step"] == "reversal" else step for step in steps]


def _explain_step(step: Step, words: Mapping[str, tuple[str, Sentence]], speech: Speech) -> Reason:
    code = step["step"]
    title, sentence = words[code]
    return Reason(code, title, sentence(step, speech), _VALUES[code](step))


def _carried(name: str) -> Callable[[Mapping[str, Any]], str | None]:
    """What the step carries under `name`, as plain text."""

    def value(step: Mapping[str, Any]) -> str | None:
        found = step.get(name)
        return None if found is None else str(found)

    return value


def _taken(name: str) -> Callable[[Mapping[str, Any]], str | None]:
    """A count that was taken away: below zero."""
    return lambda step: str(-Decimal(step[name]))


_VALUES: Final[Mapping[str, Callable[[Mapping[str, Any]], str | None]]] = {
    "activity": _carried("externalId"),
    "rule": _carried("counted"),
    "band": _carried("rate"),
    "full_steps": _carried("times"),
    "multiplier": _carried("multiplier"),
    "boost": _carried("multiplier"),
    "points": _carried("points"),
    "lot": _carried("expiresOn"),
    "renewed": _carried("until"),
    "matured": _carried("points"),
    "expired": _taken("points"),
    "hold": _taken("points"),
    "captured": _taken("points"),
    "released": _carried("points"),
    "cap": _carried("points"),
    "budget": _carried("points"),
    "withheld": _carried("why"),
    "outside": lambda step: str(len(step["rules"])),
    "repaid": _taken("points"),
    "return": _carried("externalId"),
    "reversal": _taken("points"),
    "owed": _carried("points"),
    "waived": _carried("points"),
    "objective": _carried("current"),
    "mission": _carried("mission"),
    "mission_revoked": _carried("mission"),
    "no_room": _carried("points"),
    "reward": _carried("points"),
    "badge": _carried("level"),
    "tier": _carried("to"),
    "tier_review": _carried("value"),
    "tier_override": _carried("tier"),
    "override_ended": _carried("tier"),
    "approval": _carried("approvedBy"),
    "adjustment": _carried("amount"),
    "opening": _carried("points"),
    "counted_too_late": _carried("mission"),
    "review": lambda step: None,
}
