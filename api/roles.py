"""The roles that a caller can have in a program."""

from enum import StrEnum


class Role(StrEnum):
    """What someone does in a program, and with it what they may see and change (`api.access`)."""

    PARTNER = "PARTNER"
    SALES_REP = "SALES_REP"
    REGIONAL_LEAD = "REGIONAL_LEAD"
    MARKETER = "MARKETER"
    FINANCE = "FINANCE"
    ADMIN = "ADMIN"
    INTEGRATION = "INTEGRATION"


REGIONAL = frozenset({Role.SALES_REP, Role.REGIONAL_LEAD})
"""Roles that see the region in their token, and what lies under it."""
