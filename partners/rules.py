"""Who takes part: an audience decides over a frozen view of a partner. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PartnerView:
    """A partner as the rules see it, at one moment.

    `regions` holds the codes of its region and of all that lie above it; `tier` the key of its tier, if the program
    has any.
    """

    id: int
    code: str
    name: str
    kind: str
    region: str
    regions: frozenset[str]
    tier: str | None
    status: str
    time_zone: str
    locale: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Partners by what they are. Every condition that is set must hold; an empty audience admits all."""

    kinds: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()

    def failure(self, view: PartnerView) -> str | None:
        """The first condition that keeps the partner out (kind, region, tier, partner); None where it is in."""
        if self.kinds and view.kind not in self.kinds:
            return "kind"
        if self.regions and self.regions.isdisjoint(view.regions):
            return "region"
        if self.tiers and view.tier not in self.tiers:
            return "tier"
        if self.partners and view.code not in self.partners:
            return "partner"
        return None

    def admits(self, view: PartnerView) -> bool:
        """Whether the partner takes part."""
        return self.failure(view) is None

    def to_json(self) -> dict[str, list[str]]:
        """As it is stored: only the conditions that are set, sorted."""
        named = {"kinds": self.kinds, "regions": self.regions, "tiers": self.tiers, "partners": self.partners}
        return {name: sorted(codes) for name, codes in named.items() if codes}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Audience":
        """The audience that `to_json` wrote."""
        return cls(**{name: frozenset(codes) for name, codes in stored.items()})
