"""What a program has decided about its points as a whole. Pure; it is stored in the program's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from loyalty.ledger.expiry import NEVER, Expiry

SETTING: Final = "ledger"
"""Under which name it stands in the settings."""

NOTICE_DAYS: Final = (30, 7)
"""How many days ahead partners are told that points expire, where the program says nothing."""
MOST_NOTICE_DAYS: Final = 365
MOST_NOTICES: Final = 5


class Returns(StrEnum):
    """What becomes of points that were spent before the sale that earned them came back.

    DEBT: what cannot be taken is owed, and repaid by what becomes available later. WITHIN_BALANCE: what is not there
    is let go. ONLY_PENDING: only points that have not matured are taken; all others are let go.
    """

    DEBT = "DEBT"
    WITHIN_BALANCE = "WITHIN_BALANCE"
    ONLY_PENDING = "ONLY_PENDING"


@dataclass(frozen=True, slots=True)
class Policies:
    """`expiry` holds where what grants points says nothing; an adjustment takes two people above `approval_above`,
    by unit. Partners are told ahead that points expire, so many days before each time; of none, not at all."""

    returns: Returns = Returns.DEBT
    expiry: Expiry = NEVER
    approval_above: Mapping[str, int] = field(default_factory=dict)
    expiry_notice_days: tuple[int, ...] = NOTICE_DAYS

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Policies":
        """As the program's settings have them; the defaults where they have none."""
        stored = settings.get(SETTING) or {}
        days = stored.get("expiryNoticeDays")
        return cls(
            returns=Returns(stored.get("returns") or Returns.DEBT),
            expiry=Expiry.from_json(stored.get("expiry")),
            approval_above=stored.get("adjustmentApprovalAbove") or {},
            expiry_notice_days=NOTICE_DAYS if days is None else tuple(days),
        )

    def to_json(self) -> dict[str, Any]:
        """As they are stored under `SETTING`."""
        return {
            "returns": self.returns.value,
            "expiry": self.expiry.to_json(),
            "adjustmentApprovalAbove": dict(self.approval_above),
            "expiryNoticeDays": list(self.expiry_notice_days),
        }

    def needs_approval(self, unit: str, amount: int) -> bool:
        """Whether a second person has to approve an adjustment by so much, given or taken."""
        above = self.approval_above.get(unit)
        return above is not None and abs(amount) > above
