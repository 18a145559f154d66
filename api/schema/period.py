"""Period: how long a window lasts."""

from enum import StrEnum

import strawberry


@strawberry.enum(description="How long a window lasts.")
class Period(StrEnum):
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    YEARLY = "YEARLY"
    FIXED = "FIXED"
