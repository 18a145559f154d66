"""What a channel is: it takes parcels and says of each what became of it.

A channel keeps no queue and repeats nothing by itself: what is due again, and when, stands in the `delivery` rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for one address."""

    address: str
    """As the channel understands it: a device's token, a telephone number."""
    title: str
    body: str
    data: Mapping[str, str]
    """For the app: which message this is."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The service behind the channel took it over."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: try again, not before `after` where the service said so."""

    error: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: trying again would end the same."""

    error: str


@dataclass(frozen=True, slots=True)
class Gone:
    """Nobody lives at this address any more: it is to be forgotten."""

    error: str


Outcome: TypeAlias = Sent | Retry | Refused | Gone


class Channel(Protocol):
    """A way out. `name` stands in the `delivery` rows."""

    @property
    def name(self) -> str: ...

    @property
    def page(self) -> int:
        """How many parcels `send` takes at most."""
        ...

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Outcome]:
        """An outcome for each parcel, in their order."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
