"""Who takes part: an audience decides over a frozen view of a partner, and so does a segment. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from partners.attributes import AnyOf, Attribute, are_met, read_conditions


@dataclass(frozen=True, slots=True)
class PartnerView:
    """A partner as the rules see it, at one moment.

    `regions` holds the codes of its region and of all that lie above it; `tier` the key of its tier, if the program
    has any; `attributes` those that some segment asks for; `segments` the keys of those that it is in.
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
    attributes: frozenset[Attribute] = frozenset()
    segments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Audience:
    """Partners by what they are. Every condition that is set must hold; an empty audience admits all."""

    kinds: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()

    def failure(self, view: PartnerView) -> str | None:
        """The first condition that keeps the partner out (kind, region, tier, partner, segment); None: it is in."""
        if self.kinds and view.kind not in self.kinds:
            return "kind"
        if self.regions and self.regions.isdisjoint(view.regions):
            return "region"
        if self.tiers and view.tier not in self.tiers:
            return "tier"
        if self.partners and view.code not in self.partners:
            return "partner"
        if self.segments and self.segments.isdisjoint(view.segments):
            return "segment"
        return None

    def admits(self, view: PartnerView) -> bool:
        """Whether the partner takes part."""
        return self.failure(view) is None

    def to_json(self) -> dict[str, list[str]]:
        """As it is stored: only the conditions that are set, sorted."""
        named = {
            "kinds": self.kinds,
            "regions": self.regions,
            "tiers": self.tiers,
            "partners": self.partners,
            "segments": self.segments,
        }
        return {name: sorted(codes) for name, codes in named.items() if codes}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Audience":
        """The audience that `to_json` wrote."""
        return cls(**{name: frozenset(codes) for name, codes in stored.items()})


@dataclass(frozen=True, slots=True)
class Segment:
    """A saved filter over partners: an audience, which names no segment, and conditions on their attributes."""

    key: str
    audience: Audience
    conditions: tuple[AnyOf, ...] = ()

    def holds(self, view: PartnerView) -> bool:
        """Whether the partner is in it."""
        return are_met(self.conditions, view.attributes) and self.audience.admits(view)

    @classmethod
    def from_json(cls, key: str, stored: Mapping[str, Any]) -> "Segment":
        """The segment of this filter, as it is stored."""
        audience = {name: codes for name, codes in stored.items() if name != "attributes"}
        return cls(key, Audience.from_json(audience), read_conditions(stored.get("attributes", {})))


class Segments:
    """The segments of a program. `attributes` names what they ask for of a partner's attributes."""

    __slots__ = ("_reads_tiers", "_segments", "attributes")

    def __init__(self, segments: Iterable[Segment] = ()) -> None:
        self._segments = tuple(segments)
        self._reads_tiers = any(one.audience.tiers for one in self._segments)
        self.attributes = frozenset(
            name for one in self._segments for condition in one.conditions for name, _ in condition
        )

    def place(self, view: PartnerView) -> PartnerView:
        """The partner, with the segments that it is in."""
        if not self._segments:
            return view
        return replace(view, segments=frozenset(one.key for one in self._segments if one.holds(view)))

    def move(self, view: PartnerView, *, tier: str) -> PartnerView:
        """A partner that was placed, on another tier."""
        view = replace(view, tier=tier)
        return self.place(view) if self._reads_tiers else view


NO_SEGMENTS = Segments()
