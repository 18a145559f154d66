"""What a language needs to tell a fact: one module per language, named by its code, each with `WORDS`.

Texts have places to fill: `$amount` (points or money with its unit), `$mission`, `$badge`, `$level`, `$tier`,
`$previous`, `$reason`. A text that names no other place serves; one that leaves some out serves too.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language: how it writes numbers, what it calls points, and its texts by the name of the template."""

    locale: str
    thousands: str
    decimal: str
    point: str
    points: str
    texts: Mapping[str, tuple[str, str]]
    """Title and body."""
