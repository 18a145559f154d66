"""Names of shops, sales areas and distributors: made from the ids of stores, and of nothing else.

The data has no names, and these are neutral on purpose: no shop of that name is meant. The same id always gets the same
name and area; no two ids of the data share a name (a test sees to it).
"""

from dataclasses import dataclass
from typing import Final

ROOT: Final = "harbour"
"""The region that all areas lie under."""

PLACES: Final = (
    "Maple", "Cedar", "Willow", "Juniper", "Alder", "Birch", "Hazel", "Linden", "Rowan", "Aspen", "Laurel", "Magnolia",
    "Orchard", "Meadow", "Prairie", "Valley", "Ridge", "Summit", "Canyon", "Brook", "River", "Lakeside", "Bayview",
    "Seaside", "Pier", "Lighthouse", "Market Street", "Mill Lane", "Station Road", "Bridge Street", "Garden", "Sunrise",
    "Sunset", "Copper", "Silver Creek", "Granite", "Sandstone", "Clover", "Heather", "Primrose", "Bluebell", "Heron",
    "Kestrel", "Robin", "Swallow", "Falcon", "Otter", "Beaver", "Fox Hollow", "Stag", "Anchor", "Compass", "Beacon",
)  # fmt: skip
KINDS: Final = (
    "Market", "Grocery", "Corner Shop", "Pantry", "Provisions", "Food Hall", "Larder", "Stores", "Fresh", "Mini Market",
    "Food Center", "Grocers", "Deli", "Supermarket", "General Store", "Express", "Family Foods", "Co-op", "Emporium",
)  # fmt: skip

EPITHETS: Final = (
    "", "Old", "New", "Little", "Upper", "Lower", "Great", "Green", "Blue", "Golden", "Royal", "Happy",
)  # fmt: skip

SCATTER: Final = 1001
"""Spreads neighboring ids over the names; chosen so that no two stores of the data share one."""


@dataclass(frozen=True, slots=True)
class Area:
    """A sales area, and the distributor that serves its shops."""

    code: str
    name: str
    distributor: str
    distributor_name: str


AREAS: Final = (
    Area("north", "North", "D-NORTH", "Northern Wholesale"),
    Area("south", "South", "D-SOUTH", "Southern Food Service"),
    Area("east", "East", "D-EAST", "Eastgate Distribution"),
    Area("west", "West", "D-WEST", "Westway Supply"),
    Area("coast", "Coast", "D-COAST", "Coastal Provisions"),
    Area("lakes", "Lakes", "D-LAKES", "Lakeland Logistics"),
)


def shop_name(store: int) -> str:
    """The shop that a store becomes."""
    rest, kind = divmod(store * SCATTER % (len(EPITHETS) * len(PLACES) * len(KINDS)), len(KINDS))
    epithet, place = divmod(rest, len(PLACES))
    return f"{EPITHETS[epithet]} {PLACES[place]} {KINDS[kind]}".strip()


def area_of(store: int) -> Area:
    """The sales area that a store lies in."""
    return AREAS[store % len(AREAS)]
