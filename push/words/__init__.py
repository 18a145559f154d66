"""What a language needs to tell a fact: one module per language, named by its code, each with `WORDS`.

Texts have places to fill: `$amount` (points or money with its unit, several where several units moved), `$owed` (what
of it is owed), `$mission`, `$badge`, `$level`, `$tier`, `$previous`, `$reason`, `$date`. A text that names no other
place serves; one that leaves some out serves too. An amount is one point, many, or a sum of money: a shipped text reads
well around each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loyalty.words.speech import Speech


@dataclass(frozen=True, slots=True)
class Words:
    """One language: how it writes numbers and days, and its texts by the name of the template."""

    locale: str
    speech: Speech
    texts: Mapping[str, tuple[str, str]]
    """Title and body."""
